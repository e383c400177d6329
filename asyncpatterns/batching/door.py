"""Whom to let in, and what to tell the others. Nothing here changes anything; it only looks.

Invariant: `retry_after` is when the same request would be let in if nobody else came, by the same test that has just
refused it.
"""

import math
from typing import TYPE_CHECKING

from . import policy
from .errors import Overloaded
from .policy import Outlook, Waiting
from .queue import Queue, Request

if TYPE_CHECKING:
    from .engine import Engine

# So much later than foreseen, so that a retry comes after the batch that makes room for it: more than the resolution
# of clocks, less than anybody measures.
_JUST_AFTER = 2e-9
# What a batch is supposed to take, at least, when nothing is known.
_A_MOMENT = 1e-3
# So many kinds of requests are remembered while nothing changes.
_ALIKE = 100


class Door:
    """The entrance of one batcher."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._state: object = None
        self._chances: dict[object, float] = {}

    def refusal(self, request: Request, now: float) -> Overloaded | None:
        """None if `request`, which comes `now`, may come in."""
        engine = self._engine
        if self._fits_queue(request.rows, engine.queue.rows) and (not engine.slo or self._fits_promise(request, now)):
            return None
        return Overloaded(self._wait_for_chance(request, now), engine.queue.rows, engine.room)

    def _fits_queue(self, rows: int, waiting: int) -> bool:
        return not waiting or waiting + rows <= self._engine.settings.max_queue

    def _fits_promise(self, request: Request, now: float) -> bool:
        engine, promise = self._engine, self._engine.promise
        if promise.rule == "probe":
            return not len(engine.queue) and not engine.running and now >= promise.next_probe(engine.last_start)
        if not promise.room_for(request.rows, engine.queue.rows, sum(batch.size for batch in engine.running)):
            return False
        if promise.rule == "cold":
            return self._needs_no_third_batch(request)
        if promise.rule == "2T" and self._waits_for_one_batch(request):
            return True
        queues, _ = _with_newcomer(agenda(engine.queue), request)
        return promise.in_time(queues, [max(now, when) for when in self.free_times(now, promise.cost)])

    def _needs_no_third_batch(self, request: Request) -> bool:
        """An SLO has room for two batches in a row, if for any: no worker gets more while nothing is known. Each key
        needs a batch of its own."""
        engine, queue = self._engine, self._engine.queue
        return queue.line(request.key) is not None or queue.lines + len(engine.running) < 2 * engine.workers.count

    def _waits_for_one_batch(self, request: Request) -> bool:
        """Do all that wait, with `request`, wait for a running batch only, and will then be in the same one?"""
        queue = self._engine.queue
        line = queue.line(request.key)
        return not queue.lines or (
            queue.lines == 1 and line is not None and line.oldest().arrived >= self._engine.last_start)

    # --- when there will be room ---

    def _wait_for_chance(self, request: Request, now: float) -> float:
        """Under overload many are refused, one like the other: while nothing changes, one look ahead will do."""
        engine, ledger = self._engine, self._engine.ledger
        state = (ledger.admitted, ledger.calls, len(engine.queue), len(engine.running), engine.limit, engine.room)
        if self._state != state or len(self._chances) >= _ALIKE:
            self._state = state
            self._chances.clear()
        like = (request.rows, request.key, request.priority)
        chance = self._chances.get(like, -math.inf)
        if chance <= now:
            chance = self._chances[like] = self._next_chance(request, now)
        return max(0.0, chance - now) + _JUST_AFTER

    def _next_chance(self, request: Request, now: float) -> float:
        engine = self._engine
        rows = request.rows
        cost = self._cost()
        free = self.free_times(now, cost)
        if engine.slo and engine.promise.rule == "probe":
            return max(*free, engine.promise.next_probe(engine.last_start))
        if engine.slo and engine.promise.rule == "cold":        # the end of the first batch will change the rule
            return min(self._ends(now, cost), default=now + _A_MOMENT)
        by_expiry = engine.deadlines.room_at(engine.queue.rows + rows - engine.room)
        best = math.inf if engine.slo else by_expiry
        judge = self._opening_by_promise if engine.slo else self._opening
        linger = engine.settings.linger
        for outlook in policy.future(now, agenda(engine.queue), free, engine.limit, linger, cost):
            if outlook.time >= best:
                break
            best = min(best, judge(request, outlook))
        return best

    def _opening(self, request: Request, outlook: Outlook) -> float:
        return outlook.time if self._fits_queue(request.rows, outlook.rows) else math.inf

    def _opening_by_promise(self, request: Request, outlook: Outlook) -> float:
        promise, waiting = self._engine.promise, outlook.rows
        if not self._fits_queue(request.rows, waiting):
            return math.inf
        if request.rows > promise.rows:         # it would have to find nobody here
            alone = not waiting and promise.fits_alone(request.rows)
            return max(outlook.time, *outlook.free) if alone else math.inf
        if waiting + request.rows > promise.rows:
            return math.inf
        request.due = math.inf      # counted from the moment of its admission, which is what we are looking for
        queues, place = _with_newcomer(outlook.queues, request)
        return promise.opening(outlook, place, queues)

    def _cost(self) -> policy.Cost:
        time = self._engine.time
        return time.likely if time.count else lambda rows: _A_MOMENT

    def free_times(self, now: float, cost: policy.Cost) -> list[float]:
        """When each worker is, or has been, free."""
        workers = self._engine.workers
        return [workers.since[worker] for worker in workers.free] + self._ends(now, cost)

    def _ends(self, now: float, cost: policy.Cost) -> list[float]:
        """When each running batch will be done.

        One that takes longer than foreseen is supposed to need as much again as it is late; one of which nothing can
        be foreseen, as much again as it has taken.
        """
        known = self._engine.time.count > 0
        ends = [batch.began + (cost(batch.rows) if known else 0.0) for batch in self._engine.running]
        return [end if end > now else max(now + _A_MOMENT, 2 * now - end) for end in ends]


def agenda(queue: Queue) -> list[Waiting]:
    """The lines of `queue` in serving order."""
    found = []
    for line in queue.serving_order():
        oldest = line.oldest()
        found.append(Waiting(line.key, line.rows, oldest.arrived, oldest.due, max(line.levels)))
    return found


def _with_newcomer(queues: list[Waiting], request: Request) -> tuple[list[Waiting], int]:
    """The same queues with `request` among them, and the place of its queue: behind all of its priority or higher."""
    key, priority = request.key, request.priority
    place = next((place for place, queue in enumerate(queues) if queue.key == key), -1)
    if place < 0:
        old, others = Waiting(key, 0, request.arrived, request.due, priority), queues
    else:
        old, others = queues[place], queues[:place] + queues[place + 1:]
    if place < 0 or priority > old.priority:
        place = sum(1 for queue in others if queue.priority >= priority)
    rows, due = old.rows + request.rows, min(old.due, request.due)
    new = old._replace(rows=rows, due=due, priority=max(old.priority, priority))
    return [*others[:place], new, *others[place:]], place
