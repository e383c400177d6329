"""A model that does what a check tells it: it notes its batches, can be held in the middle of one, and can
misbehave.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

HELD_AT_MOST = 5.0      # real seconds, in case nobody lets go


class FakeModel:
    """A plain, blocking function of a list, as a TensorFlow model is. Answers item x with ("answer", x).

    While held, a call on a worker thread does not return before `release()`. A call on the loop's own thread cannot be
    held (nobody could release it); it is noted in `on_loop`.
    """

    def __init__(self, *, held: bool = False, answer: Callable[[list[Any]], Sequence[Any]] | None = None) -> None:
        self.batches: list[list[Any]] = []
        self.on_loop = False
        self.at_once = self.most_at_once = 0
        self._answer = answer or (lambda items: [("answer", item) for item in items])
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()
        self._gate = threading.Event()
        self._entered = asyncio.Event()
        if not held:
            self.release()

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]

    def __call__(self, items: list[Any]) -> Sequence[Any]:
        self.batches.append(list(items))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self._loop.call_soon_threadsafe(self._entered.set)
        if threading.get_ident() == self._home:
            self.on_loop = True
        else:
            self._gate.wait(HELD_AT_MOST)
        self.at_once -= 1
        return self._answer(list(items))

    async def entered(self) -> None:
        """Until the first batch has reached the model."""
        await self._entered.wait()

    def release(self) -> None:
        """Lets the held call go, and all that come after it."""
        self._gate.set()


@contextlib.asynccontextmanager
async def opened(
    make: Callable[..., Any], model: FakeModel, **options: Any
) -> AsyncIterator[Callable[[Any], Awaitable[Any]]]:
    """The learner's batcher around the model; the model is released at the end, whatever happened."""
    try:
        batcher = make(model, **options)
        if hasattr(batcher, "__aenter__"):
            async with batcher:
                yield batcher
        else:
            yield batcher
    finally:
        model.release()


def call(batcher: Callable[[Any], Awaitable[Any]], item: Any) -> "asyncio.Task[Any]":
    """One caller, as a task of its own."""
    async def caller() -> Any:
        return await batcher(item)

    return asyncio.get_running_loop().create_task(caller(), name=f"caller of {item!r}")


async def turns(count: int = 20) -> None:
    """Lets everything that can run do so, without any time going by."""
    for _ in range(count):
        await asyncio.sleep(0)


async def outcomes(callers: "Sequence[asyncio.Task[Any]]") -> list[Any]:
    """What each caller got: a result, an exception, or the string "hangs" for one that still waits after a minute."""
    await asyncio.wait(callers, timeout=60.0)
    return [_outcome(caller) for caller in callers]


def _outcome(caller: "asyncio.Task[Any]") -> Any:
    if not caller.done():
        return "hangs"
    if caller.cancelled():
        return "cancelled"
    return caller.exception() or caller.result()
