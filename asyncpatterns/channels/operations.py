"""`send` and `receive` as objects: nothing happens until one is awaited or given to `select`.

An operation has no state of its own, so awaiting it again is a new operation. Awaiting goes in three steps.

    1. Try. Most operations end here, without giving up control.
    2. Otherwise queue a waiter and wait (`waiting` says how). Whoever settles it, has done the operation.
    3. On cancellation, leave the queue; if the waiter was settled a moment before, undo what it brought: a value goes
       back to the channel. A sender has nothing to undo: its value was taken, or is still its own.

Here are the plain operations, which everything else is measured by; `options` has those with a timeout or an end.
"""

from asyncio import Future
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

from .core import CLOSED, NOTHING, SENT, Core, Queue, Waiter
from .errors import ChannelClosed
from .pacing import BURST, pace
from .waiting import PASSED, Waiting, stand_in

if TYPE_CHECKING:
    from .options import End

T = TypeVar("T")
_DONE: Any = iter(())       # an await of it ends at once, and it needs no frame


class Selected(NamedTuple):
    """Which operation a select has done: its index, the value received, and whether the channel was closed instead."""

    index: int          # type: ignore[assignment]  # as a method of tuple nobody misses it
    value: Any
    closed: bool


class Operation(Generic[T]):
    """One side of a hand-over. Await it, await it again, or give it to `select`; or drop it, and nothing happens."""

    __slots__ = ("_core",)
    _verb: ClassVar[str]
    # Options, for subclasses: seconds, the counted end used, and what to keep alive while the operation lives.
    _timeout: float | None = None
    _end: "End | None" = None
    _owner: Any = None

    def __init__(self, core: Core) -> None:
        self._core = core

    def __repr__(self) -> str:
        return f"<{self._verb} {self._core!r}>"

    # --- for select ---

    def is_ready(self) -> bool:
        raise NotImplementedError

    def attempt(self, index: int) -> Selected | None:
        """Do it at once if that is possible."""
        raise NotImplementedError

    def queue(self) -> Queue:
        """Where it waits."""
        raise NotImplementedError

    def offer(self) -> Any:
        """What it brings along when it waits."""

    def complete(self, index: int, outcome: Any) -> Selected:
        """What a waiter that was settled means to a select."""
        raise NotImplementedError

    def undo(self, outcome: Any) -> None:
        """Take back what a settled waiter brought, because nobody is there to hear of it."""

    # --- waiting ---

    def enlist(self, waiter: Waiter) -> Queue:
        queue = self.queue()
        queue[waiter] = self.offer()
        if self._end is not None:
            self._end.waiting[waiter] = queue
        return queue

    def leave(self, waiter: "Future[Any] | Waiting", queue: Queue) -> None:
        """Nobody waits any more. If the waiter was settled a moment ago, that has to be undone."""
        queue.pop(waiter, None)
        if waiter.done() and not waiter.cancelled():
            self.undo(waiter.result())


class Send(Operation[None]):
    __slots__ = ("_value",)
    _verb = "send to"

    def __init__(self, core: Core, value: Any) -> None:
        self._core = core
        self._value = value

    def __await__(self) -> Generator[Any, Any, None]:
        core = self._core
        pace.left -= 1
        if pace.left >= 0:
            buffer = core.buffer
            buffered = len(buffer)
            if core.receivers:
                if core.put(self._value):
                    return _DONE
            elif buffered < core.limit and not core.returned:
                buffer.append(self._value)      # core.put, written out: a call is a third of what this costs
                core.sent += 1
                if buffered >= core.peak:
                    core.peak = buffered + 1
                return _DONE
        return self._send()

    def _send(self) -> Generator[Any, Any, None]:
        if pace.left < 0:
            pace.left = BURST
            yield
        core = self._core
        if (core.receivers or core.closed or len(core.buffer) < core.limit) and core.put(self._value):
            return
        senders = core.senders
        waiter = stand_in(senders, self._value)
        try:
            if waiter.future is None:
                yield
            outcome = waiter.outcome or (yield from waiter.lie_down())
        except BaseException:       # cancelled, or the whole task is thrown away
            self.leave(waiter, senders)
            raise
        if outcome is PASSED:
            yield from self._send()
        elif outcome is not SENT:
            raise self._refusal(outcome)

    def _refusal(self, outcome: Any) -> ChannelClosed:
        return self._core.refusal()

    def is_ready(self) -> bool:
        return self._core.can_put()

    def attempt(self, index: int) -> Selected | None:
        return Selected(index, None, False) if self._core.put(self._value) else None

    def queue(self) -> Queue:
        return self._core.senders

    def offer(self) -> Any:
        return self._value

    def complete(self, index: int, outcome: Any) -> Selected:
        if outcome is not SENT:
            raise self._refusal(outcome)
        return Selected(index, None, False)


class Receive(Operation[T]):
    __slots__ = ()
    _verb = "receive from"

    def __await__(self) -> Generator[Any, Any, T]:
        core = self._core
        receivers = core.receivers
        if core.buffer or core.senders or core.returned or core.closed:
            pace.left -= 1
            if pace.left < 0:
                pace.left = BURST
                yield
            if core.buffer and not core.returned:
                value = core.buffer.popleft()       # core.take, written out for the same reason
                if core.senders:
                    core.admit()
                return value
            value = core.take()
            if value is not NOTHING:
                return value
            if core.closed:
                raise self._ended()
        waiter = stand_in(receivers, None)
        try:
            if waiter.future is None:
                yield
            outcome = waiter.outcome or (yield from waiter.lie_down())
        except BaseException:       # cancelled, or the whole task is thrown away
            self.leave(waiter, receivers)
            raise
        if outcome.__class__ is tuple:
            return outcome[1]
        return (yield from self.__await__()) if outcome is PASSED else self._late(outcome)

    def _late(self, outcome: Any) -> Any:
        """The channel was closed; but something may have been given back since."""
        value = self._core.take()
        if value is NOTHING:
            raise self._ended()
        return value

    def _ended(self) -> BaseException:
        return self._core.end_of_values()

    def is_ready(self) -> bool:
        return self._core.can_take()

    def attempt(self, index: int) -> Selected | None:
        value = self._core.take()
        if value is not NOTHING:
            return Selected(index, value, False)
        return self._closed(index) if self._core.closed else None

    def queue(self) -> Queue:
        return self._core.receivers

    def complete(self, index: int, outcome: Any) -> Selected:
        if outcome.__class__ is tuple:
            return Selected(index, outcome[1], False)
        if outcome is CLOSED:
            return self.attempt(index) or self._closed(index)
        return Selected(index, self._late(outcome), False)

    def _closed(self, index: int) -> Selected:
        """A closed channel is no error to a select, unless it was closed with one."""
        if self._core.error is not None:
            raise self._core.end_of_values()
        return Selected(index, None, True)

    def undo(self, outcome: Any) -> None:
        if outcome.__class__ is tuple:
            self._core.give_back(*outcome)


class Next(Receive[T]):
    """A receive on behalf of `async for`."""

    __slots__ = ()

    def _ended(self) -> BaseException:
        return next_ended(self._core)


def next_ended(core: Core) -> BaseException:
    return core.end_of_values() if core.error is not None else StopAsyncIteration()


class Values(Generic[T]):
    """The values of a channel until it is closed and drained, for one `async for`."""

    __slots__ = ("_next",)

    def __init__(self, operation: Receive[T]) -> None:
        self._next = operation

    def __aiter__(self) -> "Values[T]":
        return self

    def __anext__(self) -> Receive[T]:
        return self._next

    def __repr__(self) -> str:
        return f"<values of {self._next._core!r}>"
