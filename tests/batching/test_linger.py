"""Waiting for company, where that is worth it."""

import asyncio

import pytest

from .model import Model, batched, now, occupied, outcomes


def test_linger_counts_from_the_first_arrival_when_the_worker_has_been_free():
    async def scenario(batcher, model):
        await asyncio.sleep(3)
        calls = [batcher(1)]
        await asyncio.sleep(0.06)
        calls.append(batcher(2))
        await asyncio.gather(*calls)
        assert model.batches == [[1, 2]] and model.starts == [pytest.approx(3.1)]
    batched(scenario, linger=0.1)


def test_linger_counts_from_the_freed_worker_when_requests_have_been_waiting():
    async def scenario(batcher, model):
        async with occupied(batcher, model, seconds=1.0):
            early = batcher("early")
            await asyncio.sleep(0.9)
        late = batcher("late")
        await asyncio.gather(early, late)
        assert model.batches[1:] == [["early", "late"]]
        assert model.starts[1] == pytest.approx(model.starts[0] + 1.0 + 0.1)
    batched(scenario, linger=0.1)


def test_a_full_batch_lingers_no_longer():
    async def scenario(batcher, model):
        calls = [batcher(1)]
        await asyncio.sleep(0.04)
        calls += [batcher(2), batcher(3)]
        await asyncio.gather(*calls)
        assert model.batches == [[1, 2, 3]] and model.starts == [pytest.approx(0.04)]
        assert batcher.statistics().sealed == {"full": 1}
    batched(scenario, linger=0.1, max_batch_size=3)


def test_a_full_batch_of_one_key_does_not_wait_for_the_linger_of_another():
    async def scenario(batcher, model):
        calls = [batcher("a", key="a")]
        await asyncio.sleep(0.02)
        calls += [batcher(item, key="b") for item in range(3)]
        await asyncio.gather(*calls)
        assert model.batches == [[0, 1, 2], ["a"]]
        assert model.starts == [pytest.approx(0.02), pytest.approx(0.02 + 0.0115 + 0.1)]
    batched(scenario, linger=0.1, max_batch_size=3)


def test_what_is_lingered_for_can_be_cancelled_without_a_trace():
    async def scenario(batcher, model):
        task = asyncio.create_task(batcher("gone"))
        await asyncio.sleep(0.05)
        task.cancel()
        await outcomes([task])
        assert batcher._engine._wake is None
        await asyncio.sleep(1)
        await batcher("next")
        assert model.batches == [["next"]] and model.starts == [pytest.approx(1.15)]
    batched(scenario, linger=0.1)


def test_draining_lingers_for_nobody():
    async def scenario(batcher, model):
        call = batcher(1)
        await asyncio.sleep(0.01)
        await batcher.drain()
        assert await call == ("answer", 1) and model.starts == [pytest.approx(0.01)]
    batched(scenario, linger=10.0)


def test_a_timeout_that_is_shorter_than_the_linger_still_holds():
    async def scenario(batcher, model):
        with pytest.raises(TimeoutError):
            await batcher(1, timeout=0.02)
        assert now() == pytest.approx(0.02) and model.batches == []
    batched(scenario, linger=0.1)


@pytest.mark.parametrize("linger", [0.001, 0.005])
def test_eight_synchronous_callers_get_nine_tenths_of_what_full_batches_would_give(linger):
    async def scenario(batcher, model):
        async def caller(number):
            await asyncio.sleep(0.013 * number)     # they begin at different times
            while now() < 60:
                await batcher(number)
                await asyncio.sleep(0.0001)         # and take a moment between two requests
        await asyncio.gather(*(caller(number) for number in range(8)))
        return batcher.statistics().answered / now()
    rate = batched(scenario, Model(b=0.050, a=0.0001), linger=linger)
    assert rate >= 0.90 * 8 / (0.050 + 0.0001 * 8)


def test_without_linger_the_same_eight_callers_halve_each_others_throughput():
    """The weakness of greedy batching that `linger` is for: batches of 1, 7, 1, 7."""
    async def scenario(batcher, model):
        async def caller(number):
            await asyncio.sleep(0.013 * number)
            while now() < 20:
                await batcher(number)
                await asyncio.sleep(0.0001)
        await asyncio.gather(*(caller(number) for number in range(8)))
        return batcher.statistics().answered / now()
    rate = batched(scenario, Model(b=0.050, a=0.0001))
    assert rate < 0.6 * 8 / (0.050 + 0.0001 * 8)
