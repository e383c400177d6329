"""Wait for several channels at once, and do exactly one of the operations.

    Pass 1  Look for operations that are ready, without touching anything. Do one of them: by chance, or the leftmost.
    Pass 2  If none is: put a case of this select into the queue of every channel concerned. All cases share one future,
            which exists once, so that at most one can win.
    Pass 3  Wait. Whoever settles a case takes the others out of their queues in the same breath. What is left to do is
            to say which case it was; or, after a cancellation, to give back what it brought.

A select never meets itself: in pass 1 it waits nowhere yet, and after pass 2 it does nothing but wait.
"""

import asyncio
import random
from asyncio import _get_running_loop
from collections.abc import Generator
from typing import Any

from .core import TIMED_OUT, Queue
from .errors import WouldBlock
from .operations import Operation, Selected
from .options import checked_timeout
from .pacing import BURST, pace

Given = Operation[Any] | None


def select(*operations: Given, timeout: float | None = None, priority: bool = False) -> "Select":
    """Do exactly one of the operations, as soon as one is possible; await what this returns.

    Gives `Selected(index, value, closed)`. Among several that are ready one is picked by chance, evenly (drawn from the
    running loop's `random`, where it has one); with `priority=True` the leftmost. `None` is never ready. A receive on a
    closed, drained channel is ready and gives `Selected(index, None, True)`; a send on a closed channel is ready, and
    raises `ChannelClosed` if it is picked; so does whatever belongs to an end that is closed.

    Raises `TimeoutError` after `timeout` seconds (with 0 it tries once), and then has done nothing. A cancellation
    gives back what had been handed over already. `TypeError` for what is no operation, or has a timeout of its own.
    """
    return Select(_checked(operations), checked_timeout(timeout), priority)


def select_nowait(*operations: Given, priority: bool = False) -> Selected:
    """As `select`, but at once: raises `WouldBlock` when nothing is ready."""
    chosen = _checked(operations)
    selected = _attempt(chosen, priority)
    if selected is None:
        raise WouldBlock(f"none of the {len(chosen)} operations is ready")
    return selected


class Select:
    """What `select` returns: awaiting it again is a new select."""

    __slots__ = ("_operations", "_priority", "_timeout")

    def __init__(self, operations: tuple[Given, ...], timeout: float | None, priority: bool) -> None:
        self._operations = operations
        self._timeout = timeout
        self._priority = priority

    def __repr__(self) -> str:
        return f"<select of {_listed(self._operations)}>"

    def __await__(self) -> Generator[Any, Any, Selected]:
        pace.left -= 1
        if pace.left < 0:
            pace.left = BURST
            yield
        selected = _attempt(self._operations, self._priority)
        if selected is not None:
            return selected
        if self._timeout is not None and self._timeout <= 0:
            raise self._timed_out()
        return (yield from self._wait())

    def _wait(self) -> Generator[Any, Any, Selected]:
        loop = asyncio.get_running_loop()
        pace.left = BURST
        choice = Choice(loop, self._operations)
        timer = None if self._timeout is None else loop.call_later(self._timeout, choice.give_up)
        try:
            outcome = yield from choice.future
        except BaseException:       # cancelled, or the whole task is thrown away
            choice.abandon()
            raise
        finally:
            if timer is not None:
                timer.cancel()
            choice.leave_ends()
        if outcome is TIMED_OUT:
            raise self._timed_out()
        case, told = outcome
        return case.operation.complete(case.index, told)

    def _timed_out(self) -> TimeoutError:
        return TimeoutError(f"select of {len(self._operations)} operations: none was done within {self._timeout:g} s")


class Choice:
    """One select that waits: its future, and its cases."""

    __slots__ = ("cases", "future")

    def __init__(self, loop: asyncio.AbstractEventLoop, operations: tuple[Given, ...]) -> None:
        self.future = loop.create_future()
        self.cases = [Case(self, index, op) for index, op in enumerate(operations) if op is not None]

    def withdraw(self) -> None:
        for case in self.cases:
            case.queue.pop(case, None)

    def leave_ends(self) -> None:
        for case in self.cases:
            end = case.operation._end
            if end is not None:
                end.waiting.pop(case, None)

    def give_up(self) -> None:
        """The timer's work."""
        if not self.future.done():
            self.withdraw()
            self.future.set_result(TIMED_OUT)

    def abandon(self) -> None:
        self.withdraw()
        if self.future.done() and not self.future.cancelled():
            outcome = self.future.result()
            if outcome is not TIMED_OUT:
                case, told = outcome
                case.operation.undo(told)


class Case:
    """The waiter of one operation of a select. Settling it settles the select, and withdraws its other cases."""

    __slots__ = ("choice", "index", "operation", "queue")

    def __init__(self, choice: Choice, index: int, operation: Operation[Any]) -> None:
        self.choice = choice
        self.index = index
        self.operation = operation
        self.queue: Queue = operation.enlist(self)

    def set_result(self, outcome: Any) -> None:
        self.choice.future.set_result((self, outcome))
        self.choice.withdraw()

    def done(self) -> bool:
        return self.choice.future.done()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.choice.future.get_loop()


def _attempt(operations: tuple[Given, ...], priority: bool) -> Selected | None:
    """Pass 1."""
    ready = [index for index, op in enumerate(operations) if op is not None and op.is_ready()]
    while ready:
        index = ready.pop(0 if priority else _draw(len(ready)))
        operation = operations[index]
        selected = operation.attempt(index) if operation is not None else None
        if selected is not None:    # None: the one who made it look ready waits on a loop that is closed
            return selected
    return None


def _draw(number: int) -> int:
    if number == 1:
        return 0
    source = getattr(_get_running_loop(), "random", random)
    return int(source.random() * number)


def _checked(operations: tuple[Any, ...]) -> tuple[Given, ...]:
    for index, operation in enumerate(operations):
        if operation is None:
            continue
        if not isinstance(operation, Operation):
            raise TypeError(f"select wants operations like channel.receive(), or None; number {index} is {operation!r}")
        if operation._timeout is not None:
            raise TypeError(f"give the timeout to the select: number {index}, {operation!r}, has one of its own")
    return operations


def _listed(operations: tuple[Given, ...]) -> str:
    named = ", ".join(repr(operation) for operation in operations if operation is not None)
    return named or "nothing"
