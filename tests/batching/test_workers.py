"""The threads of a batcher: when they come and go, and what they do to the loop and to the virtual clock."""

import asyncio
import contextvars
import gc
import random
import subprocess
import sys
import threading
import time
from queue import SimpleQueue

import pytest

from asyncpatterns import Batcher, BatchFailed
from asyncpatterns.batching import workers
from asyncpatterns.testing import Deadlock, run

from .model import add_up, batched, now, outcomes, tick


def echo(items):
    return items


class Gate:
    """A plain function that says when it has been entered, and returns when it is let go."""

    def __init__(self, answer=echo):
        self.entered, self.go, self.answer = threading.Event(), threading.Event(), answer

    def __call__(self, items):
        self.entered.set()
        assert self.go.wait(60)
        return self.answer(items)

    async def until_entered(self):
        while not self.entered.is_set():        # noqa: ASYNC110    the clock stands still meanwhile
            await asyncio.sleep(0)


def threads(name):
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


def gone(name):
    for thread in threads(name):
        thread.join(60)
    return not threads(name)


# --- their lives ---


def test_a_thread_starts_with_the_first_call_of_its_worker_and_not_before():
    async def scenario(batcher, _):
        assert not threads("lazy")
        await batcher(1)
        assert [thread.name for thread in threads("lazy")] == ["lazy_0"]
        await asyncio.gather(*(batcher(item) for item in range(3)))
        assert sorted(thread.name for thread in threads("lazy")) == ["lazy_0", "lazy_1", "lazy_2"]
    batched(scenario, echo, workers=3, name="lazy")
    assert not threads("lazy")


def test_a_thousand_batchers_leave_no_thread():
    async def main():
        for number in range(1000):
            async with Batcher(echo, name="brief") as batcher:
                assert await batcher(number) == number
    run(main)
    assert not threads("brief")


def test_the_threads_of_a_batcher_that_was_forgotten_end_with_it():
    async def main():
        batcher = Batcher(echo, workers=2, name="forgotten")
        assert await asyncio.gather(batcher(1), batcher(2)) == [1, 2]
        assert len(threads("forgotten")) == 2
        del batcher
        await tick(3)
        gc.collect()
        assert gone("forgotten")
    run(main)


def test_a_sleeping_thread_refers_to_nothing_of_what_it_did():
    class Item:
        pass

    async def scenario(batcher, _):
        await batcher(Item())
        await tick(3)
        await asyncio.to_thread(time.sleep, 0.05)       # the thread is asleep by now
        gc.collect()
        assert not [item for item in gc.get_objects() if isinstance(item, Item)]
    batched(scenario, lambda items: [None] * len(items))


def test_a_thread_whose_function_ended_the_program_goes_on_with_the_next_batch():
    def function(items):
        if items == ["leave"]:
            sys.exit("no")
        return [threading.current_thread()]

    async def scenario(batcher, _):
        before = await batcher("who")
        with pytest.raises(BatchFailed):
            await batcher("leave")
        assert await batcher("who") is before
    batched(scenario, function)


def test_a_function_on_a_thread_sees_neither_the_batchers_nor_its_callers_context():
    variable = contextvars.ContextVar("variable", default="nobody")

    async def main():
        variable.set("batcher")
        async with Batcher(lambda items: [variable.get()] * len(items)) as batcher:
            variable.set("caller")
            assert await batcher(1) == "nobody"
    run(main)


# --- ends in the middle of a call ---


def test_a_batcher_that_is_given_up_during_a_call_answers_it_later_and_its_thread_ends():
    gate = Gate()

    async def main():
        batcher = Batcher(gate, name="given up")
        running = asyncio.ensure_future(batcher("runs"))
        await gate.until_entered()
        waiting = asyncio.ensure_future(batcher("waits"))
        await tick()

        async def leave():
            async with batcher:
                pass
        leaving = asyncio.create_task(leave())
        await tick()
        leaving.cancel()
        await outcomes([leaving, waiting])
        assert add_up(batcher).running == 1 and threads("given up")
        gate.go.set()
        assert await running == "runs"
        assert await asyncio.to_thread(gone, "given up")
    run(main)


def test_parts_of_a_failed_batch_that_run_after_the_end_leave_no_thread():
    def fails(items):
        raise ValueError("poisoned")
    gate = Gate(answer=fails)

    async def main():
        batcher = Batcher(gate, name="parts")
        calls = [asyncio.ensure_future(batcher(item)) for item in range(4)]
        await gate.until_entered()
        batcher._engine.abort()
        gate.go.set()
        assert {type(result) for result in await outcomes(calls)} == {ValueError}
        assert batcher.statistics().calls == 7
        assert await asyncio.to_thread(gone, "parts")
    run(main)


def test_when_the_loop_is_closed_during_a_call_the_thread_ends_without_a_word(monkeypatch):
    said = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    gate = Gate()
    loop = asyncio.new_event_loop()

    async def main():
        batcher = Batcher(gate, name="closed loop")
        batcher(1)
        await gate.until_entered()
    loop.run_until_complete(main())
    loop.close()
    gate.go.set()
    for _ in range(600):        # the call itself refers to the batcher until it is over
        gc.collect()
        if not threads("closed loop"):
            break
        time.sleep(0.01)
    assert not threads("closed loop") and not said


