"""The end: nothing new, everything admitted is answered."""

import asyncio
import subprocess
import sys
import threading

import pytest

from asyncpatterns import Batcher, BatcherClosed
from asyncpatterns.testing import run

from .model import Model, add_up, batched, now, occupied, outcomes, tick


def test_leaving_the_block_answers_all_admitted_and_refuses_new_requests():
    async def main():
        async with Batcher(Model(), max_batch_size=4) as batcher:
            calls = [batcher(item) for item in range(10)]
        assert now() == pytest.approx(0.012 + 0.012 + 0.011)
        assert [await call for call in calls] == [("answer", item) for item in range(10)]
        with pytest.raises(BatcherClosed):
            await batcher(1)
        assert batcher.closed and add_up(batcher).rejected == 1
        await batcher.drain()       # again does no harm
    run(main)


def test_the_block_answers_all_admitted_also_when_it_is_left_with_an_exception():
    async def main():
        with pytest.raises(ZeroDivisionError):
            async with Batcher(Model()) as batcher:
                call = batcher(1)
                1 / 0  # noqa: B018
        assert await call == ("answer", 1)
    run(main)


def test_drain_refuses_from_its_call_on():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            waiting = batcher(1)
            draining = asyncio.create_task(batcher.drain())
            await tick()
            with pytest.raises(BatcherClosed, match="takes no more requests"):
                await batcher(2)
            assert not draining.done()
        assert await waiting == ("answer", 1)
        await draining
    batched(scenario)


def test_a_drain_that_takes_too_long_loses_nothing():
    async def scenario(batcher, model):
        async with occupied(batcher, model, seconds=1.0):
            waiting = batcher(1)
            start = now()
            with pytest.raises(TimeoutError):
                await batcher.drain(timeout=0.25)
            assert now() == start + 0.25 and batcher.statistics().waiting == 1
            task = asyncio.create_task(batcher.drain())
            await tick()
            task.cancel()
            await outcomes([task])
        await batcher.drain(timeout=5.0)
        assert await waiting == ("answer", 1)
    batched(scenario)


def test_several_may_wait_for_the_end():
    async def scenario(batcher, _):
        call = batcher(1)
        await asyncio.gather(*(batcher.drain() for _ in range(3)))
        assert call.done()
    batched(scenario)


def test_those_who_wait_for_the_end_are_told_in_the_order_in_which_they_asked():
    async def scenario(batcher, _):
        told = []

        async def waits(number):
            await batcher.drain()
            told.append(number)
        call = batcher(1)
        await asyncio.gather(call, *(waits(number) for number in range(100)))
        assert told == list(range(100))
    batched(scenario)


def test_batches_that_are_given_up_are_cancelled_in_the_order_in_which_they_started():
    async def main():
        cancelled = []

        async def function(items):
            try:
                await asyncio.sleep(100)
            finally:
                cancelled.append(items[0])

        async def block():
            async with Batcher(function, workers=100, max_batch_size=1, max_queue=100) as batcher:
                for number in range(100):
                    batcher(number)
                await asyncio.sleep(1)
        task = asyncio.create_task(block())
        await asyncio.sleep(2)
        task.cancel()
        await outcomes([task])
        await tick()
        assert cancelled == list(range(100))
    run(main)


def test_leaving_an_idle_or_unused_batcher_takes_no_time():
    async def main():
        async with Batcher(Model()):
            pass
        batcher = Batcher(Model())
        await batcher.drain()
        assert now() == 0
    run(main)


def test_a_closed_batcher_cannot_be_entered_again():
    async def main():
        batcher = Batcher(Model())
        async with batcher:
            pass
        with pytest.raises(BatcherClosed):
            async with batcher:
                pass
    run(main)


def test_when_leaving_is_itself_cancelled_nobody_hangs():
    async def main():
        batcher = Batcher(Model(b=100.0))

        async def block():
            async with batcher:
                calls.extend(asyncio.ensure_future(batcher(item)) for item in range(3))
                await tick(4)
                calls.append(asyncio.ensure_future(batcher("waits")))
        calls = []
        task = asyncio.create_task(block())
        await asyncio.sleep(1)
        task.cancel()
        assert isinstance((await outcomes([task]))[0], asyncio.CancelledError)
        results = await outcomes(calls)
        assert all(isinstance(result, RuntimeError) for result in results) and type(results[3]) is BatcherClosed
        assert now() == 1
        add_up(batcher)
    run(main)


@pytest.mark.parametrize("timeout, error", [(-1, ValueError), ("x", TypeError), (float("inf"), ValueError)])
def test_a_bad_timeout_of_drain_is_refused_with_a_sentence(timeout, error):
    async def scenario(batcher, _):
        with pytest.raises(error, match="timeout must be"):
            await batcher.drain(timeout)
        assert not batcher.closed
    batched(scenario)


def test_no_thread_is_left_when_the_block_is_left():
    async def scenario(batcher, _):
        await outcomes(batcher(item) for item in range(10))
        assert threading.active_count() > before
    before = threading.active_count()
    batched(scenario, lambda items: items, workers=3, max_batch_size=2)
    assert threading.active_count() == before


def test_a_forgotten_batcher_does_not_keep_the_interpreter_from_ending():
    program = ("import asyncio\n"
               "from asyncpatterns import Batcher\n"
               "async def main():\n"
               "    batcher = Batcher(lambda items: items, workers=2)\n"
               "    print(await batcher(1))\n"
               "    batcher(2)\n"
               "    return batcher\n"
               "kept = asyncio.run(main())\n")
    done = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", program], capture_output=True, text=True,
                          timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
