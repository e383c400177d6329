"""How mail is handled: an activation begins with the first message and ends when the mailbox is empty.

Invariants
    1. At most one activation of a cell exists: a callback of the loop (`drain`) while its handlers do not wait, a
       task (`_serve`) when one does. An idle cell has neither, and no mailbox.
    2. After `BUDGET` messages other callbacks of the loop have a turn.
    3. Whatever is unusual (a verdict, a stash, a promise, an ask made inside) raises `attention`, and an envelope in
       the mail raises `sealed`, so that the usual message costs a look at two flags. Only a handler can raise
       `attention` while a `drain` goes on, and `handled` is counted up when it ends.
    4. A turn, the handling of one message, has a serial number that no other turn of the cell ever has. Tasks which a
       handler starts inherit it in their context; that is how an ask knows on whose behalf it is made. Messages in a
       row share a number as long as nobody knows it: the handlers so far have queued nothing in the loop, no callback
       and no timer, or they are of a kind that never returns anything to await. (Setting a context variable costs as
       much as the rest of handling a message.)
"""

import asyncio
import contextlib
from collections.abc import Sized
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from .asking import BEHALF, Ask, end_turn
from .ending import finish
from .errors import ActorStopped, Ended
from .mailbox import VOID, Farewell, Notice
from .parts import NOTHING, Mark, drop_unstarted, escapes, timers_of, waits
from .timers import Timer

if TYPE_CHECKING:
    from .cell import Cell

# So many messages are handled before other callbacks of the loop have a turn.
BUDGET: Final = 256

_BUDGET: Final = range(BUDGET)
_ENVELOPES: Final[frozenset[Any]] = frozenset({Ask, Farewell, Notice, Timer})
# Types of answers that are surely nothing to await: a look into a set is quicker than a look for `__await__`.
_SETTLED: Final = frozenset({bool, int, float, str, bytes, list, tuple, dict, set})


def activate(cell: "Cell") -> None:
    cell.busy = True
    system = cell.system
    if cell.traits.handler_waits and cell.verdict is None:
        # The task is made here, not in a callback: that saves a turn of the loop, and with it a third of a hop.
        cell.task = asyncio.Task(
            _serve(cell), loop=system.loop, name=cell._title or cell.title, context=system.context.copy()
        )
    else:
        system.loop.call_soon(drain, cell, context=system.context.copy())


def drain(cell: "Cell") -> None:
    """One activation of an actor whose handler does not wait, in one go."""
    actor, mail, void = cell.actor, cell.mail, 0
    BEHALF.set((cell, cell.serial))
    attention = cell.attention
    ready, queued, armed, may_wait = cell.system.ready, -1, 0, not cell.traits.answers_nothing
    for handled in _BUDGET:
        if not mail:
            break
        if may_wait and handled and len(ready) != queued:
            _number(cell)
            queued, armed = len(ready), len(timers_of(cell.system.loop))
        entry: Any = mail.popleft()
        if attention and _look_up(cell, entry):
            break
        message = entry
        if cell.sealed and entry.__class__ in _ENVELOPES:
            message = entry.open(cell)
            if message is VOID:
                void += 1
                continue
        cell.entry = entry
        try:
            answer = actor.receive(message)
        except BaseException as error:
            cell.handled += handled - void
            _raised(cell, error)
            if escapes(error):
                raise
            return
        if answer is not None and answer.__class__ not in _SETTLED and waits(answer):
            cell.entry = NOTHING        # no step of it has run yet
            cell.handled += handled - void
            if handled and cell.mark is None and _shared(cell, queued, armed):
                end_turn(cell)
            cell.task = cell.new_task(_serve_from(cell, entry, answer))
            return
        if cell.attention:
            _attend(cell, entry, answer)
            attention, queued = cell.attention, -1      # if it has promised an answer, the number stays with that
        elif entry is not message and entry.__class__ is Ask:
            entry.answer(answer)
    else:
        handled = BUDGET
    cell.handled += handled - void
    if mail and cell.verdict is None:
        end_turn(cell)
        cell.system.loop.call_soon(drain, cell, context=cell.system.context.copy())
    else:
        _pause(cell)


def _shared(cell: "Cell", queued: int, armed: int) -> bool:
    """May a callback that a handler before this one has left know its number, or has it left nothing itself?"""
    if cell.traits.answers_nothing:
        cell.traits.answers_nothing = False     # somebody has given an instance another `receive`
        return True
    return len(cell.system.ready) == queued or len(timers_of(cell.system.loop)) != armed


