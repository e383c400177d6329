"""A random life of a batcher, against what must hold whatever happens."""

import asyncio
import collections
import random

import pytest

from asyncpatterns import Batcher, BatcherClosed, BatchFailed, BatchSizeMismatch, DeadlineExceeded, Overloaded
from asyncpatterns.testing import run

from .model import Model, add_up, now, tick

ENDS = (tuple, ValueError, BatchSizeMismatch, DeadlineExceeded, Overloaded, BatcherClosed, BatchFailed,
        asyncio.CancelledError)


class Life:
    """Callers, timeouts, cancellations, failing batches and changing settings, all drawn from one seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.workers = self.random.randrange(1, 4)
        self.sizes = self.random.choice([None, None, (1, 2, 4, 8, 16)])
        self.calls, self.outcomes, self.cancelled_in_queue = {}, {}, set()
        self.started = []
        self.model = Model(b=0.003, a=0.0004, answer=self.answer, noise=lambda: self.random.lognormvariate(0, 0.3))

    def options(self):
        choose = self.random.choice
        return {"workers": self.workers, "sizes": self.sizes,
                "max_batch_size": 16 if self.sizes else choose([1, 5, 16]),
                "linger": choose([0.0, 0.0, 0.002]), "slo": choose([None, 0.02]), "max_queue": choose([None, 20]),
                "isolate": choose([True, True, False]), "rows": choose([None, lambda item: item[3]])}

    def answer(self, items):
        fate = self.random.random()
        if fate < 0.03:
            return items[:-1]
        if fate < 0.05:
            raise asyncio.CancelledError
        if any(item[2] for item in items):
            raise ValueError("poison")
        return [("answer", item) for item in items]

    async def caller(self, batcher, item):
        try:
            timeout = self.random.choice([None, None, 0.0, 0.005, 0.05])
            result = await batcher(item, key=item[1], priority=self.random.randrange(3), timeout=timeout)
            self.outcomes[item] = tuple
            return result
        except BaseException as error:
            self.outcomes[item] = type(error)
            raise

    def meddle(self, batcher, tasks):
        what = self.random.randrange(12)
        waiting = {request.item for request in batcher._engine.queue}
        if what < 6 and tasks:
            item, task = self.random.choice(tasks)
            if item in waiting and not task.done():
                self.cancelled_in_queue.add(item)
            task.cancel()
        elif what == 6:
            batcher.linger = self.random.choice([0.0, 0.001])
        elif what == 7:
            batcher.slo = self.random.choice([None, 0.02, 0.05])
        elif what == 8:
            batcher.max_batch_size = self.random.choice([1, 4, 16])
        elif what == 9:
            batcher.max_queue = self.random.choice([None, 5, 50])

    async def live(self):
        async with Batcher(self.model, **self.options()) as batcher:
            self.model.look = lambda: add_up(batcher)
            tasks = []
            for number in range(400):
                item = (number, self.random.choice("aab"), self.random.random() < 0.03, self.random.choice([1, 1, 3]))
                tasks.append((item, asyncio.create_task(self.caller(batcher, item))))
                if self.random.random() < 0.3:
                    self.meddle(batcher, tasks[-20:])
                if self.random.random() < 0.6:
                    await asyncio.sleep(self.random.expovariate(800))
                add_up(batcher)
            if self.random.random() < 0.5:
                await tick(2)
        results = await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)
        self.check(tasks, results, add_up(batcher))

    def check(self, tasks, results, statistics):
        seen = collections.Counter(item for batch in self.model.batches for item in set(batch))
        assert statistics.waiting == statistics.running == 0 and now() < 60
        assert all(isinstance(result, ENDS) for result in results), set(map(type, results))
        assert not self.cancelled_in_queue & set(seen)
        assert self.model.most_at_once <= self.workers
        never = {Overloaded, DeadlineExceeded, BatcherClosed}
        for (item, _), result in zip(tasks, results, strict=True):
            if type(result) in never:
                assert item not in seen
            if isinstance(result, tuple):
                assert result == ("answer", item) and not item[2]
        assert all(len({item[1] for item in batch}) == 1 for batch in self.model.batches)
        if self.sizes:
            assert all(len(batch) in self.sizes or any(item[3] > 1 for item in batch) for batch in self.model.batches)
        ends = collections.Counter(self.outcomes.values())
        assert statistics.answered >= ends[tuple] and statistics.rejected == ends[Overloaded] + ends[BatcherClosed]


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_everybody_has_one_outcome_and_the_right_one(seed):
    async def main():
        await asyncio.wait_for(Life(seed).live(), 120)
    run(main)


@pytest.mark.parametrize("seed", range(20))
def test_of_equal_key_and_priority_nobody_is_started_before_one_who_came_earlier(seed):
    async def main():
        random_ = random.Random(seed)
        model = Model(b=0.002, a=0.0005)
        async with Batcher(model, max_batch_size=random_.choice([1, 3, 8]), workers=random_.choice([1, 2])) as batcher:
            calls = []
            for number in range(300):
                key, priority = random_.choice("ab"), random_.randrange(2)
                call = asyncio.ensure_future(batcher((key, priority, number), key=key, priority=priority))
                calls.append(call)
                if random_.random() < 0.2:
                    random_.choice(calls[-10:]).cancel()
                if random_.random() < 0.5:
                    await asyncio.sleep(random_.expovariate(1000))
            await asyncio.gather(*calls, return_exceptions=True)
        for kind in {item[:2] for item in model.seen}:
            numbers = [number for *which, number in model.seen if tuple(which) == kind]
            assert numbers == sorted(numbers)
    run(main)
