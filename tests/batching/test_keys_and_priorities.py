"""Who goes first, and who never meets."""

import asyncio
import random

import numpy as np
import pytest

from .model import Model, batched, occupied, outcomes


def test_higher_priority_goes_first():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(item, priority=item % 3) for item in range(9)]
        await asyncio.gather(*calls)
        assert model.batches[1:] == [[2, 5, 8], [1, 4, 7], [0, 3, 6]]
    batched(scenario, max_batch_size=3)


def test_higher_priority_goes_first_across_keys_too():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(("a", 0), key="a"), batcher(("b", 0), key="b"), batcher(("c", 5), key="c", priority=5),
                     batcher(("d", 1), key="d", priority=1)]
        await asyncio.gather(*calls)
        assert model.batches[1:] == [[("c", 5)], [("d", 1)], [("a", 0)], [("b", 0)]]
    batched(scenario)


def test_a_batch_is_filled_with_lower_priorities_of_the_same_key():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher("low", key="a"), batcher("other", key="b"), batcher("high", key="a", priority=1)]
        await asyncio.gather(*calls)
        assert model.batches[1:] == [["high", "low"], ["other"]]
    batched(scenario)


def test_equal_priorities_are_served_in_order_of_arrival():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(item, priority=7) for item in range(50)]
        await asyncio.gather(*calls)
        assert model.seen[1:] == list(range(50))
    batched(scenario, max_batch_size=8)


@pytest.mark.parametrize("priority", [-1, 0.5, 10**9, float("inf"), np.int64(3), np.float32(0.5)])
def test_any_number_is_a_priority(priority):
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher("usual"), batcher("other", priority=priority)]
        await asyncio.gather(*calls)
        assert model.seen[1:] == (["usual", "other"] if priority < 0 else ["other", "usual"])
    batched(scenario, max_batch_size=1)


@pytest.mark.parametrize("priority", ["high", None, float("nan"), [1]])
def test_what_cannot_be_compared_is_no_priority(priority):
    async def scenario(batcher, _):
        with pytest.raises(TypeError, match="priority must be a number"):
            await batcher(1, priority=priority)
    batched(scenario)


@pytest.mark.parametrize("seed", range(5))
def test_requests_with_different_keys_are_never_in_one_batch(seed):
    async def scenario(batcher, model):
        random_ = random.Random(seed)
        calls = []
        for number in range(500):
            key = random_.choice(["a", "b", None, 3])
            calls.append(batcher((key, number), key=key, priority=random_.randrange(2)))
            await asyncio.sleep(random_.expovariate(1000))
        await outcomes(calls)
        assert all(len({key for key, _ in batch}) == 1 for batch in model.batches)
        assert sorted(number for _, number in model.seen) == list(range(500))
    batched(scenario, max_batch_size=8, workers=2)


def test_keys_take_turns():
    """A key with much work does not starve one with little: each batch is followed by one of the other."""
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher("a", key="a") for _ in range(16)] + [batcher("b", key="b") for _ in range(8)]
        await asyncio.gather(*calls)
        assert [batch[0] for batch in model.batches[1:]] == ["a", "b", "a", "b", "a", "a"]
    batched(scenario, max_batch_size=4)


def test_a_key_that_comes_again_and_again_waits_behind_one_that_has_waited():
    async def scenario(batcher, model):
        order = []

        async def greedy():
            for _ in range(10):
                await batcher("greedy", key="greedy")
        async with occupied(batcher, model):
            tasks = [asyncio.create_task(greedy()) for _ in range(4)]
            await asyncio.sleep(0.1)
            patient = [batcher("patient", key=number) for number in range(3)]
        await asyncio.gather(*tasks, *patient)
        order = [batch[0] for batch in model.batches[1:]]
        assert order[:4] == ["greedy", "patient", "patient", "patient"]
    batched(scenario)


def test_a_thousand_keys_leave_nothing_behind():
    async def scenario(batcher, model):
        await outcomes(batcher(number, key=number, priority=number % 7) for number in range(1000))
        queue = batcher._engine.queue
        assert (len(queue), queue.rows, queue.lines, queue._turns, queue._order) == (0, 0, 0, {}, [])
    batched(scenario, Model(b=0.001, a=0))


def test_a_key_must_be_hashable_and_a_bad_one_hurts_nobody():
    async def scenario(batcher, _):
        with pytest.raises(TypeError, match="unhashable"):
            await batcher(1, key=["a list"])
        assert await batcher(2) == ("answer", 2)
        assert batcher.statistics().admitted == 1
    batched(scenario)