async def _serve(cell: "Cell") -> None:
    """One activation of an actor whose handler waits, as a task."""
    actor, ready = cell.actor, cell.system.ready
    place: Any = None
    timers: Sized = ()
    armed = 0
    is_first = True
    BEHALF.set((cell, cell.serial))
    while (mail := cell.mail) and cell.verdict is None:
        for _ in _BUDGET:
            if not mail:
                break
            entry: Any = mail.popleft()
            if cell.attention and _look_up(cell, entry):
                break
            message = entry
            if cell.sealed and entry.__class__ in _ENVELOPES:
                message = entry.open(cell)
                if message is VOID:
                    continue
            cell.entry = entry
            if is_first:
                is_first = False        # it has the number of this activation: most have one message only
            elif not ready or ready[-1] is not place or len(timers) != armed:
                place = _new_turn(cell)
                timers = timers_of(cell.system.loop)
                armed = len(timers)
            try:
                answer = actor.receive(message)
                if answer is not None and (answer.__class__ is CoroutineType or waits(answer)):
                    answer = await answer
            except BaseException as error:
                _raised(cell, error)
                if escapes(error):
                    raise
                return
            cell.handled += 1
            if cell.attention:
                _attend(cell, entry, answer)
                place = None
            elif entry is not message and entry.__class__ is Ask:
                entry.answer(answer)
        else:
            end_turn(cell)
            is_first = False
            await asyncio.sleep(0)
    _pause(cell)


def _new_turn(cell: "Cell") -> Any:
    """Give the turn that begins a number of its own, and return the place in the loop's queue where it began.

    While nothing is queued behind that place, nobody has started a task and the handler has not been suspended (or
    the place would have been passed).
    """
    _number(cell)
    ready = cell.system.ready
    if not ready:
        cell.system.loop.call_soon(_nothing)
    return ready[-1]


def _number(cell: "Cell") -> None:
    cell.serial += 1
    BEHALF.set((cell, cell.serial))


def _nothing() -> None:
    """Holds a place in the queue of the loop."""


async def _serve_from(cell: "Cell", entry: Any, answer: Any) -> None:
    """A plain handler has returned something to await: go on as a task."""
    if cell.is_doomed():
        drop_unstarted(answer)
        cell.mark = None
        cell.lose(entry, "killed before its handler had begun", lambda: ActorStopped(cell.path, cell.verdict))
        _pause(cell)
        return
    cell.entry = entry
    BEHALF.set((cell, cell.serial))     # the number that it had in `drain`: tasks it has started there are its own
    try:
        answer = await answer
    except BaseException as error:
        _raised(cell, error)
        if escapes(error):
            raise
        return
    cell.handled += 1
    _attend(cell, entry, answer)
    cell.serial += 1
    await _serve(cell)


def _look_up(cell: "Cell", entry: Any) -> bool:
    """Before a message is handled: is the incarnation to end instead? Then the message stays where it was."""
    if cell.verdict is not None:
        assert cell.mail is not None
        cell.mail.appendleft(entry)
        return True
    if cell.senders is not None:
        cell.admit()
    cell.attention = cell.senders is not None
    return False


def _attend(cell: "Cell", entry: Any, answer: Any) -> None:
    """A message has been handled, and something unusual has happened meanwhile."""
    cell.attention = cell.verdict is not None or cell.senders is not None
    cell.turn = None
    mark, cell.mark = cell.mark, None
    if mark is Mark.PROMISED:
        cell.rarely().reply = None
    elif mark is None and entry.__class__ is Ask:
        entry.answer(answer)


def _raised(cell: "Cell", error: BaseException) -> None:
    """A handler has raised, or was cancelled: its incarnation ends."""
    entry, mark = cell.entry, cell.mark
    cell.mark = None
    end_turn(cell)
    reason: Any = error
    if isinstance(error, asyncio.CancelledError) and cell.verdict is not None:
        reason = cell.verdict if cell.is_doomed() else Ended.KILLED
    if entry.__class__ is Ask:
        entry.fail(_for_the_asker(cell, reason))
    if mark is not None:
        cell.take_back(mark)
    finish(cell, reason, told=entry.__class__ is Ask)


def _for_the_asker(cell: "Cell", reason: Any) -> BaseException:
    if not isinstance(reason, Exception):
        return ActorStopped(cell.path, reason)      # a CancelledError would look as if the asker were cancelled
    note = f"raised by the actor {cell.path}"
    with contextlib.suppress(Exception):        # a frozen one takes no notes
        if note not in getattr(reason, "__notes__", ()):
            reason.add_note(note)
    return reason


def _pause(cell: "Cell") -> None:
    """The end of an activation: the mailbox is empty, or the incarnation is to end."""
    cell.entry = NOTHING        # end_turn, written out: most activations are of one message
    cell.turn = cell.task = None
    cell.serial += 1
    if cell.verdict is not None:
        finish(cell, cell.verdict)
    elif cell.closed:
        finish(cell, Ended.STOPPED)
    else:
        cell.attention = cell.senders is not None
        cell.mail = None
        cell.busy = cell.sealed = False
        if cell.extras is not None and cell.extras.keeper is not None:
            cell.extras.keeper.idle(cell)
