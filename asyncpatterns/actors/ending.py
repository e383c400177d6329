"""How an incarnation ends, and what is left to do when an actor is dead.

Invariants
    1. Children end before their parent's `on_stop`: right to left, each when the one beside it is gone.
    2. `on_stop` runs once for every incarnation that was started, whatever ended it. One whose `on_start` raised was
       not started.
    3. DEAD is told once to everybody who waits for it. Nothing stays of the actor but its path and its reason.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .asking import begin_turn, end_turn
from .errors import ActorStopped, Ended
from .parts import DEAD, ENDING, HOOK, RESTING, Keeper, escapes, waits

if TYPE_CHECKING:
    from .cell import Cell

logger = logging.getLogger("asyncpatterns.actors")

# What an actor that has failed gives its on_stop, and each of its children, if no supervisor said otherwise.
USUAL_SHUTDOWN: Final = 5.0
# An on_stop whose time is up may still take a few turns of the loop, to hand things over, but no time.
GRACE: Final = 16


def finish(cell: "Cell", reason: Any, *, hook: bool = True, told: bool = False) -> None:
    """The incarnation handles no more mail: end its children, let it say goodbye, and see what comes next.

    `hook` is false when it never started; `told` says that somebody has been given the exception already.
    """
    cell.phase = ENDING
    cell.busy = True
    cell.task = None
    cell.reason = reason
    keeper = _keeper(cell)
    if keeper is None:
        cell.close()
    if isinstance(reason, BaseException):
        _note_failure(cell, reason, told)
    if cell.extras is not None and cell.extras.timers is not None:
        cell.extras.timers.close()
        cell.extras.timers = None
    if cell.children or (hook and (cell.traits.has_on_stop or _takes_part(cell))):
        cell.task = cell.new_task(_end(cell, reason, hook))
    else:
        _over(cell, reason)


def _keeper(cell: "Cell") -> Keeper | None:
    return None if cell.extras is None or cell.extras.final else cell.extras.keeper


def _takes_part(cell: "Cell") -> bool:
    return cell.extras is not None and cell.extras.keeper is not None and cell.extras.keeper.takes_part


def _note_failure(cell: "Cell", error: BaseException, told: bool) -> None:
    extras = cell.rarely()
    extras.failed += 1
    if extras.keeper is not None:
        logger.info("actor %s failed; its supervisor decides", cell.path, exc_info=error)
    elif not (told or extras.watchers or extras.endings):
        logger.error("actor %s failed, and nobody watches it", cell.path, exc_info=error)


async def _end(cell: "Cell", reason: Any, hook: bool) -> None:
    try:
        if cell.children:
            await end_children(cell, reason)
        if hook:
            reason = await _say_goodbye(cell, reason)
    except (KeyboardInterrupt, SystemExit):
        _over(cell, reason)
        raise
    _over(cell, reason)


# --- children ---


async def end_children(cell: "Cell", reason: Any) -> None:
    """End all children for good, and wait until they are gone."""
    together = cell.actor is not None and cell.actor._ends_children_together     # there is none if it was never built
    for child in list((cell.children or {}).values()):
        if reason is Ended.KILLED:
            child.kill()
        elif together:
            child.rarely().final = True
            child.stop()
    while cell.children:
        await terminate(next(reversed(cell.children.values())), reason)


async def terminate(cell: "Cell", reason: Any = Ended.STOPPED) -> None:
    """End the actor for good, whatever its supervisor would think, and wait until it is gone."""
    if cell.extras is not None:
        cell.extras.final = True
    if cell.phase is RESTING:
        if cell.children:       # a supervisor that was built, but has not been started
            await end_children(cell, reason)
        bury(cell, Ended.STOPPED if cell.reason is None else cell.reason)
        return
    limit = _limit(cell, reason)
    if limit > 0:
        cell.stop()
    else:
        cell.expire()
    if cell.phase is DEAD:
        return      # it was idle and had nothing to do
    timer = None if limit in (0, math.inf) else cell.system.loop.call_later(limit, cell.expire)
    waiter = cell.queue_for_end()
    try:
        await waiter
    finally:
        cell.forget_end(waiter)
        if timer is not None:
            timer.cancel()


def _limit(cell: "Cell", reason: Any) -> float:
    """How many seconds an actor has to end, when its parent ends for this reason."""
    if cell.in_a_hurry() or (cell.parent is not None and cell.parent.in_a_hurry()):
        return 0
    if reason is Ended.KILLED:
        return math.inf     # it has been killed with its parent
    if cell.extras is not None and cell.extras.keeper is not None:
        return cell.extras.shutdown
    return USUAL_SHUTDOWN if isinstance(reason, BaseException) else math.inf


# --- on_stop ---


async def _say_goodbye(cell: "Cell", reason: Any) -> Any:
    """Run what is to run at the end of an incarnation, and return its reason, which a failure may change."""
    begin_turn(cell, HOOK)
    timer = None
    if isinstance(reason, BaseException) and _keeper(cell) is not None:
        timer = _limited(cell)
    try:
        if _takes_part(cell):
            reason = await _guarded(cell, cell.extras.keeper.before_stop, reason)  # type: ignore[union-attr]
        if cell.traits.has_on_stop:
            reason = await _guarded(cell, lambda cell, reason: cell.actor.on_stop(reason), reason)
    finally:
        end_turn(cell)
        if timer is not None:
            timer.cancel()
    return reason


def _limited(cell: "Cell") -> asyncio.TimerHandle | None:
    """A supervised actor that has crashed must come back, even if its on_stop hangs."""
    assert cell.extras is not None and cell.task is not None
    limit = cell.extras.shutdown or USUAL_SHUTDOWN
    return None if limit == math.inf else cell.system.loop.call_later(limit, _cut, cell, cell.task, 0)


async def _guarded(cell: "Cell", step: Callable[["Cell", Any], Any], reason: Any) -> Any:
    try:
        answer = step(cell, reason)
        if waits(answer):
            if cell.in_a_hurry():
                _cut(cell, cell.task, GRACE)
            await answer
    except BaseException as error:
        if escapes(error):
            raise
        if isinstance(reason, BaseException):
            return reason
        if isinstance(error, asyncio.CancelledError) and (cell.verdict is not None or cell.in_a_hurry()):
            return Ended.KILLED
        logger.error("actor %s failed while it was ending", cell.path, exc_info=error)
        return error if reason in (Ended.STOPPED, Ended.PASSIVATED) else reason
    return reason


def _cut(cell: "Cell", task: "asyncio.Task[None] | None", turns: int) -> None:
    if task is None or cell.task is not task:
        return
    if turns:
        cell.system.loop.call_soon(_cut, cell, task, turns - 1)
    else:
        task.cancel()


# --- what comes next ---


def _over(cell: "Cell", reason: Any) -> None:
    """The incarnation is over. Whoever ordered its end decides; else its keeper; else it is dead."""
    keeper = _keeper(cell)
    if keeper is not None and (reason in (Ended.STOPPED, Ended.KILLED) or cell.verdict is Ended.KILLED):
        cell.reopen()       # if it comes back from an end that somebody ordered, mail for it is welcome again
    cell.phase = RESTING
    cell.verdict = cell.task = None
    cell.attention = False
    cell.reason = reason
    extras = cell.extras
    if reason in (Ended.PASSIVATED, Ended.KILLED) and cell.mail and extras is not None and not extras.hurry:
        keeper = extras.keeper      # it has mail that was to be handled, even if it was told to end meanwhile
    if keeper is None or extras is None:
        bury(cell, reason)
    elif extras.waiter is not None and not extras.waiter.done():
        extras.waiter.set_result(reason)
    else:
        keeper.over(cell, reason)


def bury(cell: "Cell", reason: Any) -> None:
    """The end for good: tell everybody who waits for it, and let go of everything."""
    cell.phase = DEAD
    cell.busy = True
    cell.reason = reason
    cell.close()
    discard_mail(cell, str(cell.stopped_error()), reason)
    if cell.parent is not None:
        cell.parent.disown(cell)
    if cell.extras is not None:
        _tell_the_end(cell, reason)
    cell.actor = cell.ref = cell.task = cell.mail = None  # type: ignore[assignment]


def _tell_the_end(cell: "Cell", reason: Any) -> None:
    extras = cell.extras
    assert extras is not None
    for turn in list(extras.promises.values()):
        if turn.promised is not None:
            turn.promised.fail(ActorStopped(cell.path, reason))
    for watched in extras.watching:
        if watched.extras is not None:
            watched.extras.watchers.pop(cell, None)
    for watcher, ref in extras.watchers.items():
        watcher.rarely().watching.pop(cell, None)
        watcher.tell_the_end(cell, ref)
    for waiter in extras.endings:
        if not waiter.done():
            waiter.set_result(reason)
    if extras.waiter is not None and not extras.waiter.done():
        extras.waiter.set_result(reason)
    cell.extras = None


def discard_mail(cell: "Cell", why: str, reason: Any) -> None:
    """What is queued or stashed will not be handled."""
    lost = [*(cell.extras.stash if cell.extras is not None else ()), *(cell.mail or ())]
    cell.count_notices(-cell.notices)
    if cell.mail is not None:
        cell.mail.clear()
    if cell.extras is not None:
        cell.extras.stash.clear()
    for entry in lost:
        cell.lose(entry, why, lambda: ActorStopped(cell.path, reason))
