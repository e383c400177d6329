"""The operations with a timeout, through a counted end, or for an owner that has to be kept alive meanwhile.

The timer settles the waiter, as a partner would. So an operation has either happened or timed out, never both, and a
task that is timed out is not cancelled.
"""

from asyncio import get_running_loop
from collections.abc import Generator
from typing import Any, TypeVar

from .core import LEFT, NOTHING, SENT, TIMED_OUT, Core, Queue, Waiter
from .errors import ChannelClosed
from .operations import Operation, Receive, Selected, Send, next_ended
from .pacing import BURST, pace

T = TypeVar("T")


class End:
    """What an operation needs to know of the counted end it goes through: is it open, and who waits in it?"""

    __slots__ = ("closed", "waiting")

    def __init__(self) -> None:
        self.closed = False
        self.waiting: Queue = Queue()

    def check(self) -> None:
        if self.closed:
            raise self.refusal()

    def refusal(self) -> ChannelClosed:
        return ChannelClosed("this end of the channel is closed")


class SendWith(Send):
    __slots__ = ("_end", "_owner", "_timeout")

    def __init__(
        self, core: Core, value: Any, timeout: float | None = None, end: End | None = None, owner: Any = None
    ) -> None:
        super().__init__(core, value)
        self._timeout = checked_timeout(timeout)
        self._end = end
        self._owner = owner

    def __await__(self) -> Generator[Any, Any, None]:
        yield from _pause_if_due()
        if self._end is not None:
            self._end.check()
        if not self._core.put(self._value):
            outcome = yield from _wait(self)
            if outcome is not SENT:
                raise self._refusal(outcome)

    def _refusal(self, outcome: Any) -> ChannelClosed:
        return self._end.refusal() if outcome is LEFT and self._end is not None else self._core.refusal()

    def is_ready(self) -> bool:
        return super().is_ready() or (self._end is not None and self._end.closed)

    def attempt(self, index: int) -> Selected | None:
        if self._end is not None:
            self._end.check()
        return super().attempt(index)


class ReceiveWith(Receive[T]):
    __slots__ = ("_end", "_owner", "_timeout")

    def __init__(self, core: Core, timeout: float | None = None, end: End | None = None, owner: Any = None) -> None:
        super().__init__(core)
        self._timeout = checked_timeout(timeout)
        self._end = end
        self._owner = owner

    def __await__(self) -> Generator[Any, Any, T]:
        yield from _pause_if_due()
        if self._end is not None:
            self._end.check()
        value = self._core.take()
        if value is not NOTHING:
            return value
        if self._core.closed:
            raise self._ended()
        outcome = yield from _wait(self)
        return outcome[1] if outcome.__class__ is tuple else self._late(outcome)

    def _late(self, outcome: Any) -> Any:
        if outcome is LEFT and self._end is not None:
            raise self._end.refusal()
        return super()._late(outcome)

    def is_ready(self) -> bool:
        return super().is_ready() or (self._end is not None and self._end.closed)

    def attempt(self, index: int) -> Selected | None:
        if self._end is not None:
            self._end.check()
        return super().attempt(index)


class NextWith(ReceiveWith[T]):
    """A receive on behalf of `async for`."""

    __slots__ = ()

    def _ended(self) -> BaseException:
        return next_ended(self._core)


def _pause_if_due() -> Generator[Any, Any, None]:
    pace.left -= 1
    if pace.left < 0:
        pace.left = BURST
        yield


def _wait(self: Operation[Any]) -> Generator[Any, Any, Any]:
    """The outcome of waiting. (Called `self` so that a report of who waits for what finds the operation.)"""
    timeout, end = self._timeout, self._end
    if timeout is not None and timeout <= 0:
        raise _timed_out(self)
    pace.left = BURST
    loop = get_running_loop()
    future = loop.create_future()
    queue = self.enlist(future)
    timer = None if timeout is None else loop.call_later(timeout, give_up, future, queue)
    try:
        outcome = yield from future
    except BaseException:       # cancelled, or the whole task is thrown away
        self.leave(future, queue)
        raise
    finally:
        if timer is not None:
            timer.cancel()
        if end is not None:
            end.waiting.pop(future, None)
    if outcome is TIMED_OUT:
        raise _timed_out(self)
    return outcome


def give_up(waiter: Waiter, queue: Queue) -> None:
    """The timer's work: if nothing has happened to the waiter, its time is up."""
    if not waiter.done():
        queue.pop(waiter, None)
        waiter.set_result(TIMED_OUT)


def _timed_out(operation: Operation[Any]) -> TimeoutError:
    what = f"{operation._verb} {operation._core.title()}"
    return TimeoutError(f"{what}: not done within {operation._timeout:g} s")


def checked_timeout(timeout: Any) -> float | None:
    if timeout is not None and (not isinstance(timeout, int | float) or timeout != timeout):
        raise TypeError(f"timeout is a number of seconds or None, not {timeout!r}")
    return timeout
