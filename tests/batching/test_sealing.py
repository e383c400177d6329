"""When a batch is sealed, and what is in it."""

import asyncio
import random

import pytest

from asyncpatterns import Batcher
from asyncpatterns.testing import run

from .model import Model, batched, now, occupied, outcomes, tick


def test_calls_made_in_one_tick_share_a_batch():
    async def scenario(batcher, model):
        await asyncio.gather(*(batcher(item) for item in range(20)))

        async def caller(item):
            return await batcher(item)
        await asyncio.gather(*(caller(item) for item in range(20)))
        assert model.sizes == [20, 20]
    batched(scenario)


def test_requests_that_arrive_while_the_last_batch_runs_are_together_in_the_next():
    async def scenario(batcher, model):
        calls = []
        for item in range(11):
            calls.append(batcher(item))
            await asyncio.sleep(0.001)
        await asyncio.gather(*calls)
        assert model.batches == [[0], list(range(1, 11))]
        assert model.starts == [0.0, pytest.approx(0.0105)]
    batched(scenario)


def test_a_batch_is_sealed_only_when_a_worker_takes_it():
    """Those that come in the last moment before the worker is free are still in."""
    async def scenario(batcher, model):
        async with occupied(batcher, model, seconds=1.0):
            early = batcher("early")
            await asyncio.sleep(0.999)
            late = batcher("late")
        await asyncio.gather(early, late)
        assert model.batches[1:] == [["early", "late"]]
    batched(scenario)


def test_a_lone_request_of_an_idle_batcher_runs_at_once():
    async def scenario(batcher, model):
        await asyncio.sleep(5)
        await batcher(1)
        assert model.starts == [5.0] and now() == pytest.approx(5.0105)
    batched(scenario)


def test_an_idle_batcher_has_no_timer_and_no_wake_up():
    async def main():
        loop = asyncio.get_running_loop()
        async with Batcher(Model(), slo=1.0, linger=0.01) as batcher:
            for _ in range(3):
                await outcomes(batcher(item, timeout=0.5) for item in range(3))
            await tick(3)
            assert [timer for timer in loop._scheduled if not timer.cancelled()] == []
            assert not loop._ready
    run(main)


def test_a_batch_has_at_most_max_batch_size_items_in_order_of_arrival():
    async def scenario(batcher, model):
        await outcomes(batcher(item) for item in range(10))
        assert model.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    batched(scenario, max_batch_size=4)


def test_idle_workers_get_their_share():
    async def scenario(batcher, model):
        await outcomes(batcher(item) for item in range(10))
        assert model.sizes == [4, 3, 3] and model.starts == [0, 0, 0]
    batched(scenario, workers=3)


def test_workers_that_become_free_in_the_same_moment_share_what_waits():
    async def scenario(batcher, model):
        first = [batcher(item) for item in range(4)]
        await tick(3)
        assert model.sizes == [2, 2]
        await outcomes([*first, *(batcher(item) for item in range(4, 20))])
        assert model.sizes == [2, 2, 8, 8]
    batched(scenario, workers=2)


def test_a_worker_that_is_free_alone_takes_all_it_may():
    async def scenario(batcher, model):
        long = batcher("long")
        await tick(3)
        model.b = 0.01
        await outcomes(batcher(item) for item in range(5))
        await long
        assert model.sizes == [1, 5]
    batched(scenario, Model(b=1.0, a=0.0), workers=2)


def test_with_a_queue_for_each_idle_worker_no_queue_is_split():
    async def scenario(batcher, model):
        await outcomes([*(batcher(item, key="a") for item in range(9)), batcher("z", key="b")])
        assert model.sizes == [9, 1] and model.starts == [0, 0]
    batched(scenario, workers=2)


def test_the_worker_gets_its_next_batch_before_the_callers_of_the_last_are_told():
    """A caller that takes its time with the answer does not keep the worker waiting."""
    async def scenario(batcher, model):
        async def caller(item):
            await batcher(item)
            told.append((item, len(model.batches)))
        told = []
        tasks = [asyncio.create_task(caller(item)) for item in range(6)]
        await outcomes(tasks)
        assert told == [(0, 2), (1, 2), (2, 3), (3, 3), (4, 3), (5, 3)]
    batched(scenario, max_batch_size=2)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_ever_waits_while_a_worker_is_free(seed):
    """Work conservation: without linger, at each moment either all workers are busy or nothing waits."""
    async def scenario(batcher, model):
        random_ = random.Random(seed)
        calls = []
        for _ in range(300):
            calls.append(batcher(0))
            await asyncio.sleep(random_.expovariate(300))
            await tick(3)
            statistics = batcher.statistics()
            assert not statistics.waiting or len(batcher._engine.running) == 2
        await outcomes(calls)
    batched(scenario, workers=2, max_batch_size=8)
