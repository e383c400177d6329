"""A bounded queue, and what the refused are told."""

import asyncio
import gc
import math
import random

import pytest

from asyncpatterns import Batcher, DeadlineExceeded, Overloaded
from asyncpatterns.testing import run

from .model import Model, add_up, batched, now, occupied, outcomes, tick


def test_max_queue_bounds_what_waits_and_beyond_it_callers_are_told():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            got = asyncio.gather(*(batcher(item) for item in range(8)), return_exceptions=True)
            await tick()
            assert batcher.statistics().waiting == 5 and batcher.statistics().rejected == 3
        results = await got
        assert results[:5] == [("answer", item) for item in range(5)]
        assert all(type(result) is Overloaded for result in results[5:])
        assert len(set(map(id, results[5:]))) == 3
    batched(scenario, max_queue=5)


def test_the_default_bound_is_sixteen_batches():
    async def scenario(batcher, model):
        assert batcher.max_queue == 16 * 4
        async with occupied(batcher, model):
            results = await outcomes(batcher(item) for item in range(100))
        assert sum(type(result) is Overloaded for result in results) == 100 - 64
    batched(scenario, max_batch_size=4)


def test_the_bound_is_in_rows_and_over_all_keys():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher("four", key=1), batcher("four", key=2), batcher("four", key=3), batcher("xx", key=4)]
            results = await outcomes(calls)
        assert [type(result) is Overloaded for result in results] == [False, False, True, False]
    batched(scenario, max_queue=10, rows=len, max_batch_size=100)


def test_an_item_larger_than_the_bound_may_wait_alone():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            large = batcher("x" * 50)
            with pytest.raises(Overloaded):
                await batcher("y")
        assert await large == ("answer", "x" * 50)
    batched(scenario, max_queue=20, rows=len)


def test_a_bound_of_infinity_has_to_be_spelled_out_and_then_holds():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(item) for item in range(5000)]
        assert Overloaded not in set(map(type, await outcomes(calls)))
    batched(scenario, max_queue=math.inf)


def test_what_a_refused_caller_is_told_says_how_much_waits():
    async def scenario(batcher, model):
        async with occupied(batcher, model, seconds=1.0):
            batcher(1), batcher(2)
            with pytest.raises(Overloaded) as refusal:
                await batcher(3)
        assert (refusal.value.waiting, refusal.value.room) == (2, 2)
        assert "2 rows are waiting where 2 may" in str(refusal.value)
    batched(scenario, max_queue=2)


@pytest.mark.parametrize("rows", [1, 3, 7])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("linger", [0.0, 0.004])
def test_retry_after_is_when_the_same_request_would_be_admitted_if_nobody_else_came(rows, workers, linger):
    async def scenario(batcher, model):
        for size in (1, 2, 3, 4, 5, 6, 7, 8) * 2:           # lets it see T(n)
            await asyncio.gather(*(batcher("x") for _ in range(size)))
        calls = [batcher("x") for _ in range(16)]
        await asyncio.sleep(0.0033)
        calls += [batcher("x") for _ in range(32 - batcher.statistics().waiting)]
        assert batcher.statistics().rejected == 0
        with pytest.raises(Overloaded) as refusal:
            await batcher("x" * rows)
        wait = refusal.value.retry_after
        assert wait > 0.001
        moment = now()
        await asyncio.sleep(wait - 1e-6)
        with pytest.raises(Overloaded) as again:            # a microsecond too early
            await batcher("x" * rows)
        assert again.value.retry_after == pytest.approx(1e-6, rel=0.01)
        await asyncio.sleep(again.value.retry_after)
        assert now() == pytest.approx(moment + wait)
        assert await batcher("x" * rows) == ("answer", "x" * rows)
        await asyncio.gather(*calls)
    batched(scenario, max_batch_size=8, max_queue=32, rows=len, workers=workers, linger=linger)


def test_retry_after_counts_those_whose_own_time_is_up_before():
    async def scenario(batcher, model):
        await batcher(0)
        running = batcher(1)
        await asyncio.sleep(0.1)
        calls = [batcher(2, timeout=0.5), batcher(3)]
        with pytest.raises(Overloaded) as refusal:
            await batcher(4)
        assert refusal.value.retry_after == pytest.approx(0.5)
        await asyncio.sleep(refusal.value.retry_after)
        calls += [batcher(4), running]
        assert [type(each) for each in await outcomes(calls)] == [DeadlineExceeded, tuple, tuple, tuple]
    batched(scenario, Model(b=10.0), max_queue=2)


def test_retry_after_is_zero_where_a_free_worker_is_about_to_take_the_queue():
    async def scenario(batcher, _):
        calls = [batcher(item) for item in range(6)]
        with pytest.raises(Overloaded) as refusal:
            await batcher("too many")
        assert refusal.value.retry_after < 1e-6
        await asyncio.gather(*calls)
    batched(scenario, max_batch_size=4, max_queue=6)


def test_before_anything_is_known_of_the_service_time_retry_after_is_a_guess_that_grows():
    async def scenario(batcher, model):
        async with occupied(batcher, model, seconds=1.0):
            batcher(1)
            waits = []
            for _ in range(3):
                with pytest.raises(Overloaded) as refusal:
                    await batcher(2)
                waits.append(refusal.value.retry_after)
                await asyncio.sleep(0.2)
        assert 0 < waits[0] < waits[1] < waits[2] == pytest.approx(0.4)
    batched(scenario, max_queue=1)


@pytest.mark.parametrize("options", [{}, {"slo": 24.0}, {"slo": 24.0, "workers": 2}], ids=repr)
def test_an_hour_of_three_times_what_it_can_do_leaves_memory_flat(options):
    """A slow model, so that the hour is over soon: T(n) = 4 s + 200 ms·n, 10/s offered."""
    async def main():
        random_ = random.Random(1)
        model = Model(b=4.0, a=0.2)
        async with Batcher(model, max_batch_size=40, max_queue=200, **options) as batcher:
            async def load(until):
                while now() < until:
                    for _ in range(16):
                        batcher(0, key=random_.randrange(2), timeout=random_.choice([None, 30.0]))
                    model.batches.clear(), model.starts.clear()
                    await asyncio.sleep(1.6)
                gc.collect()
                return len(gc.get_objects())
            early, late = await load(900), await load(3600)
            statistics = add_up(batcher)
            assert statistics.rejected > 15_000 and statistics.admitted > 5_000
            assert late - early < 1000
    run(main)
