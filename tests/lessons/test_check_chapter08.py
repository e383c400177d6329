"""The checks of chapter 08: the solution passes, and each way to get it wrong has a hint of its own."""

import asyncio
import math
from collections import deque

import pytest

from asyncpatterns.lessons.check import chapter08 as check


class Inbox:
    """A queue as a channel offers it, so that these tests need nothing else."""

    def __init__(self, limit=math.inf):
        self.items, self.limit, self.news = deque(), limit, asyncio.Event()

    def put(self, item):
        if len(self.items) >= self.limit:
            raise RuntimeError("full")
        self.items.append(item)
        self.news.set()

    async def get(self):
        while not self.items:
            self.news.clear()
            await self.news.wait()
        return self.items.popleft()


class Solution:
    def __init__(self, function, max_batch_size=64, max_queue=math.inf):
        self.function, self.max_batch_size = function, max_batch_size
        self.inbox = Inbox(max_queue)
        self.task = asyncio.get_running_loop().create_task(self.run())

    async def __call__(self, item):
        reply = asyncio.get_running_loop().create_future()
        self.inbox.put((item, reply))
        return await reply

    async def run(self):
        while True:
            batch = [await self.inbox.get()]
            while self.inbox.items and len(batch) < self.max_batch_size:
                batch.append(self.inbox.items.popleft())
            await self.serve(batch)

    async def serve(self, batch):
        batch = self.take(batch)
        if not batch:
            return
        try:
            results = await self.compute([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError("wrong number of results")
        except Exception as error:
            await self.failed(batch, error)
        else:
            self.reply(batch, results)

    def take(self, batch):
        return [(item, reply) for item, reply in batch if not reply.done()]

    async def compute(self, items):
        return await asyncio.to_thread(self.function, items)

    async def failed(self, batch, error):
        if len(batch) == 1 or not isinstance(error, ValueError):
            for _, reply in batch:
                reply.done() or reply.set_exception(error)
        else:
            await self.serve(batch[: len(batch) // 2])
            await self.serve(batch[len(batch) // 2 :])

    def reply(self, batch, results):
        for (_, reply), result in zip(batch, results, strict=True):
            if not reply.done():
                reply.set_result(result)


class OneByOne(Solution):
    async def run(self):
        while True:
            await self.serve([await self.inbox.get()])


class NoLimit(Solution):
    async def run(self):
        while True:
            batch = [await self.inbox.get()]
            while self.inbox.items:
                batch.append(self.inbox.items.popleft())
            await self.serve(batch)


class WaitsForFull(Solution):
    async def run(self):
        while True:
            await self.serve([await self.inbox.get() for _ in range(self.max_batch_size)])


class Lingers(Solution):
    async def compute(self, items):
        await asyncio.sleep(0.005)
        return await super().compute(items)


class SealsEarly(Solution):
    """Collects the next batch while the model is still busy with the one before."""

    async def serve(self, batch):
        self.busy = getattr(self, "busy", None) or asyncio.Lock()
        self.helper = asyncio.get_running_loop().create_task(self.in_turn(batch))

    async def in_turn(self, batch):
        async with self.busy:
            await super().serve(batch)


class AllAtOnce(Solution):
    async def serve(self, batch):
        self.helpers = [*getattr(self, "helpers", []), asyncio.get_running_loop().create_task(super().serve(batch))]


class Blocks(Solution):
    async def compute(self, items):
        return self.function(items)


class AwaitsTheFunction(Solution):
    async def __call__(self, item):
        return (await self.function([item]))[0]


class SetsWhatIsDone(Solution):
    def reply(self, batch, results):
        for (_, reply), result in zip(batch, results, strict=True):
            reply.set_result(result)


class WorksForNobody(Solution):
    def take(self, batch):
        return batch


class ShiftsAnswers(WorksForNobody):
    def reply(self, batch, results):
        alive = [reply for _, reply in batch if not reply.done()]
        for reply, result in zip(alive, results, strict=False):
            reply.set_result(result)


class MixesUp(Solution):
    def reply(self, batch, results):
        super().reply(batch, list(results)[::-1])


class Zips(Solution):
    async def serve(self, batch):
        results = await self.compute([item for item, _ in batch])
        for (_, reply), result in zip(batch, results, strict=False):
            reply.set_result(result)


class ZipsStrictly(Solution):
    async def serve(self, batch):
        results = await self.compute([item for item, _ in batch])
        self.reply(batch, results)


class CatchesOutside(Solution):
    async def run(self):
        try:
            await super().run()
        except RuntimeError:
            return


class HandsOutFirst(Solution):
    async def serve(self, batch):
        results = await self.compute([item for item, _ in batch])
        for (_, reply), result in zip(batch, results, strict=False):
            reply.set_result(result)
        for _, reply in batch[len(results) :]:
            reply.set_exception(RuntimeError("short"))


class FailsAll(Solution):
    async def failed(self, batch, error):
        for _, reply in batch:
            reply.done() or reply.set_exception(error)


class SwallowsFailures(Solution):
    async def failed(self, batch, error):
        for _, reply in batch:
            reply.done() or reply.set_result(None)


class NeverRefuses(Solution):
    def __init__(self, function, max_batch_size=64, max_queue=math.inf):
        super().__init__(function, max_batch_size)


class NoSuchParameter(Solution):
    def __init__(self, function, max_batch_size=64):
        super().__init__(function, max_batch_size)


class RefusesAll(Solution):
    def __init__(self, function, max_batch_size=64, max_queue=math.inf):
        super().__init__(function, max_batch_size, 1)


class AsksOnArrival(WorksForNobody):
    async def __call__(self, item):
        reply = asyncio.get_running_loop().create_future()
        if not reply.done():
            self.inbox.put((item, reply))
        return await reply


class CallsWithNothing(Solution):
    async def serve(self, batch):
        results = await self.compute([item for item, reply in batch if not reply.done()])
        self.reply([(item, reply) for item, reply in batch if not reply.done()], results)


class StopsWhenNobodyIsLeft(Solution):
    async def run(self):
        while True:
            batch = [await self.inbox.get()]
            while self.inbox.items and len(batch) < self.max_batch_size:
                batch.append(self.inbox.items.popleft())
            if all(reply.done() for _, reply in batch):
                return
            await self.serve(batch)


class Forgets(Solution):
    def reply(self, batch, results):
        super().reply(batch[:1], results[:1])


class Busy(Solution):
    async def __call__(self, item):
        while True:
            pass


WRONG = [
    (check.answers, Forgets, "never heard back"),
    (check.answers, MixesUp, "zip(batch, results)"),
    (check.answers, AwaitsTheFunction, "asyncio.to_thread"),
    (check.gathers, OneByOne, "receive_nowait"),
    (check.gathers, NoLimit, "Stop collecting"),
    (check.serves_a_lone_request_at_once, WaitsForFull, "Do not wait until the batch is full"),
    (check.serves_a_lone_request_at_once, Lingers, "Leave the timer out"),
    (check.seals_late, SealsEarly, "before the model was free"),
    (check.seals_late, AllAtOnce, "one batch at a time"),
    (check.keeps_the_loop_free, Blocks, "asyncio.to_thread"),
    (check.survives_a_cancelled_caller, SetsWhatIsDone, "InvalidStateError"),
    (check.survives_a_cancelled_caller, ShiftsAnswers, "keep requests and results paired"),
    (check.notices_a_short_result, Zips, "`zip` stops at the shorter"),
    (check.notices_a_short_result, ZipsStrictly, "An exception left your loop"),
    (check.notices_a_short_result, HandsOutFirst, "before you hand out the first"),
    (check.survives_a_failing_model, ZipsStrictly, "around the model"),
    (check.survives_a_failing_model, SwallowsFailures, "reply.set_exception(error)"),
    (check.isolates_a_poisoned_request, FailsAll, "two halves"),
    (check.isolates_a_poisoned_request, ZipsStrictly, "Catch what the model raises"),
    (check.bounds_its_queue, NeverRefuses, "refuses at once"),
    (check.bounds_its_queue, NoSuchParameter, "`max_queue`"),
    (check.bounds_its_queue, RefusesAll, "let the channel count"),
    (check.spares_the_model, WorksForNobody, "`reply.done()` is true"),
    (check.spares_the_model, AsksOnArrival, "its caller is always there"),
    (check.spares_the_model, CallsWithNothing, "nothing to compute"),
    (check.spares_the_model, StopsWhenNobodyIsLeft, "must not end your loop"),
]


def test_the_solution_passes_every_check(capsys):
    verdicts = check.batcher(Solution)
    assert all(verdicts) and len(verdicts) == 11
    assert capsys.readouterr().out.count("PASS") == 11


@pytest.mark.parametrize(("one", "wrong", "hint"), WRONG, ids=[f"{one.__name__}-{w.__name__}" for one, w, _ in WRONG])
def test_each_wrong_batcher_gets_a_hint_of_its_own(one, wrong, hint):
    verdict = one(wrong)
    assert not verdict
    assert hint in verdict.hint + verdict.saw, verdict
    assert "Traceback" not in repr(verdict)


def test_a_stub_fails_every_check_kindly():
    class Stub:
        def __init__(self, function, max_batch_size=64): ...

        async def __call__(self, item): ...

    for verdict in [*check.batcher(Stub), *check.batcher(...), *check.batcher(None)]:
        assert verdict.kind == "todo" and verdict.saw == "This one is not written yet."


def test_the_verdict_is_the_same_each_time():
    assert {repr(check.seals_late(Solution)) for _ in range(20)} == {repr(check.seals_late(Solution))}
    assert len({repr(check.seals_late(SealsEarly)) for _ in range(20)}) == 1
