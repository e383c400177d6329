"""Question and answer: an ask carries its own waiter through the mailbox, and ends exactly once.

Invariants
    1. An ask's future is settled once: by the answer, by the failure of the handler, by the end of the actor, by a
       full mailbox, by its timer, or by the asker's cancellation. An answer that comes later is a dead letter.
    2. Asks wait for turns, turns wait for asks. A turn is one message (or hook) being handled; it is open while it
       is its actor's current one, and longer when it has promised a reply for later. An ask waits for its actor's
       current turn and for the turn that promised the reply; a turn waits for the asks made in it, also by helper
       tasks. An ask that would close a circle is refused when it is made, so there never is a circle.
    3. All asks with the usual timeout share one timer: the one made first expires first.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from .errors import AskCycle
from .mailbox import Envelope
from .operations import Operation
from .parts import NOTHING

if TYPE_CHECKING:
    from .cell import Cell
    from .ref import ActorRef

USUAL_TIMEOUT: Final = 5.0


class Turn:
    """One message being handled: what its asks wait for, and what waits for its asks."""

    __slots__ = ("asks", "cell", "promised", "serial")

    def __init__(self, cell: "Cell", serial: int) -> None:
        self.cell = cell
        self.serial = serial
        self.asks: dict[Ask | Errand, None] = {}     # made while handling it, and not over yet
        self.promised: Ask | None = None             # the ask it answers later

    def is_open(self) -> bool:
        return self.cell.turn is self or (self.promised is not None and not self.promised.future.done())

    def pending(self) -> "Iterator[Ask | Errand]":
        return (ask for ask in self.asks if not ask.future.done())


# On whose behalf a task runs: a cell, and the number of its turn. Helper tasks that a handler starts inherit it; their
# asks are asks of the handler as long as that turn is open.
BEHALF: "ContextVar[tuple[Cell, int] | None]" = ContextVar("behalf", default=None)


def begin_turn(cell: "Cell", entry: Any) -> None:
    """A handler or hook that may wait begins, in a task of its own."""
    cell.entry = entry
    cell.serial += 1
    BEHALF.set((cell, cell.serial))


def end_turn(cell: "Cell") -> None:
    cell.entry = NOTHING
    cell.turn = None
    cell.attention = cell.verdict is not None or cell.senders is not None
    cell.serial += 1


def current_turn() -> Turn | None:
    behalf = BEHALF.get()
    return None if behalf is None else behalf[0].turn_at(behalf[1])


class Ask(Operation[Any], Envelope):
    """A message that wants an answer: the operation one awaits, and the envelope that lies in the mailbox."""

    __slots__ = ("cell", "future", "message", "promiser", "turn")

    future: asyncio.Future[Any]

    def __init__(self, ref: "ActorRef", message: Any, timeout: float | None) -> None:
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout= wants seconds >= 0, or None for no limit, not {timeout!r}")
        self._ref = ref
        self._timeout = timeout
        self._steps = None
        self.message = message
        self.cell: Cell | None = None
        self.turn: Turn | None = None                # the one it was made in
        self.promiser: Turn | None = None            # the one that promised to answer later

    def __repr__(self) -> str:
        return f"<ask of {self._ref!r}>"

    def __await__(self) -> Generator[Any, Any, Any]:
        if self.cell is not None:
            return (yield from Ask(self._ref, self.message, self._timeout).__await__())
        self.cell = cell = self._ref._cell
        system = cell.system
        self.future = future = system.loop.create_future()
        timer = None
        try:
            if cell.busy or cell.traits.handler_waits:
                self._belong_to(current_turn())
                cell.post_ask(self)
            else:
                cell.handle_at_once(self)
                if future.done():
                    if system.sent_many():
                        yield       # a loop of asks that are answered at once still lets the others run
                    return future.result()
                self._belong_to(current_turn())
            if self._timeout == USUAL_TIMEOUT:
                system.deadlines.add(self)
            elif self._timeout is not None:
                timer = system.loop.call_later(self._timeout, self.expire)
            return (yield from future)
        except BaseException:
            self._given_up()
            raise
        finally:
            system.deadlines.remove(self)
            if timer is not None:
                timer.cancel()
            if self.turn is not None:
                self.turn.asks.pop(self, None)
            if self.promiser is not None:
                cell.forget_promise(self.promiser)

    def _belong_to(self, turn: Turn | None) -> None:
        """Be an ask of the handler that is waiting for it. Raises `AskCycle` when it would wait for ever."""
        if turn is not None:
            assert self.cell is not None
            if self.cell.turn is not None or self.promiser is not None:
                refuse_circle(self, turn)
            self.turn = turn
            turn.asks[self] = None

    def _given_up(self) -> None:
        """The asker does not wait any more; an answer that has come, but that he never saw, is a late one."""
        if not self.future.done():
            self.future.cancel()
        elif not self.future.cancelled() and self.future.exception() is None:
            self._too_late(self.future.result())

    # --- the side of the actor ---

    def answer(self, value: Any) -> None:
        if self.future.done():
            self._too_late(value)
        else:
            self.future.set_result(value)

    def fail(self, error: BaseException) -> None:
        if self.future.done():
            return
        if isinstance(error, StopIteration):        # a future refuses it: it would end the generator that awaits
            cause, error = error, RuntimeError("the handler raised StopIteration")
            error.__cause__ = cause
        self.future.set_exception(error)

    def expire(self) -> None:
        self.fail(TimeoutError(f"{self._ref.path} did not answer within {self._timeout} s"))

    def _too_late(self, value: Any) -> None:
        assert self.cell is not None
        asker = None if self.turn is None else self.turn.cell.reference()
        self.cell.system.dead_letters.add(asker, value, f"late reply: nobody waits for the answer of {self._ref.path}")


class Errand:
    """Somebody waits for an actor without having asked it: in the search for circles it counts like an ask."""

    __slots__ = ("cell", "future", "promiser")

    def __init__(self, cell: "Cell") -> None:
        self.cell = cell
        self.future = cell.system.loop.create_future()
        self.promiser: Turn | None = None


def refuse_circle(ask: "Ask | Errand", turn: Turn) -> None:
    """Raise `AskCycle` when `ask`, made in `turn`, would wait for the end of that very turn."""
    seen = set()
    trails: list[tuple[Ask | Errand, ...]] = [(ask,)]
    while trails:
        trail = trails.pop()
        for waited_for in _turns(trail[-1]):
            if waited_for is turn:
                raise AskCycle((turn.cell.path, *(step.cell.path for step in trail if step.cell is not None)))
            if waited_for not in seen:
                seen.add(waited_for)
                trails.extend((*trail, further) for further in waited_for.pending())


def _turns(ask: "Ask | Errand") -> Iterator[Turn]:
    """What must come to its end before the ask is answered."""
    if ask.cell is not None and ask.cell.turn is not None:
        yield ask.cell.turn
    if ask.promiser is not None:
        yield ask.promiser


class Reply:
    """The answer to a message, to be given later: `reply = self.reply_later()` inside `receive`.

    The actor goes on with its mail meanwhile. If the actor ends for good, open replies raise `ActorStopped`; across a
    restart they stay open. For a message that was told, not asked, the answer goes nowhere.
    """

    __slots__ = ("_answered", "_ask", "_callbacks", "_cell")

    def __init__(self, cell: "Cell", ask: Ask | None) -> None:
        self._cell = cell
        self._ask = ask
        self._answered = False
        self._callbacks: list[Callable[[Reply], object]] = []

    def __repr__(self) -> str:
        state = "done" if self.done() else "not asked for" if self._ask is None else "somebody waits"
        return f"<Reply of {self._cell.path}, {state}>"

    def set_result(self, value: Any) -> None:
        """Answer. Raises `asyncio.InvalidStateError` when answered before; an asker gone makes a dead letter."""
        self._close()
        if self._ask is not None:
            self._ask.answer(value)

    def set_exception(self, error: BaseException) -> None:
        """Answer with a failure: the asker's `await` raises `error` itself, the actor goes on."""
        self._close()
        if self._ask is None:
            return
        if self._ask.future.done():
            self._ask.answer(error)
        self._ask.fail(error)

    def done(self) -> bool:
        """Has it been answered, or has the asker given up (timed out, cancelled)?"""
        return self._answered or (self._ask is not None and self._ask.future.done())

    def add_done_callback(self, function: "Callable[[Reply], object]") -> None:
        """Call `function(reply)` soon after it is done, on the loop; soon, if it is done already."""
        if self._ask is not None:
            self._ask.future.add_done_callback(lambda _: function(self))
        elif self._answered:
            self._cell.system.loop.call_soon(function, self)
        else:
            self._callbacks.append(function)

    def withdraw(self) -> None:
        """The handler that promised it has raised instead, and the asker has been told."""
        if not self._answered:
            self._close()

    def _close(self) -> None:
        if self._answered:
            raise asyncio.InvalidStateError(f"{self!r} has been answered before")
        self._answered = True
        if self._ask is not None and self._ask.promiser is not None:
            self._cell.forget_promise(self._ask.promiser)
        for function in self._callbacks:
            self._cell.system.loop.call_soon(function, self)


class Deadlines:
    """One timer for all asks with the usual timeout, because a timer for each would cost more than the ask."""

    __slots__ = ("_due", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: OrderedDict[Ask, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, ask: Ask) -> None:
        self._due[ask] = due = self._loop.time() + USUAL_TIMEOUT
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._expire, due)

    def remove(self, ask: Ask) -> None:
        self._due.pop(ask, None)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self, now: float) -> None:
        self._timer = None
        while self._due:
            ask, due = next(iter(self._due.items()))
            if due > now:
                self._timer = self._loop.call_at(due, self._expire, due)
                return
            del self._due[ask]
            ask.expire()
