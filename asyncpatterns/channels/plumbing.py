"""What the combinators have in common: an output that other tasks feed, and the end of those tasks.

Invariants
    1. `Plumbing.end` happens once, whatever comes first: the sources are exhausted, a task fails, an output is closed
       (of several, the last one), the output is thrown away, or somebody cancels a task. It leaves every output closed,
       every source closed and every task done or cancelled. What a task has taken from a source and not yet delivered
       goes with it.
    2. The tasks refer to the core of an output, never to the handle. So an output that nobody holds any more is
       collected although tasks wait to fill it, and takes them with it. Who waits for the output holds its handle.
"""

import asyncio
import copy
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from .channel import Channel
from .core import Core
from .ends import Receiver
from .errors import ChannelClosed
from .operations import Receive, Send, Values
from .options import NextWith, ReceiveWith, SendWith
from .tasks import keep

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """A channel, or a receiver end of one."""

    def __aiter__(self) -> AsyncIterator[T_co]: ...
    def close(self) -> None: ...


class Output(Channel[T]):
    """A channel whose operations keep its handle alive, and which is closed when nobody holds that any more."""

    __slots__ = ()

    def __init__(self, capacity: float, name: str) -> None:
        super().__init__(capacity, name)
        loop = asyncio.get_running_loop()
        weakref.finalize(self, _close_from_anywhere, loop, self._core).atexit = False

    def send(self, value: T, *, timeout: float | None = None) -> Send:
        return SendWith(self._core, value, timeout, owner=self)

    def receive(self, *, timeout: float | None = None) -> Receive[T]:
        return ReceiveWith(self._core, timeout, owner=self)

    def __aiter__(self) -> Values[T]:
        return Values(NextWith(self._core, owner=self))


def _close_from_anywhere(loop: asyncio.AbstractEventLoop, core: Core) -> None:
    """The collector may run on any thread."""
    if core.closed or loop.is_closed():
        return
    if asyncio._get_running_loop() is loop:
        core.close()
    else:
        loop.call_soon_threadsafe(core.close)


class Plumbing:
    """The tasks between some sources and some outputs."""

    def __init__(self, name: str, sources: tuple[Source[Any], ...], outputs: tuple[Core, ...]) -> None:
        self.name = name
        self.ended = False
        self._loop = asyncio.get_running_loop()
        self._closables: list[Any] = list(sources)
        self._outputs = outputs
        self._tasks: dict[asyncio.Task[None], None] = {}     # a set's order would change from run to run
        for output in outputs:
            output.on_close = self._output_closed

    def start(self, job: Coroutine[Any, Any, None], name: str = "") -> "asyncio.Task[None]":
        task = keep(self._loop.create_task(job, name=" ".join(filter(None, (self.name, name)))))
        self._tasks[task] = None
        task.add_done_callback(self._task_done)
        return task

    def close_too(self, *channels: Channel[Any]) -> None:
        """At the end close these as well."""
        self._closables += channels

    def end(self, error: BaseException | None = None) -> None:
        """Close outputs and sources, and cancel the tasks. With an error, the outputs raise it."""
        if self.ended:
            return
        self.ended = True
        for output in self._outputs:
            output.close(error)
            error = _another(error)
        for closable in self._closables:
            closable.close()
        self._cancel()

    def _cancel(self) -> None:
        if self._loop.is_closed():
            return
        current = asyncio.current_task(self._loop)
        for task in list(self._tasks):
            if task is not current:
                task.cancel()

    def _output_closed(self) -> None:
        if all(output.closed for output in self._outputs):
            self.end()

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            self.end()
            return
        error = task.exception()
        if error is not None:
            self.end(None if self._is_a_closed_end(error) else error)
        elif not self._tasks:
            self.end()

    def _is_a_closed_end(self, error: BaseException) -> bool:
        """A source that is an end, closed by somebody else, has come to its end."""
        closed = any(isinstance(source, Receiver) and source.closed for source in self._closables)
        return closed and isinstance(error, ChannelClosed)


def _another(error: BaseException | None) -> BaseException | None:
    """Two tasks should not raise the same exception object: each adds its traceback to it."""
    try:
        return copy.copy(error)
    except Exception:       # some cannot be copied
        return error


def check_sources(what: str, sources: tuple[Any, ...]) -> None:
    for source in sources:
        if not isinstance(source, Channel | Receiver):
            raise TypeError(f"{what} reads from channels or receiver ends, not from {source!r}")


def name_of(thing: Channel[Any] | Receiver[Any] | Callable[..., Any]) -> str:
    core = getattr(thing, "_core", None)
    if core is None:
        return str(getattr(thing, "__name__", thing))
    return "a channel" if core.name is None else str(core.name)
