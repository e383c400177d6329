"""`send` and `receive` as objects: nothing happens until one is awaited or given to `select`.

An operation has no state of its own, so awaiting it again is a new operation. Awaiting goes in three steps.

    1. Try. Most operations end here, without giving up control.
    2. Otherwise queue a new future and wait. Whoever settles it, has done the operation.
    3. On cancellation, leave the queue; if the future was settled a moment before, undo what it brought: a value goes
       back to the channel. A sender has nothing to undo: its value was taken, or is still its own.

The timer of an operation settles the future too, so that an operation has either happened or timed out, never both.
"""

import asyncio
from collections.abc import Generator
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from .core import NOTHING, SENT, Core, Outcome, Queue, Waiter
from .errors import ChannelClosed
from .pacing import BURST, pace

T = TypeVar("T")


class Selected(NamedTuple):
    """Which operation a select has done: its index, the value received, and whether the channel was closed instead."""

    index: int          # type: ignore[assignment]  # as a method of tuple nobody misses it
    value: Any
    closed: bool


class End:
    """What an operation needs to know of the counted end it belongs to: is it open, and who waits through it?"""

    __slots__ = ("closed", "waiting")

    def __init__(self) -> None:
        self.closed = False
        self.waiting: Queue = Queue()

    def refusal(self) -> ChannelClosed:
        return ChannelClosed("this end of the channel is closed")


class Operation(Generic[T]):
    """One side of a hand-over. Await it, await it again, or give it to `select`; or drop it, and nothing happens."""

    __slots__ = ("_core", "_end", "_owner", "_timeout")
    _verb: ClassVar[str]

    def __init__(self, core: Core, timeout: float | None = None, end: End | None = None, owner: Any = None) -> None:
        if timeout is not None:
            check_timeout(timeout)
        self._core = core
        self._timeout = timeout
        self._end = end
        self._owner = owner         # kept alive while the operation lives

    def __repr__(self) -> str:
        return f"<{self._verb} {self._core!r}>"


    # --- for select ---

    def is_ready(self) -> bool:
        raise NotImplementedError

    def attempt(self, index: int) -> Selected | None:
        """Do it at once if that is possible."""
        raise NotImplementedError

    def enlist(self, case: Waiter) -> Queue:
        """Let `case` wait, and return the queue in which it does."""
        raise NotImplementedError

    def complete(self, index: int, outcome: Any) -> Selected:
        """What a case that waited and was settled means."""
        raise NotImplementedError

    def undo(self, outcome: Any) -> None:
        """Take back what a settled waiter brought, because nobody is there to hear of it."""

    # --- waiting ---

    def _wait(self, queue: Queue, value: Any) -> Generator[Any, Any, Any]:
        """Wait in the queue, and return the outcome."""
        if self._timeout is not None and self._timeout <= 0:
            raise self._timed_out()
        loop = asyncio.get_running_loop()
        pace.left = BURST
        future = loop.create_future()
        queue[future] = value
        if self._end is not None:
            self._end.waiting[future] = queue
        timer = None if self._timeout is None else loop.call_later(self._timeout, give_up, future, queue)
        try:
            outcome = yield from future
        except BaseException:       # cancelled, or the whole task is thrown away
            self._abandon(future, queue)
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if self._end is not None:
                self._end.waiting.pop(future, None)
        if outcome is Outcome.TIMED_OUT:
            raise self._timed_out()
        return outcome

    def _abandon(self, future: "asyncio.Future[Any]", queue: Queue) -> None:
        queue.pop(future, None)
        if future.done() and not future.cancelled():
            self.undo(future.result())

    def _timed_out(self) -> TimeoutError:
        return TimeoutError(f"{self._verb} {self._core.title()}: not done within {self._timeout:g} s")


