"""Numbers that always add up."""

import asyncio
import random

import pytest

from asyncpatterns.batching.statistics import Quantiles

from .model import Model, add_up, batched, occupied, outcomes


def test_the_counts_are_those_of_the_contract():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            tasks = [asyncio.create_task(batcher(item)) for item in range(3)]
            expiring = asyncio.ensure_future(batcher("late", timeout=0.1))
            await asyncio.sleep(0.05)
            s = add_up(batcher)
            assert (s.admitted, s.waiting, s.running, s.rejected) == (5, 4, 1, 0)
            tasks[0].cancel()
            rejected = [asyncio.ensure_future(batcher(item)) for item in range(3)]
            await asyncio.sleep(0.1)
        await outcomes([*tasks, expiring, *rejected])
        s = add_up(batcher)
        assert (s.admitted, s.answered, s.expired, s.cancelled, s.rejected, s.failed) == (5, 3, 1, 1, 3, 0)
        assert (s.batches, s.padding, s.sizes) == (2, 0, {1: 1, 2: 1})
    batched(scenario, max_queue=4)


def test_it_says_why_each_batch_was_sealed():
    async def scenario(batcher, model):
        await batcher("idle")
        async with occupied(batcher, model):
            calls = [batcher(item) for item in range(7)]
        await outcomes(calls)
        assert batcher.statistics().sealed == {"idle": 2, "full": 1, "freed": 1}
    batched(scenario, max_batch_size=4)


def test_quantiles_of_delay_and_service_and_the_fitted_line():
    async def scenario(batcher, model):
        for size in (1, 5, 10):
            await outcomes(batcher(0) for _ in range(size))
        s = batcher.statistics()
        assert (s.b, s.a) == (pytest.approx(0.010), pytest.approx(0.0005))
        async with occupied(batcher, model, seconds=0.02):
            call = batcher(1)
        await call
        s = batcher.statistics()
        assert s.queue_delay.p50 == 0 and s.queue_delay.max == pytest.approx(0.02)
        assert s.service_time.max == pytest.approx(0.02) and s.service_time.p50 == pytest.approx(0.0125)
    batched(scenario)


def test_the_quantiles_are_nearest_rank():
    assert Quantiles.of(range(1, 101)) == Quantiles(50, 90, 99, 100)
    assert Quantiles.of([3.0]) == Quantiles(3.0, 3.0, 3.0, 3.0) and Quantiles.of([]) == Quantiles()


@pytest.mark.parametrize("plain", [True, False])
def test_they_add_up_inside_the_function_in_callbacks_and_in_the_middle_of_a_bisection(plain):
    looks = []

    def look():
        looks.append(add_up(holder[0]))
    holder = []

    def function(items):
        look()
        if any(item % 10 == 3 for item in items):
            raise ValueError("poison")
        return items

    async def scenario(batcher, _):
        holder.append(batcher)
        random_ = random.Random(1)
        tasks = []
        for item in range(200):
            task = asyncio.ensure_future(batcher(item))
            task.add_done_callback(lambda _: look())
            tasks.append(task)
            if random_.random() < 0.2:
                random_.choice(tasks).cancel()
            if random_.random() < 0.2:
                await asyncio.sleep(0)
                look()
        await outcomes(tasks)

    async def async_function(items):
        await asyncio.sleep(0)
        return function(items)
    batched(scenario, function if plain else async_function, max_batch_size=16, workers=2)
    assert len(looks) > 200 and any(s.running and s.failed for s in looks)


def test_they_can_be_read_as_a_sentence():
    async def scenario(batcher, _):
        await batcher(1)
        text = str(batcher.statistics())
        assert text.startswith("1 admitted = 1 answered + 0 failed + 0 expired + 0 cancelled + 0 waiting + 0 running")
    batched(scenario)


def test_a_long_life_makes_them_no_larger():
    async def scenario(batcher, _):
        for _ in range(3000):
            await outcomes([batcher(0), batcher(1)])
        ledger = batcher._engine.ledger
        assert len(ledger.delays) == 4096 and len(ledger.times) == 1024
    batched(scenario, Model(b=0.0001))
