"""A stage of a pipeline: a function between two channels.

    source ──> feeder ──> jobs ──> workers
                 └──────> results, as promises ──> emitter ──> output

Invariants
    1. A token lies in `slots` for every item taken from the source whose result has not left through the output, and
       there are 2 x `workers` slots. So a slow reader, or one slow item, stops the source.
    2. `results` holds promises in the order of the output: the feeder's when `ordered`, that of completion otherwise.
    3. The emitter alone writes to the output, so what it meets first, a result or a failure, is what the reader meets.

With one worker none of this is needed: a single loop takes, calls and delivers.
"""

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from .channel import Channel
from .core import Core
from .operations import Send
from .plumbing import Output, Plumbing, Source, check_sources, name_of

T = TypeVar("T")
R = TypeVar("R")


class Result(NamedTuple):
    value: Any
    error: BaseException | None


Promise = asyncio.Future[Result]


def pipeline(
    source: Source[T], function: Callable[[T], R | Awaitable[R]], workers: int = 1, ordered: bool = True
) -> Channel[R]:
    """A channel with `function(value)` for every value of `source` (a channel or a receiver end).

    A plain function runs on the loop, one call after another; up to `workers` calls of an async one run at the same
    time. At most 2 x `workers` items are between source and reader. The results come in the order of the source, or,
    with `ordered=False`, as they are ready. If the function raises, `source` is closed, and the output raises the
    exception after the results before it, and closes.

    The output closes when `source` is closed and drained. Closing it, or dropping it, cancels what runs and closes
    `source`. Raises `ValueError` unless workers is an int above 0, `TypeError` for what is no channel or no function.
    """
    check_sources("pipeline", (source,))
    if not callable(function):
        raise TypeError(f"pipeline calls a function for each value, not {function!r}")
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise ValueError(f"workers is how many calls run at the same time, an int above 0, not {workers!r}")
    output: Output[R] = Output(0, f"pipeline {name_of(function)}")
    plumbing = Plumbing(output.name or "", (source,), (output._core,))
    if workers == 1:
        plumbing.start(_one_by_one(source, function, output._core, plumbing))
    else:
        _Stage(source, function, workers, ordered, output._core, plumbing).start()
    return output


async def _one_by_one(source: Source[T], function: Callable[[T], Any], output: Core, plumbing: Plumbing) -> None:
    async for value in source:
        result, error = await _call(function, value)
        if error is not None:
            plumbing.end(error)
            return
        await Send(output, result)


async def _call(function: Callable[[T], Any], value: T) -> Result:
    try:
        result = function(value)
        return Result(await result if inspect.isawaitable(result) else result, None)
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        return Result(None, error)      # something the function waited for was cancelled, not we
    except Exception as error:
        return Result(None, error)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _Stage:
    def __init__(
        self,
        source: Source[Any],
        function: Callable[[Any], Any],
        workers: int,
        ordered: bool,
        output: Core,
        plumbing: Plumbing,
    ) -> None:
        self.source = source
        self.function = function
        self.ordered = ordered
        self.output = output
        self.plumbing = plumbing
        self.working = workers
        self.stopping = False
        self.failure: Promise | None = None
        self.slots: Channel[None] = Channel(2 * workers, "slots")
        self.jobs: Channel[tuple[Any, Promise]] = Channel(0, "jobs")
        self.results: Channel[Promise] = Channel(math.inf, "results")       # as many as there are slots, and an error
        plumbing.close_too(self.slots, self.jobs, self.results)

    def start(self) -> None:
        self.plumbing.start(self.emit(), "emitter")
        self.feeder = self.plumbing.start(self.feed(), "feeder")
        for number in range(self.working):
            self.plumbing.start(self.work(), f"worker {number}")

    async def feed(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self.slots.send(None)
            async for value in self.source:
                promise: Promise = loop.create_future()
                if self.ordered:
                    self.results.send_nowait(promise)
                await self.jobs.send((value, promise))
                await self.slots.send(None)
        except asyncio.CancelledError:
            if self.plumbing.ended or not self.stopping:
                raise
        except Exception as error:      # the source's own: it comes after everything that was taken before
            if self.plumbing.ended:
                raise
            self.failure = loop.create_future()
            self.failure.set_result(Result(None, error))
        self.jobs.close()

    async def work(self) -> None:
        async for value, promise in self.jobs:
            result = await _call(self.function, value)
            promise.set_result(result)
            if not self.ordered:
                self.results.send_nowait(promise)
            if result.error is not None:
                self.stop_reading()
        self.working -= 1
        if not self.working:
            self.finish()

    def stop_reading(self) -> None:
        """After a failure nothing more is wanted from the source, and what it has just handed out goes back."""
        self.stopping = True
        self.source.close()
        self.feeder.cancel()

    def finish(self) -> None:
        """Nothing more will come. (Ordered promises are all there, and kept by now.)"""
        if self.failure is not None:
            self.results.send_nowait(self.failure)
        self.results.close()

    async def emit(self) -> None:
        async for promise in self.results:
            value, error = await promise
            if error is not None:
                self.plumbing.end(error)
                return
            await Send(self.output, value)
            self.slots.receive_nowait()
