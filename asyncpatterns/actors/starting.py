"""How an incarnation starts: the first one inside `spawn`, the others when a supervisor launches them.

Invariants
    1. `ref`, `system` and `parent` are known to the instance before its constructor runs.
    2. `on_start` comes before the first message; mail that arrives earlier waits.
    3. A new incarnation takes over from the old one after the old one's `on_stop` and before its own `on_start`.
       The old one counts until the new one is built: if a constructor raises, the next attempt takes over from it.
"""

import math
from typing import TYPE_CHECKING, Any

from .asking import begin_turn, end_turn
from .ending import bury, end_children, finish
from .errors import ActorStopped, Ended
from .parts import ENDING, HOOK, LIVE, RESTING, STARTING, drop_unstarted, escapes, waits
from .running import activate
from .traits import Traits

if TYPE_CHECKING:
    from .actor import Actor
    from .cell import Cell


def build(cell: "Cell", traits: Traits, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Make an instance of the class the cell's incarnation. If that raises, the old one stays."""
    old = cell.actor
    cls, construct = traits.cls, traits.construct
    actor: Actor = object.__new__(cls) if construct is None else construct(cls, *args, **kwargs)
    cell.actor = actor
    cell.traits = traits
    actor._cell = cell
    try:
        if args or kwargs:
            actor.__init__(*args, **kwargs)  # type: ignore[misc]
        elif traits.has_init:
            actor.__init__()  # type: ignore[misc]
        if old is not None:
            actor._take_over(old)
    except BaseException:
        cell.actor = old
        if cell.extras is not None and cell.extras.timers is not None:
            cell.extras.timers.close()
            cell.extras.timers = None
        raise


def begin(cell: "Cell", traits: Traits, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """The birth of an actor that nobody supervises."""
    try:
        build(cell, traits, args, kwargs)
    except BaseException:
        for child in list((cell.children or {}).values()):
            child.kill()
        bury(cell, Ended.KILLED)
        raise
    if traits.has_on_start:
        cell.phase = STARTING
        cell.system.loop.call_soon(_start, cell, context=cell.system.context.copy())
    elif cell.mail is None and cell.extras is None and not cell.closed:
        cell.phase = LIVE
        cell.busy = False
    else:
        _started(cell)      # its constructor has sent it mail, or stopped it, or what not


def _start(cell: "Cell") -> None:
    """Run a plain on_start here and now; one that waits gets a task."""
    if cell.verdict is not None:
        finish(cell, cell.verdict)
        return
    try:
        answer = cell.actor.on_start()
    except BaseException as error:
        _failed_to_start(cell, error)
        if escapes(error):
            raise
        return
    if waits(answer):
        cell.task = cell.new_task(_starting(cell, answer))
    else:
        _started(cell)


async def _starting(cell: "Cell", answer: Any = None, prepared: Any = None) -> None:
    """The part of a start that waits: for `prepared`, if that is there, and then on_start; or for its `answer`."""
    if cell.verdict is not None:
        drop_unstarted(answer)
        drop_unstarted(prepared)
        finish(cell, cell.verdict)
        return
    begin_turn(cell, HOOK)
    try:
        if answer is None:
            prepared = _prepare(cell) if prepared is None else prepared
            if waits(prepared):
                await prepared
            answer = cell.actor.on_start() if cell.traits.has_on_start else None
        if waits(answer):
            await answer
    except BaseException as error:
        _failed_to_start(cell, error)
        if escapes(error):
            raise
        return
    end_turn(cell)
    cell.task = None
    _started(cell)


def _prepare(cell: "Cell") -> Any:
    keeper = None if cell.extras is None else cell.extras.keeper
    return keeper.before_start(cell) if keeper is not None and keeper.takes_part else None


def _started(cell: "Cell") -> None:
    cell.phase = LIVE
    if cell.extras is not None and cell.extras.waiter is not None and not cell.extras.waiter.done():
        cell.extras.waiter.set_result(None)
    if cell.mail or cell.closed or cell.verdict is not None:
        activate(cell)
    else:
        cell.mail = None
        cell.busy = False
        if cell.extras is not None and cell.extras.keeper is not None:
            cell.extras.keeper.idle(cell)


def _failed_to_start(cell: "Cell", error: BaseException) -> None:
    end_turn(cell)
    if cell.verdict is None:
        finish(cell, error, hook=False)
    else:
        finish(cell, cell.verdict)      # killed while it was starting


def begin_again(cell: "Cell") -> None:
    """As `launch`, for a keeper that does not wait for the start but hears of a failure: no task unless a hook waits.

    Raises what the constructor raised.
    """
    _build_again(cell)
    try:
        prepared = _prepare(cell)
    except BaseException as error:
        _failed_to_start(cell, error)
        if escapes(error):
            raise
        return
    if waits(prepared):
        cell.task = cell.new_task(_starting(cell, prepared=prepared))
    else:
        _start(cell)


def _build_again(cell: "Cell") -> None:
    extras = cell.rarely()
    assert extras.recipe is not None
    cell.reason = cell.verdict = None
    cell.phase = STARTING
    cell.unstash()
    extras.hurry = False
    extras.restarts += extras.launched
    extras.launched = True
    extras.recipe(cell)


async def launch(cell: "Cell") -> None:
    """Build a new incarnation and wait until it has started. Raises what its constructor or its on_start raised."""
    extras = cell.rarely()
    verdict = cell.verdict if cell.phase is RESTING else None
    try:
        _build_again(cell)
    except BaseException:
        await end_children(cell, Ended.KILLED)      # those that the constructor had spawned
        cell.phase = RESTING
        raise
    extras.waiter = waiter = cell.system.loop.create_future()
    cell.task = cell.new_task(_starting(cell))
    reason = await waiter
    if reason is None and verdict is Ended.KILLED:
        cell.kill()
    if isinstance(reason, Exception):
        raise reason
    if reason is not None:
        raise ActorStopped(cell.path, reason)


async def halt(cell: "Cell") -> Any:
    """End the incarnation after the message it is handling, leave its mail to the next one; return the reason.

    It has the child's `shutdown` seconds for that; then the handler is cancelled, and the mail is left all the same.
    """
    extras = cell.rarely()
    if cell.phase is RESTING:
        return cell.reason
    extras.waiter = waiter = cell.system.loop.create_future()
    if cell.verdict is None or cell.phase is ENDING:
        cell.condemn(Ended.RESTARTED)
    if not cell.busy:
        finish(cell, Ended.RESTARTED)
    if extras.shutdown == 0:
        cell.expire()
    timer = None if extras.shutdown in (0, math.inf) else cell.system.loop.call_later(extras.shutdown, cell.expire)
    try:
        return await waiter
    finally:
        if timer is not None:
            timer.cancel()


def revive(cell: "Cell") -> None:
    """Make a dead cell one that can be launched again, under its old name: its references are good again."""
    cell.phase = RESTING
    cell.busy = True
    cell.reopen()
    cell.reason = cell.verdict = None
    if cell.parent is not None:
        cell.parent.adopt(cell)
