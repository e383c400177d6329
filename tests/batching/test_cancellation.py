"""Callers who leave: nobody else is hurt, and what had not begun never begins."""

import asyncio
import random

import pytest

from asyncpatterns import Batcher
from asyncpatterns.testing import run

from .model import Model, add_up, batched, now, occupied, outcomes, tick


def test_a_caller_cancelled_while_queued_never_reaches_the_function():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            tasks = [asyncio.ensure_future(batcher(item)) for item in range(6)]
            await tick()
            tasks[2].cancel(), tasks[5].cancel()
        results = await outcomes(tasks)
        assert model.batches[1:] == [[0, 1, 3, 4]]
        assert [isinstance(result, asyncio.CancelledError) for result in results] == [False, False, True] * 2
        assert batcher.statistics().cancelled == 2
    batched(scenario)


@pytest.mark.parametrize("ticks", range(4))
@pytest.mark.parametrize("how", ["direct", "task of a caller"])
def test_cancelled_within_the_first_ticks_it_runs_entirely_or_not_at_all(ticks, how):
    async def scenario(batcher, model):
        async def caller(item):
            return await batcher(item)
        tasks = [asyncio.create_task(batcher(item) if how == "direct" else caller(item)) for item in range(4)]
        await tick(ticks)
        tasks[1].cancel()
        results = await outcomes(tasks)
        assert [results[i] for i in (0, 2, 3)] == [("answer", i) for i in (0, 2, 3)]
        assert isinstance(results[1], asyncio.CancelledError)
        if ticks <= 1:
            assert 1 not in model.seen
        assert batcher.statistics().cancelled == (1 if how == "direct" or ticks else 0)
    batched(scenario)


def test_cancelled_in_the_tick_in_which_the_batch_is_sealed_it_is_not_in_it():
    async def scenario(batcher, model):
        async with occupied(batcher, model, seconds=1.0):
            tasks = [asyncio.create_task(batcher(item)) for item in range(3)]
            await asyncio.sleep(1.0)        # wakes in the moment in which the worker becomes free
            tasks[1].cancel()
        await outcomes(tasks)
        assert model.batches[1:] == [[0, 2]]
    batched(scenario)


def test_cancelled_while_its_batch_runs_its_mates_notice_nothing():
    async def scenario(batcher, model):
        tasks = [asyncio.create_task(batcher(item)) for item in range(4)]
        await asyncio.sleep(0.005)
        tasks[1].cancel()
        results = await outcomes(tasks)
        assert [results[i] for i in (0, 2, 3)] == [("answer", i) for i in (0, 2, 3)]
        assert now() == pytest.approx(0.012)
        statistics = batcher.statistics()
        assert (statistics.cancelled, statistics.answered) == (1, 3)
    batched(scenario)


def test_a_whole_batch_that_was_cancelled_while_it_ran_is_no_problem():
    async def scenario(batcher, _):
        tasks = [asyncio.create_task(batcher(item)) for item in range(3)]
        await asyncio.sleep(0.005)
        for task in tasks:
            task.cancel()
        await outcomes(tasks)
        assert await batcher("next") == ("answer", "next")
    batched(scenario)


def test_a_cancelled_gather_takes_all_its_requests_out_of_the_queue():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            gathered = asyncio.gather(*(batcher(item) for item in range(10)))
            gathered.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gathered
            assert batcher.statistics().waiting == 0
        assert model.seen == ["occupies the worker"]
    batched(scenario)


def test_wait_for_and_timeout_take_the_request_out_of_the_queue():
    async def scenario(batcher, model):
        async with occupied(batcher, model, seconds=1.0):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(batcher(1), 0.1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await batcher(2)
            assert batcher.statistics().cancelled == 2
        assert model.seen == ["occupies the worker"]
    batched(scenario)


def test_a_call_can_be_cancelled_by_hand():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            call = batcher(1)
            assert call.cancel() is True and call.cancel() is False and call.done()
            with pytest.raises(asyncio.CancelledError):
                await call
            unsent = batcher(2)
            unsent.close()
        assert model.seen == ["occupies the worker"]
    batched(scenario)


def test_a_cancelled_caller_makes_room_for_another():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            tasks = [asyncio.create_task(batcher(item)) for item in range(3)]
            await tick()
            tasks[0].cancel()
            await tick()
            late = batcher("late")
        assert await late == ("answer", "late")
        await outcomes(tasks)
    batched(scenario, max_queue=3)


@pytest.mark.parametrize("seed", range(3))
def test_a_cancel_storm_hurts_nobody_else(seed):
    """A random half of 10,000 callers leaves at random moments."""
    async def scenario(batcher, model):
        random_ = random.Random(seed)
        began, cancelled = set(), set()
        model.look = lambda: began.update(model.batches[-1])

        async def caller(item):
            return await batcher(item, key=random_.randrange(2))

        async def storm(item, task):
            await asyncio.sleep(random_.uniform(0, 0.05))
            if item not in began and not task.done():
                cancelled.add(item)
            task.cancel()
        tasks, storms = [], []
        for item in range(10_000):
            tasks.append(asyncio.create_task(caller(item)))
            if random_.random() < 0.5:
                storms.append(asyncio.create_task(storm(item, tasks[-1])))
            if item % 10 == 0:
                await asyncio.sleep(0.004)
        results = await outcomes(tasks)
        await outcomes(storms)
        assert not cancelled & set(model.seen)
        assert len(model.seen) == len(set(model.seen))
        stormed = {item for item, result in enumerate(results) if isinstance(result, asyncio.CancelledError)}
        assert 1000 < len(stormed) <= len(storms)
        assert all(results[item] == ("answer", item) for item in set(range(10_000)) - stormed)
    batched(scenario, max_batch_size=32)


def test_those_who_leave_a_stuck_queue_leave_nothing_behind():
    async def main():
        model = Model(b=1e6)
        batcher = Batcher(model)
        batcher("stuck for days")
        await tick(3)
        for _ in range(5000):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(batcher("gone"), 0.1)
        level = batcher._engine.queue.line(None)
        assert level is None
        stayer = batcher("stays")
        for _ in range(5000):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(batcher("gone"), 0.1)
        assert len(batcher._engine.queue.line(None).levels[0].places) < 100
        assert add_up(batcher).cancelled == 10_000
        assert not stayer.done()
    run(main)