class Send(Operation[None]):
    __slots__ = ("_value",)
    _verb = "send to"

    def __init__(
        self, core: Core, value: Any, timeout: float | None = None, end: End | None = None, owner: Any = None
    ) -> None:
        # As in the base class, without the call: this is the hottest constructor here.
        if timeout is not None:
            check_timeout(timeout)
        self._core = core
        self._value = value
        self._timeout = timeout
        self._end = end
        self._owner = owner

    def __await__(self) -> Generator[Any, Any, None]:
        pace.left -= 1
        if pace.left < 0:
            pace.left = BURST
            yield
        if self._end is not None and self._end.closed:
            raise self._end.refusal()
        core = self._core
        if not core.put(self._value):
            outcome = yield from self._wait(core.senders, self._value)
            if outcome is not SENT:
                raise self._refusal(outcome)

    def is_ready(self) -> bool:
        return self._core.can_put() or (self._end is not None and self._end.closed)

    def attempt(self, index: int) -> Selected | None:
        if self._end is not None and self._end.closed:
            raise self._end.refusal()
        return Selected(index, None, False) if self._core.put(self._value) else None

    def enlist(self, case: Waiter) -> Queue:
        queue = self._core.senders
        queue[case] = self._value
        if self._end is not None:
            self._end.waiting[case] = queue
        return queue

    def complete(self, index: int, outcome: Any) -> Selected:
        if outcome is not SENT:
            raise self._refusal(outcome)
        return Selected(index, None, False)

    def _refusal(self, outcome: Outcome) -> ChannelClosed:
        if outcome is Outcome.LEFT and self._end is not None:
            return self._end.refusal()
        return self._core.refusal()


class Receive(Operation[T]):
    __slots__ = ()
    _verb = "receive from"

    def __await__(self) -> Generator[Any, Any, T]:
        pace.left -= 1
        if pace.left < 0:
            pace.left = BURST
            yield
        if self._end is not None and self._end.closed:
            raise self._end.refusal()
        core = self._core
        value = core.take()
        if value is not NOTHING:
            return value
        if core.closed:
            raise self._ended()
        outcome = yield from self._wait(core.receivers, None)
        return self._value_of(outcome)

    def _value_of(self, outcome: Any) -> Any:
        if outcome.__class__ is tuple:
            return outcome[1]
        if outcome is Outcome.LEFT and self._end is not None:
            raise self._end.refusal()
        value = self._core.take()   # something may have been given back after the channel was closed
        if value is NOTHING:
            raise self._ended()
        return value

    def _ended(self) -> BaseException:
        return self._core.end_of_values()

    def is_ready(self) -> bool:
        return self._core.can_take() or (self._end is not None and self._end.closed)

    def attempt(self, index: int) -> Selected | None:
        if self._end is not None and self._end.closed:
            raise self._end.refusal()
        value = self._core.take()
        if value is not NOTHING:
            return Selected(index, value, False)
        return self._closed(index) if self._core.closed else None

    def enlist(self, case: Waiter) -> Queue:
        queue = self._core.receivers
        queue[case] = None
        if self._end is not None:
            self._end.waiting[case] = queue
        return queue

    def complete(self, index: int, outcome: Any) -> Selected:
        if outcome is Outcome.CLOSED:
            return self.attempt(index) or self._closed(index)
        return Selected(index, self._value_of(outcome), False)

    def _closed(self, index: int) -> Selected:
        """A closed channel is no error to a select, unless it was closed with one."""
        error = self._core.end_of_values() if self._core.error is not None else None
        if error is not None:
            raise error
        return Selected(index, None, True)

    def undo(self, outcome: Any) -> None:
        if outcome.__class__ is tuple:
            self._core.give_back(*outcome)


class Next(Receive[T]):
    """A receive on behalf of `async for`."""

    __slots__ = ()

    def _ended(self) -> BaseException:
        return self._core.end_of_values() if self._core.error is not None else StopAsyncIteration()


class Values(Generic[T]):
    """The values of a channel until it is closed and drained, for one `async for`."""

    __slots__ = ("_next",)

    def __init__(self, core: Core, end: End | None = None, owner: Any = None) -> None:
        self._next: Next[T] = Next(core, None, end, owner)

    def __aiter__(self) -> "Values[T]":
        return self

    def __anext__(self) -> Next[T]:
        return self._next

    def __repr__(self) -> str:
        return f"<values of {self._next._core!r}>"


def give_up(waiter: Waiter, queue: Queue) -> None:
    """A timer's work: if nothing has happened to the waiter, its time is up."""
    if not waiter.done():
        queue.pop(waiter, None)
        waiter.set_result(Outcome.TIMED_OUT)


def check_timeout(timeout: Any) -> None:
    if not isinstance(timeout, int | float) or timeout != timeout:
        raise TypeError(f"timeout is a number of seconds or None, not {timeout!r}")
