"""What one awaits: an operation says in its `repr` what it waits for, and begins when it is awaited, not before.

Invariants
    1. A waiter is settled once: by what it waits for or by its timer, whichever comes first. The timer acts on the
       waiter, it does not cancel the task: an operation that raises `TimeoutError` did not happen.
    2. An operation that is over, however it ended, has left nothing behind: no waiter, no timer.
"""

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from .cell import Cell
    from .ref import ActorRef

Steps = Generator[Any, Any, Any]
T = TypeVar("T")


class Operation(Generic[T]):
    """May be awaited; and, as a coroutine may, be given to `create_task`, `gather`, `wait_for` or a `TaskGroup`.

    Awaiting it again is a new operation; one that nobody awaits does nothing.
    """

    __slots__ = ("_ref", "_steps", "_timeout")

    _ref: "ActorRef"
    _timeout: float | None
    _steps: Steps | None

    def __init__(self, ref: "ActorRef", timeout: float | None) -> None:
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout= wants seconds >= 0, or None for no limit, not {timeout!r}")
        self._ref = ref
        self._timeout = timeout
        self._steps = None

    def __await__(self) -> Generator[Any, Any, T]:
        raise NotImplementedError

    def send(self, value: Any) -> Any:
        return self._started().send(value)

    def throw(self, *exception: Any) -> Any:
        return self._started().throw(*exception)

    def close(self) -> None:
        if self._steps is not None:
            self._steps.close()

    @property
    def cr_await(self) -> Steps | None:
        """Where a task that runs this operation is: whoever follows the chain of awaits can go on from here."""
        return self._steps

    def _started(self) -> Steps:
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps


class CellOperation(Operation[T]):
    """One that leaves a waiter with the cell it concerns, and takes it back when it gives up."""

    __slots__ = ()

    def _wait(self, cell: "Cell", waiter: "asyncio.Future[T]") -> Generator[Any, Any, T]:
        if self._timeout == 0 and not waiter.done():
            self._give_up(cell, waiter)
        timer = None
        if self._timeout and not waiter.done():
            timer = cell.system.loop.call_later(self._timeout, self._give_up, cell, waiter)
        try:
            return (yield from waiter)
        finally:
            self._forget(cell, waiter)
            if timer is not None:
                timer.cancel()

    def _give_up(self, cell: "Cell", waiter: "asyncio.Future[T]") -> None:
        if not waiter.done():
            self._forget(cell, waiter)
            waiter.set_exception(TimeoutError(f"{self!r} took longer than {self._timeout} s"))

    def _forget(self, cell: "Cell", waiter: "asyncio.Future[T]") -> None:
        raise NotImplementedError


class Send(CellOperation[None]):
    """Waits for room in the mailbox: back-pressure."""

    __slots__ = ("_message",)

    def __init__(self, ref: "ActorRef", message: Any, timeout: float | None) -> None:
        super().__init__(ref, timeout)
        self._message = message

    def __repr__(self) -> str:
        return f"<send to {self._ref!r}>"

    def __await__(self) -> Generator[Any, Any, None]:
        cell = self._ref._cell
        if not cell.has_room():
            return (yield from self._wait(cell, cell.queue_for_room(self._message)))
        cell.post(self._message)
        if cell.system.sent_many():
            yield       # a loop of sends that find room still lets the others run
        return None

    def _forget(self, cell: "Cell", waiter: "asyncio.Future[None]") -> None:
        cell.leave_queue(waiter)


class Ending(CellOperation[Any]):
    """Waits for the end of an actor for good, and returns its reason."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<wait for the end of {self._ref!r}>"

    def __await__(self) -> Generator[Any, Any, Any]:
        cell = self._ref._cell
        return (yield from self._wait(cell, cell.queue_for_end()))

    def _forget(self, cell: "Cell", waiter: "asyncio.Future[Any]") -> None:
        cell.forget_end(waiter)