PROGRAM = """
import asyncio, time
from asyncpatterns import Batcher, BatchFailed

def function(items):
    time.sleep(0.3)
    print("the call is over")
    return items

async def main():
    batcher = Batcher(function)
    call = batcher(1)
    while not batcher.statistics().running:
        await asyncio.sleep(0.01)
    return batcher

kept = asyncio.run(main())
print("the loop is closed")
"""


def test_the_interpreter_does_not_end_in_the_middle_of_a_call():
    done = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM], capture_output=True, text=True,
                          timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the loop is closed\nthe call is over\n", "")


# --- the loop ---


def test_a_storm_of_cancels_hurts_nobody_else_on_threads_either():
    async def scenario(batcher, _):
        random_ = random.Random(7)
        tasks = [asyncio.ensure_future(batcher(item)) for item in range(2000)]
        doomed = set(random_.sample(range(2000), 1000))
        for item in sorted(doomed):
            if not random_.randrange(20):
                await asyncio.sleep(0)
            tasks[item].cancel()
        for item, result in enumerate(await outcomes(tasks)):
            assert result == item or item in doomed
        assert add_up(batcher).answered >= 1000
    batched(scenario, echo, workers=3, max_queue=2000)


def test_the_next_batch_has_begun_before_the_callers_of_the_last_get_their_turn(monkeypatch):
    class Drowsy(SimpleQueue):
        def get(self):
            call = super().get()
            time.sleep(0.002)       # long enough for the callers, if nobody waits
            return call
    monkeypatch.setattr(workers, "PATIENCE", 60.0)
    monkeypatch.setattr(workers, "SimpleQueue", Drowsy)
    seen = []

    async def scenario(batcher, _):
        async def caller(item):
            await batcher(item)
            seen.extend(thread._to_begin.locked() for thread in batcher._engine.workers._threads.values())
        await asyncio.gather(*(caller(item) for item in range(200)))
        assert len(seen) >= 200 and not any(seen)
    batched(scenario, echo, max_batch_size=8, max_queue=200)


def test_the_loop_does_not_wait_for_a_thread_that_cannot_begin(monkeypatch):
    released = threading.Event()

    class Slow(SimpleQueue):
        def get(self):
            call = super().get()
            assert released.wait(60)
            return call
    monkeypatch.setattr(workers, "SimpleQueue", Slow)

    async def scenario(batcher, _):
        first = asyncio.ensure_future(batcher(1))
        others = [asyncio.create_task(tick(20)) for _ in range(3)]      # the loop is not alone, so it waits a moment
        await asyncio.gather(*others)
        assert batcher.statistics().running == 1 and not first.done()
        released.set()
        assert await first == 1
    batched(scenario, echo)


def test_an_idle_batcher_is_asleep():
    async def main():
        async with Batcher(echo) as batcher:
            await batcher(1)
            before = time.process_time()
            await asyncio.to_thread(time.sleep, 0.3)
            assert time.process_time() - before < 0.1
    run(main)


# --- the virtual clock ---


def test_the_clock_stands_still_during_a_call_on_a_thread():
    async def main():
        async with Batcher(lambda items: time.sleep(0.05) or items) as batcher, asyncio.timeout(0.001):
            assert await asyncio.gather(batcher(1), asyncio.sleep(0), batcher(2)) == [1, None, 2]
        assert now() == 0
    run(main)


def test_a_call_on_a_thread_that_nobody_waits_for_holds_the_clock_too():
    async def main():
        async with Batcher(lambda items: time.sleep(0.05) or items) as batcher:
            call = batcher(1)
            await asyncio.sleep(1e-9)
            assert call.done()
            assert not asyncio.get_running_loop()._jobs
    run(main)


def test_a_function_on_a_thread_may_wait_for_virtual_time():
    async def main():
        loop = asyncio.get_running_loop()

        async def later(items):
            await asyncio.sleep(3600)
            return items
        async with Batcher(lambda items: asyncio.run_coroutine_threadsafe(later(items), loop).result()) as batcher:
            assert await batcher("done") == "done"
        assert now() == 3600
    run(main)


def test_a_function_on_a_thread_that_waits_for_what_never_comes_is_a_deadlock():
    async def main():
        loop = asyncio.get_running_loop()
        never = loop.create_future()

        async def wait():
            await never
        batcher = Batcher(lambda items: asyncio.run_coroutine_threadsafe(wait(), loop).result())
        try:
            await batcher(1)
        finally:
            never.set_result(None)
    with pytest.raises(Deadlock, match="call of <Batcher"):
        run(main)


def test_the_threads_of_an_idle_batcher_do_not_hide_a_deadlock():
    async def main():
        async with Batcher(echo, workers=2) as batcher:
            await asyncio.gather(batcher(1), batcher(2))
            await asyncio.get_running_loop().create_future()
    with pytest.raises(Deadlock):
        run(main)
