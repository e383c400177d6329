"""The batcher at work: a queue, workers, and one rule: a batch is sealed at the moment a worker takes it.

Invariants
    1. A request has exactly one outcome: `settle` is called once, and only for a request that has none.
    2. Items of different keys never meet in a batch, and no item that was cancelled or ran out of time while it waited
       ever reaches the function.
    3. While a worker is free and something waits, a dispatch is scheduled: for the end of this tick or, if the worker
       lingers, for the moment that is over. While nothing waits nothing is scheduled at all.
    4. Each worker is in `workers.free` or has exactly one batch in `running`.
"""

import asyncio
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from . import policy
from .batch import Batch, rows_of
from .deadlines import Deadlines
from .door import Door
from .errors import BatcherClosed, DeadlineExceeded, private
from .estimate import ServiceTime
from .events import Arrived, Sealed, Shed, Tap, done
from .function import Outcome
from .promise import Promise
from .queue import ANSWERED, CANCELLED, EXPIRED, FAILED, REFUSED, RUNNING, SETTLED, WAITING, Line, Queue, Request
from .settings import Settings
from .statistics import Ledger
from .workers import Workers

_WHY_SHED = {EXPIRED: "expired", CANCELLED: "cancelled", FAILED: "failed"}


class Owner(Protocol):
    """The batcher that its users see."""

    def _went_fatal(self, error: BaseException) -> None: ...


