"""A model whose service time is known, and small helpers that all tests of the batcher share."""

import asyncio

from asyncpatterns import Batcher
from asyncpatterns.testing import run


class Model:
    """Takes T(n) = b + a·n virtual seconds for n items, and remembers when it was called with which."""

    def __init__(self, b=0.010, a=0.0005, answer=None, noise=None):
        self.b, self.a, self.noise = b, a, noise
        self.answer = answer or (lambda items: [("answer", item) for item in items])
        self.batches = []       # the items of each call
        self.starts = []        # when each call began
        self.most_at_once = self._at_once = 0
        self.look = lambda: None            # called when a call begins and before it ends

    def seconds(self, n):
        seconds = self.b + self.a * n
        return seconds if self.noise is None else seconds * self.noise()

    async def __call__(self, items):
        self.batches.append(list(items))
        self.starts.append(asyncio.get_running_loop().time())
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.look()
        try:
            await asyncio.sleep(self.seconds(len(items)))
        finally:
            self._at_once -= 1
        self.look()
        return self.answer(items)

    @property
    def sizes(self):
        return [len(batch) for batch in self.batches]

    @property
    def seen(self):
        return [item for batch in self.batches for item in batch]


def batched(scenario, function=None, seed=None, **options):
    """Runs `scenario(batcher, model)` in virtual time inside the batcher's block, and returns what it returned."""
    async def main():
        model = function or Model()
        async with Batcher(model, **options) as batcher:
            result = await scenario(batcher, model)
        add_up(batcher)
        return result
    return run(main, seed)


async def outcomes(calls):
    """What came of each call: its result, or the exception it raised."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def tick(times=1):
    for _ in range(times):
        await asyncio.sleep(0)


def now():
    return asyncio.get_running_loop().time()


def add_up(batcher):
    """The equation of the contract; returns the statistics it held for."""
    s = batcher.statistics()
    assert s.admitted == s.answered + s.failed + s.expired + s.cancelled + s.waiting + s.running, s
    assert min(s.answered, s.failed, s.expired, s.cancelled, s.waiting, s.running, s.rejected) >= 0, s
    return s


def occupied(batcher, model, seconds=1.0):
    """Occupies the only worker for `seconds` with an item of its own; a context in which others queue up."""
    return _Occupied(batcher, model, seconds)


class _Occupied:
    def __init__(self, batcher, model, seconds):
        self.batcher, self.model, self.usual, self.seconds = batcher, model, (model.b, model.a), seconds

    async def __aenter__(self):
        self.model.b, self.model.a = self.seconds, 0.0
        self.call = asyncio.ensure_future(self.batcher("occupies the worker"))
        calls = len(self.model.batches)
        await tick(3)
        while len(self.model.batches) == calls:     # noqa: ASYNC110    the worker lingers
            await asyncio.sleep(0.001)
        self.model.b, self.model.a = self.usual

    async def __aexit__(self, *_):
        await self.call
