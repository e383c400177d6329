"""How long a request is ready to wait for its start."""

import asyncio
import random

import pytest

from asyncpatterns import Batcher, DeadlineExceeded
from asyncpatterns.testing import run

from .model import Model, add_up, batched, now, occupied, outcomes


def test_a_request_not_started_in_time_fails_at_that_moment():
    async def scenario(batcher, model):
        async with occupied(batcher, model, seconds=1.0):
            start = now()
            with pytest.raises(DeadlineExceeded) as late:
                await batcher("late", timeout=0.25)
            assert now() == start + 0.25
            assert (late.value.waited, late.value.limit) == (0.25, 0.25)
        assert batcher.statistics().expired == 1
    batched(scenario)


def test_it_is_a_timeout_error():
    assert issubclass(DeadlineExceeded, TimeoutError)


def test_a_request_that_ran_out_of_time_never_reaches_the_function():
    async def scenario(batcher, model):
        async with occupied(batcher, model, seconds=1.0):
            calls = [batcher(item, timeout=0.5 if item % 2 else None) for item in range(10)]
        results = await outcomes(calls)
        assert model.seen[1:] == [0, 2, 4, 6, 8]
        assert [type(result) is DeadlineExceeded for result in results] == [False, True] * 5
    batched(scenario)


def test_a_timeout_bounds_the_wait_and_not_the_work():
    async def scenario(batcher, _):
        assert await batcher(1, timeout=0.1) == ("answer", 1)
        assert now() == pytest.approx(1.0005)
    batched(scenario, Model(b=1.0))


def test_the_timeout_counts_from_the_call():
    async def scenario(batcher, model):
        async with occupied(batcher, model, seconds=1.0):
            call, called = batcher(1, timeout=0.3), now()
            await asyncio.sleep(0.2)
            with pytest.raises(DeadlineExceeded):
                await call
            assert now() == called + 0.3
    batched(scenario)


def test_a_timeout_of_zero_tries_once():
    async def scenario(batcher, model):
        assert await batcher(1, timeout=0) == ("answer", 1)
        async with occupied(batcher, model, seconds=1.0):
            start = now()
            with pytest.raises(DeadlineExceeded):
                await batcher(2, timeout=0)
            assert now() == start
        assert model.seen == [1, "occupies the worker"]
    batched(scenario)


def test_a_timeout_of_zero_tries_once_on_a_real_clock_too():
    async def main():
        async with Batcher(lambda items: items) as batcher:
            for _ in range(20):
                assert await batcher(1, timeout=0) == 1
    asyncio.run(main())


def test_a_time_that_is_over_already_is_too_late_even_for_a_free_worker():
    async def scenario(batcher, model):
        with pytest.raises(DeadlineExceeded):
            await batcher(1, timeout=-1)
        assert model.batches == [] and batcher.statistics().expired == 1
    batched(scenario)


def test_a_start_in_the_last_moment_is_in_time():
    async def scenario(batcher, model):
        async with occupied(batcher, model, seconds=1.0):
            call = batcher(1, timeout=1.0 + 1e-8)
        assert await call == ("answer", 1)
    batched(scenario)


def test_of_all_deadlines_each_is_kept_to_the_moment():
    async def scenario(batcher, model):
        random_ = random.Random(7)
        ends = {}

        async def caller(item, timeout):
            start = now()
            with pytest.raises(DeadlineExceeded):
                await batcher(item, timeout=timeout, key=random_.randrange(3), priority=random_.randrange(3))
            ends[item] = (start + timeout, now())
        async with occupied(batcher, model, seconds=10.0):
            callers = []
            for item in range(200):
                callers.append(asyncio.create_task(caller(item, random_.uniform(0, 4))))
                await asyncio.sleep(random_.uniform(0, 0.02))
            await asyncio.gather(*callers)
        assert len(ends) == 200 and all(due == pytest.approx(end, abs=1e-9) for due, end in ends.values())
        assert model.seen == ["occupies the worker"]
    batched(scenario)


def test_when_earlier_deadlines_are_settled_a_later_one_does_not_come_early():
    """A timer armed for a request that has been started meanwhile must not ring for the next one."""
    async def scenario(batcher, model):
        first = [batcher(item, timeout=0.005, key="a") for item in range(2)]
        late = batcher("b", timeout=0.015, key="b")
        last = batcher("c", timeout=0.5, key="c")
        assert [type(each) for each in await outcomes([*first, late, last])] == [tuple] * 4
    batched(scenario)


def test_timers_that_were_settled_leave_nothing_behind():
    async def main():
        async with Batcher(Model()) as batcher:
            for _ in range(2000):
                await batcher(1, timeout=3600.0)
            assert len(batcher._engine.deadlines._heap) == 0
            async with occupied(batcher, batcher._function, seconds=10.0):
                for _ in range(2000):
                    task = asyncio.create_task(batcher(1, timeout=3600.0))
                    await asyncio.sleep(0.001)
                    task.cancel()
                    await outcomes([task])
                assert len(batcher._engine.deadlines._heap) < 100
            add_up(batcher)
    run(main)


@pytest.mark.parametrize("timeout, error", [("soon", TypeError), (True, TypeError), (float("nan"), ValueError),
                                            ([1], TypeError)])
def test_a_timeout_that_is_none_is_refused_with_a_sentence(timeout, error):
    async def scenario(batcher, _):
        with pytest.raises(error, match="timeout must be a number of seconds"):
            await batcher(1, timeout=timeout)
        assert batcher.statistics().admitted == 0
    batched(scenario)


def test_options_of_a_call_are_keyword_only():
    async def scenario(batcher, _):
        with pytest.raises(TypeError):
            await batcher(1, 0.5)
    batched(scenario)
