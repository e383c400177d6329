"""Counted ends: who may still send, and who may still receive.

With several producers none of them knows when to close the channel; with ends each closes its own, and the last one
to do so closes the channel. With several consumers, the last one to leave tells the producers to stop.
"""

import asyncio
import warnings
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from .core import LEFT, NOTHING, Core, settle
from .errors import WouldBlock
from .operations import Receive, Send, Values
from .options import End, NextWith, ReceiveWith, SendWith

T = TypeVar("T")


class _CountedEnd(Generic[T]):
    __slots__ = ("__weakref__", "_core", "_end", "_owner")
    _sending: ClassVar[bool]

    def __init__(self, core: Core, owner: Any) -> None:
        self._core = core
        self._end = End()
        self._owner = owner         # the channel, kept alive
        core.add_end(self._sending)

    @property
    def closed(self) -> bool:
        return self._end.closed

    def close(self) -> None:
        """Use this end no longer; whoever waits through it gets `ChannelClosed`. Idempotent."""
        if not self._end.closed:
            _close(self._core, self._end, self._sending)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._core!r}{', closed' * self._end.closed}>"

    def __del__(self) -> None:
        if not self._end.closed:
            try:
                warnings.warn(f"{self!r} was never closed", ResourceWarning, stacklevel=2, source=self)
            finally:
                _close_from_anywhere(self._core, self._end, self._sending)


class Sender(_CountedEnd[T]):
    """A sending end: `channel.sender()`. A context manager; call that again for another one."""

    __slots__ = ()
    _sending = True

    def send(self, value: T, *, timeout: float | None = None) -> Send:
        """As `Channel.send`. Raises `ChannelClosed` also when this end is or becomes closed."""
        return SendWith(self._core, value, timeout, self._end, self)

    def send_nowait(self, value: T) -> None:
        """As `Channel.send_nowait`. Raises `ChannelClosed` also when this end is closed."""
        if self._end.closed:
            raise self._end.refusal()
        if not self._core.put(value):
            raise WouldBlock(f"{self._core.title()} is full, or nobody receives from it now")


class Receiver(_CountedEnd[T]):
    """A receiving end: `channel.receiver()`. A context manager; call that again for another one."""

    __slots__ = ()
    _sending = False

    def receive(self, *, timeout: float | None = None) -> Receive[T]:
        """As `Channel.receive`. Raises `ChannelClosed` also when this end is or becomes closed."""
        return ReceiveWith(self._core, timeout, self._end, self)

    def receive_nowait(self) -> T:
        """As `Channel.receive_nowait`. Raises `ChannelClosed` also when this end is closed."""
        if self._end.closed:
            raise self._end.refusal()
        value = self._core.take()
        if value is not NOTHING:
            return value
        if self._core.closed:
            raise self._core.end_of_values()
        raise WouldBlock(f"{self._core.title()} is empty")

    def __aiter__(self) -> Values[T]:
        """`async for value in receiver`: until the channel is closed and drained."""
        return Values(NextWith(self._core, None, self._end, self))


def _close(core: Core, end: End, sending: bool) -> None:
    if end.closed:
        return
    end.closed = True
    while end.waiting:
        waiter, queue = end.waiting.popitem(last=False)
        if not waiter.done():
            queue.pop(waiter, None)
            settle(waiter, LEFT)
    core.remove_end(sending)


def _close_from_anywhere(core: Core, end: End, sending: bool) -> None:
    """The collector may run on any thread; whoever is woken up by the closing must be so on the thread of its loop."""
    waiter = next(iter(core.receivers or core.senders), None)
    loop = None if waiter is None else waiter.get_loop()
    if loop is None or loop.is_closed() or loop is asyncio._get_running_loop():
        _close(core, end, sending)
    else:
        loop.call_soon_threadsafe(_close, core, end, sending)