class Engine:
    """Everything a batcher does. It outlives the incarnation of the actor that owns it."""

    def __init__(self, function: Callable[[list[Any]], Any], settings: Settings, owner: Owner) -> None:
        self.owner = owner
        self.settings = settings
        self.workers = Workers(function, settings.workers, settings.name or "batcher")
        self.loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]     # until it is used
        self.now: Callable[[], float] = lambda: 0.0
        self.queue = Queue()
        self.running: dict[Batch, None] = {}       # in the order in which they were sealed
        self.time = ServiceTime(settings.sizes)
        self.promise = Promise(self.time)
        self.ledger = Ledger()
        self.tap = Tap()
        self.last_start = -math.inf
        self.closed = False
        self.cause: BaseException | None = None
        self.deadlines = Deadlines(self.queue, self._expire, self._about_to_seal)
        self._door = Door(self)
        self._paused = False
        self._wake: asyncio.Handle | None = None
        self._lingering = False
        self._drained: dict[asyncio.Future[None], None] = {}
        self.retune()

    def __repr__(self) -> str:
        busy = f", {len(self.running)}/{self.workers.count} workers busy"
        return f"{self.queue.rows}/{self.room} rows waiting{busy}{', closed' if self.closed else ''}"

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """The first loop that it is used on is the one."""
        if self.loop is None:
            self.loop = loop
            self.now = loop.time
        elif loop is not self.loop:
            raise RuntimeError(f"{self.owner!r} belongs to another event loop: make a batcher for each loop, or hand "
                               "the call over with asyncio.run_coroutine_threadsafe(batcher(item), its_loop)")

    # --- settings ---

    def retune(self) -> None:
        """A setting has changed, or a batch has been measured and there is an SLO."""
        settings = self.settings
        self.slo, self.limit = settings.slo, settings.max_batch_size
        self.room: float = settings.max_queue
        if self.slo is not None:
            self.promise.retune(self.slo, settings.linger, self.limit, settings.sizes)
            self.limit = max(1, min(self.limit, self.promise.rows))
            self.room = min(self.room, self.promise.rows)
        # So many rows may wait without a closer look; with an SLO everybody is looked at.
        self._open_to = -1 if self.closed or self.slo is not None else self.room

    def look_again(self) -> None:
        """A setting was assigned: it holds from the next batch on, also for one that is lingered for."""
        self.retune()
        if self._lingering:
            self._stop_lingering()
            self._wake = self.loop.call_soon(self._dispatch, math.inf, context=self.workers.context)

    # --- arrival ---

    def admit(self, request: Request) -> None:
        """Lets `request` in or refuses it; never raises because of that."""
        now = request.arrived = self.now()
        queue, ledger = self.queue, self.ledger
        if request.timeout is not None:
            request.deadline = now + request.timeout
        if queue.rows + request.rows > self._open_to and not self._may_enter(request, now):
            return
        request.id = ledger.admitted + 1
        line = queue.push(request)      # raises for a key that cannot be one
        request.state = WAITING
        ledger.admitted += 1
        if request.deadline < math.inf:
            self.deadlines.add(request, self.loop)
        if self.tap.listening:
            self.tap.tell(Arrived, now, request.id, request.key, request.rows, request.priority, queue.rows)
        if self.workers.free and (self._wake is None or self._lingering):
            self._call_worker(line, now)

    def _may_enter(self, request: Request, now: float) -> bool:
        if not self.closed and self.slo is not None:
            request.due = now + self.slo
            request.deadline = min(request.deadline, request.due)
        refusal = self.closed_error() if self.closed else self._door.refusal(request, now)
        if refusal is None:
            return True
        self.ledger.rejected += 1
        request.settle(REFUSED, refusal)
        if self.tap.listening:
            why = "closed" if self.closed else "overloaded"
            self.tap.tell(Shed, now, None, request.key, request.rows, request.priority, why)
        return False

    def _call_worker(self, line: Line, now: float) -> None:
        """A free worker looks at the queue two ticks from now: when everything has been said that is said in this one,
        and tasks that were given a call and cancelled in the same breath have passed that on. If nothing else is left
        to run by then, one tick is enough."""
        if self._lingering and line.rows >= self.limit:
            self._stop_lingering()
        if self._wake is None and not self._paused:
            self._wake = self.loop.call_soon(self._next_tick, now, context=self.workers.context)

    def _next_tick(self, asked: float) -> None:
        if self._is_alone():
            self._dispatch(asked)
        else:
            self._wake = self.loop.call_soon(self._dispatch, asked, context=self.workers.context)

    def _is_alone(self) -> bool:
        """Will nothing else run in this tick or the next, unless it comes from outside? A loop that does not say so
        (this one is asyncio's) is never alone."""
        return not getattr(self.loop, "_ready", True)

    def _about_to_seal(self) -> bool:
        return self._wake is not None and not self._lingering

    def _stop_lingering(self) -> None:
        if self._lingering and self._wake is not None:
            self._wake.cancel()
            self._wake, self._lingering = None, False

    # --- sealing ---

    def _dispatch(self, asked: float) -> None:
        """Free workers take what waits, and begin before anything else goes on here."""
        self._serve(asked)
        if not self._is_alone():
            self.workers.let_begin()

    def _serve(self, asked: float) -> None:
        """Free workers take what waits. `asked`: when they were called; a deadline that held then is kept."""
        self._wake, self._lingering = None, False
        now = self.now()
        self.deadlines.pass_(min(now, asked))
        while self.workers.free and len(self.queue) and not self._paused:
            line, wake_at = self._next_line(now)
            if line is None:
                self._wake = self.loop.call_at(wake_at, self._dispatch, math.inf, context=self.workers.context)
                self._lingering = True
                return
            self._seal(line, now)
        self._rest()

    def _next_line(self, now: float) -> tuple[Line | None, float]:
        """The line to be served now; or none, and when a lingering worker shall look again."""
        linger = self.settings.linger
        if not linger or self.closed:
            return self.queue.first_line(), now
        free_since, wake_at = self.workers.since[self.workers.free[0]], math.inf
        for line in self.queue.serving_order():
            when = policy.seal_time(free_since, line.oldest().arrived, linger)
            if line.rows >= self.limit or when <= now + policy.TOLERANCE:
                return line, now
            wake_at = min(wake_at, when)
        return None, wake_at

    def _seal(self, line: Line, now: float) -> None:
        """Makes a batch of the front of `line`, unless nobody is left in it who could still be answered."""
        waiting, free = line.rows, self.workers.free
        fair = min(self.limit, policy.share(waiting, self.queue.rows, len(free), self.queue.lines - 1))
        wanted = self._pad_or_cut(line, fair)
        before = self.queue.rows
        taken = self.queue.take(line, wanted)
        requests = self._still_wanted(taken, now)
        if not requests:
            return
        size = before - self.queue.rows if requests is taken else rows_of(requests)
        batch = Batch(self.ledger.batches + 1, free.popleft(), requests, size, now)
        batch.owner = self.owner
        batch.reason = self._reason(batch, waiting, fair, wanted)
        for request in requests:
            request.state = RUNNING
        self._start(batch, now)

    def _pad_or_cut(self, line: Line, rows: int) -> int:
        """How many of `rows` to take. What is left over lingers once more, and other lines have their turns before it,
        which counts where an answer in time was promised."""
        sizes, linger = self.settings.sizes, self.settings.linger
        if sizes is None or not self.time.trusted:
            return rows

        def cost(n: int) -> float:
            return self.time.typical(n) + linger
        wanted = policy.pad_or_cut(rows, sizes, cost)
        others = [other for other in self.queue.serving_order() if other is not line] if self.slo is not None else []
        if wanted == rows or (not others and line.rows == line.count):
            return wanted
        between = sum(cost(policy.padded(min(other.rows, self.limit), sizes)) for other in others)
        return wanted if policy.may_cut(line.front(wanted), wanted, rows, sizes, cost, between) else rows

    def _reason(self, batch: Batch, waiting: int, fair: int, wanted: int) -> str:
        if batch.size >= self.limit or (waiting > batch.size and wanted == self.limit):
            return "full"
        if wanted < fair:
            return "cut"
        if fair < waiting:
            return "share"
        if self.closed:
            return "closing"
        if self.settings.linger:
            return "linger"
        return "idle" if self.workers.since[batch.worker] <= batch.requests[0].arrived else "freed"

    def _still_wanted(self, requests: list[Request], now: float) -> list[Request]:
        """Without those cancelled in this very tick, and without those who would be answered too late."""
        gone = [request for request in requests if request.waiter is not None and request.waiter.done()]
        if gone:
            self._end(gone, CANCELLED, lambda _: asyncio.CancelledError(), now)
            requests = [request for request in requests if request.state == WAITING]
        if self.slo is not None and self.time.count and self.promise.rule != "probe":
            due, weights = [request.due for request in requests], [request.rows for request in requests]
            shed = [requests[index] for index in policy.hopeless(due, weights, now, self.time.typical)]
            if shed:
                self._end(shed, EXPIRED, lambda it: DeadlineExceeded(now - it.arrived, it.due - it.arrived), now)
                requests = [request for request in requests if request.state == WAITING]
        return requests

    def _start(self, batch: Batch, now: float) -> None:
        ledger = self.ledger
        self.running[batch] = None
        self.last_start = now
        ledger.batches += 1
        ledger.sizes[batch.size] += 1
        ledger.sealed[batch.reason] += 1
        ledger.delays.extend([now - request.arrived for request in batch.requests])
        self._run(batch, batch.requests)
        if self.tap.listening:
            self.tap.tell(Sealed, now, batch.number, batch.ids(), batch.key, batch.size, batch.rows - batch.size,
                          batch.reason, batch.worker, now - batch.requests[0].arrived, self.queue.rows)

    # --- running ---

    def _run(self, batch: Batch, part: list[Request]) -> None:
        """Calls the function for a part of the batch, which is all of it as long as nothing fails."""
        items = batch.items_of(part, self.settings.sizes)
        self.ledger.calls += 1
        if len(items) > len(part):
            self.ledger.padding += batch.rows - rows_of(part)
        batch.began = self.now()
        self.workers.start(batch.worker, items, self.loop, partial(self._over, batch))

    def _over(self, batch: Batch, outcome: Outcome) -> None:
        """A call of the function is over. First the worker gets something to do, then the callers are told."""
        now = self.now()
        part, fatal = batch.part, isinstance(outcome.error, self.settings.fatal)
        divided = outcome.divisible and not fatal and self.settings.isolate and len(part) > 1
        if outcome.error is None:
            self._learn(batch.rows, now - batch.began)
        elif fatal:
            part = batch.requests       # also those that have not been run
            batch.parts.clear()
            # The failure of an incarnation that has been replaced is history.
            fatal = batch.owner is self.owner
            self._paused = self._paused or fatal
        elif divided:
            batch.bisect()
        more = batch.next_part()
        if more:
            self._run(batch, more)
        else:
            self._tell_done(batch, now)
            self._release(batch, now)
        if not divided:
            self._settle(batch, part, outcome)
        self.workers.let_begin()
        if fatal and outcome.error is not None:
            self.owner._went_fatal(outcome.error)
        if not more:
            self._rest()

    def _learn(self, rows: int, seconds: float) -> None:
        self.time.observe(rows, seconds)
        self.ledger.times.append(seconds)
        if self.slo is not None:
            self.retune()

    def _release(self, batch: Batch, now: float) -> None:
        self.running.pop(batch, None)
        self.workers.release(batch.worker, now)
        if not len(self.queue) or self._wake is not None or self._paused:
            return
        if self.queue.rows >= self.limit * self.workers.count:
            self._serve(now)        # nobody's batch could become larger by the end of this tick
        else:
            self._wake = self.loop.call_soon(self._dispatch, now, context=self.workers.context)

    def _settle(self, batch: Batch, part: list[Request], outcome: Outcome) -> None:
        answered = failed = 0
        # Padding has results too; a failure has none, and is everybody's.
        results = outcome.results if outcome.error is None else [outcome.error] * len(part)
        lost = outcome.error is not None
        for request, result in zip(part, results, strict=False):
            if request.state != RUNNING:
                if not lost:
                    request.too_late(result)
            elif lost or isinstance(result, Exception):
                request.settle(FAILED, private(result))
                failed += 1
            else:
                request.settle(ANSWERED, result)
                answered += 1
        self.ledger.answered += answered
        self.ledger.failed += failed
        batch.tally.answered += answered
        batch.tally.failed += failed

    def _tell_done(self, batch: Batch, now: float) -> None:
        """Before the worker takes the next batch, so that no listener sees it with two. By the time that the event is
        read the requests have been counted."""
        if self.tap.listening:
            self.tap.tell(done, now, batch.number, batch.ids(), batch.size, now - batch.sealed, batch.worker,
                          batch.tally)

    # --- requests that never run ---

    def _end(self, requests: list[Request], state: int, error: Callable[[Request], BaseException], now: float) -> None:
        """They are out of the queue, and have not been started."""
        name = _WHY_SHED[state]
        setattr(self.ledger, name, getattr(self.ledger, name) + len(requests))
        for request in requests:
            request.settle(state, error(request))
            if self.tap.listening:
                self.tap.tell(Shed, now, request.id, request.key, request.rows, request.priority, name)

    def _take_out(self, requests: list[Request], state: int, error: Callable[[Request], BaseException]) -> None:
        for request in requests:
            request.state = state
            self.queue.remove(request)
        self._end(requests, state, error, self.now())
        self._rest()

    def _expire(self, late: list[Request]) -> None:
        now = self.now()
        self._take_out(late, EXPIRED, lambda each: DeadlineExceeded(now - each.arrived, each.deadline - each.arrived))

    def abandon(self, request: Request) -> bool:
        """Its caller has gone. False if there was an outcome already."""
        if request.state >= SETTLED:
            return False
        if request.state == WAITING:
            self._take_out([request], CANCELLED, lambda _: asyncio.CancelledError())
        else:       # it runs, or was never sent
            self.ledger.cancelled += request.state == RUNNING
            request.settle(CANCELLED, asyncio.CancelledError())
        return True

    # --- rest, and the end ---

    def _rest(self) -> None:
        """If nothing waits, nothing must wake us; if nothing runs either, a drain is over."""
        if len(self.queue):
            return
        self.deadlines.rest()
        self._stop_lingering()
        if self.closed and not self.running:
            self.tap.end()
            for waiter in self._drained:
                if not waiter.done():
                    waiter.set_result(None)

    def close(self, cause: BaseException | None = None) -> None:
        """Refuse from now on; what was admitted is still answered."""
        if not self.closed:
            self.closed, self.cause = True, cause
            self.look_again()
            self._rest()

    def fail_waiting(self, error: Callable[[Request], BaseException]) -> None:
        """What waits ends now."""
        self._take_out(list(self.queue), FAILED, error)

    def closed_error(self) -> BatcherClosed:
        error = BatcherClosed(f"{self.owner!r} takes no more requests")
        error.__cause__ = self.cause
        return error

    async def drain(self, timeout: float | None) -> None:
        """Refuse, and wait until everything admitted has its answer. A timeout or a cancellation changes nothing."""
        self.close()
        if len(self.queue) or self.running:
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._drained[waiter] = None
            try:
                async with asyncio.timeout(timeout):
                    await waiter
            finally:
                del self._drained[waiter]
        self.workers.stop()

    def abort(self, error: Callable[[Request], BaseException] | None = None) -> None:
        """No time is left: refuse, fail what waits, cancel what can be cancelled."""
        self.close()
        self.fail_waiting(error or (lambda _: self.closed_error()))
        self.workers.cancel()
        self.workers.stop()

    def resume(self, function: Callable[[list[Any]], Any], settings: Settings, owner: Owner) -> None:
        """A new incarnation takes over: its function and options, the old queue, workers when they are done."""
        self.owner, self.settings = owner, settings
        self.workers.call(function)
        self.closed, self.cause, self._paused = False, None, False
        self.retune()
        if len(self.queue) and self.workers.free and self._wake is None:
            self._wake = self.loop.call_soon(self._dispatch, self.now(), context=self.workers.context)
