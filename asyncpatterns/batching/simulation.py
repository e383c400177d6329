"""What a batcher would do with a given load, without a clock, a loop or a model: half an hour in a second.

It is driven by events (a batch is sealed, a batch is done) and decides with the same functions as the batcher itself:
`policy`, `Promise` and `ServiceTime`. Between two events the queue only grows, so arrivals are handled a slice at a
time. One key, one row per request, no timeouts.

Invariant: for the same arrivals and the same service times the latencies are those of the batcher on a virtual clock.
"""

import heapq
import math
import random
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import policy
from .estimate import ServiceTime
from .policy import Waiting
from .promise import Promise
from .settings import DEFAULT_SIZE, QUEUE_OF_BATCHES


@dataclass(frozen=True, slots=True)
class Simulated:
    """`latencies`: seconds of each answered request, in order of sealing; `sizes`: how many batches had so many."""

    offered: int
    duration: float
    rejected: int
    expired: int
    latencies: list[float]
    sizes: Counter[int]

    @property
    def answered(self) -> int:
        return len(self.latencies)

    @property
    def mean(self) -> float:
        return math.fsum(self.latencies) / max(1, self.answered)

    def quantile(self, share: float) -> float:
        """The smallest latency that at least `share` of the answered do not exceed; nan when nobody was answered."""
        if not self.latencies:
            return math.nan
        return sorted(self.latencies)[max(0, math.ceil(share * self.answered) - 1)]

    def goodput(self, slo: float) -> float:
        """Answers within `slo`, per second."""
        return sum(latency <= slo + policy.TOLERANCE for latency in self.latencies) / self.duration


def poisson(rate: float, duration: float, seed: int = 0) -> list[float]:
    """When requests come: `rate` per second on average, for `duration` seconds."""
    draw, when, times = random.Random(seed).expovariate, 0.0, []
    while (when := when + draw(rate)) < duration:
        times.append(when)
    return times


def simulate(service_time: Callable[[int], float], arrivals: Sequence[float], *, max_batch_size: int = DEFAULT_SIZE,
             max_queue: float | None = None, slo: float | None = None, linger: float = 0.0,
             workers: int = 1) -> Simulated:
    """Serves `arrivals`, ascending times in seconds, where a batch of n takes `service_time(n)` seconds.

    The options are those of `Batcher`. `service_time` is called once for each batch, so it may be a random one.
    """
    run = _Run(service_time, arrivals, max_batch_size, max_queue, slo, linger, workers)
    run.to_the_end()
    duration = arrivals[-1] if len(arrivals) else 0.0
    return Simulated(len(arrivals), duration or 1.0, run.rejected, run.expired, run.latencies, run.sizes)


@dataclass(slots=True)
class _Run:
    service_time: Callable[[int], float]
    arrivals: Sequence[float]
    max_batch_size: int
    max_queue: float | None
    slo: float | None
    linger: float
    workers: int
    rejected: int = 0
    expired: int = 0
    latencies: list[float] = field(default_factory=list)
    sizes: Counter[int] = field(default_factory=Counter)
    seen: int = 0                                                   # arrivals that have been looked at
    queue: deque[float] = field(default_factory=deque)              # when those who wait have come
    idle: list[float] = field(default_factory=list)                 # since when each idle worker is, longest first
    running: list[tuple[float, float, int]] = field(default_factory=list)      # (done, began, size) of each batch
    last_start: float = -math.inf
    limit: int = 0
    room: float = 0
    time: ServiceTime = field(default_factory=ServiceTime)
    promise: Promise = field(init=False)

    def __post_init__(self) -> None:
        self.promise = Promise(self.time)
        self.idle = [-math.inf] * self.workers
        self._retune()

    def to_the_end(self) -> None:
        while True:
            done = self.running[0][0] if self.running else math.inf
            if self.idle and not self.queue and self.seen < len(self.arrivals) and self.arrivals[self.seen] <= done:
                self._admit_next()
            elif self.idle and self.queue and (now := self._seal_time()) < done:
                self._admit_until(now)
                self._seal(now)
            elif self.running:
                self._admit_until(done)
                self._finish()
            else:
                return

    # --- arrivals ---

    def _admit_until(self, now: float) -> None:
        """All that come up to `now`; nothing else happens in between."""
        end = bisect_right(self.arrivals, now, self.seen)
        if self.slo is not None and not self._by_number_alone():
            while self.seen < end:
                self._admit_next()
            return
        fits = max(0, min(end - self.seen, int(min(self.room - len(self.queue), len(self.arrivals)))))
        self.queue += self.arrivals[self.seen:self.seen + fits]
        self.rejected += end - self.seen - fits
        self.seen = end

    def _by_number_alone(self) -> bool:
        return self.promise.rule == "2T" and (not self.queue or self.queue[0] >= self.last_start)

    def _admit_next(self) -> None:
        now = self.arrivals[self.seen]
        self.seen += 1
        if self.slo is None or self._promised(now):
            self.queue.append(now)
        else:
            self.rejected += 1

    def _promised(self, now: float) -> bool:
        promise, waiting, slo = self.promise, len(self.queue), self.slo or 0.0
        if promise.rule == "probe":
            return not waiting and not self.running and now >= promise.next_probe(self.last_start)
        if not promise.room_for(1, waiting, sum(size for *_, size in self.running)) or waiting + 1 > self.room:
            return False
        if promise.rule == "cold" or self._by_number_alone():
            return True
        due = (self.queue[0] if waiting else now) + slo
        return promise.in_time([Waiting(None, waiting + 1, now, due)], self._free_times(now, promise.cost))

    def _free_times(self, now: float, cost: policy.Cost) -> list[float]:
        ends = [began + cost(size) for _, began, size in self.running]
        return [now] * len(self.idle) + [end if end > now else max(now + 1e-3, 2 * now - end) for end in ends]

    # --- batches ---

    def _seal_time(self) -> float:
        """The linger is over, or before that the arrival that fills the batch."""
        start = max(self.idle[0], self.queue[0])
        if not self.linger or len(self.queue) >= self.limit:
            return max(start, self.idle[0])
        index = self.seen + self.limit - len(self.queue) - 1
        full = self.arrivals[index] if index < len(self.arrivals) else math.inf
        return min(policy.seal_time(self.idle[0], self.queue[0], self.linger), full)

    def _seal(self, now: float) -> None:
        count = min(self.limit, policy.share(len(self.queue), len(self.queue), len(self.idle), 0))
        batch = [self.queue.popleft() for _ in range(count)]
        if self.slo is not None and self.time.count and self.promise.rule != "probe":
            due = [arrived + self.slo for arrived in batch]
            late = set(policy.hopeless(due, [1] * count, now, self.time.typical))
            self.expired += len(late)
            batch = [arrived for index, arrived in enumerate(batch) if index not in late]
        if batch:
            self.idle.pop(0)
            self.last_start = now
            self.sizes[len(batch)] += 1
            done = now + self.service_time(len(batch))
            heapq.heappush(self.running, (done, now, len(batch)))
            self.latencies += [done - arrived for arrived in batch]

    def _finish(self) -> None:
        done, began, size = heapq.heappop(self.running)
        self.idle.append(done)
        if self.slo is not None:
            self.time.observe(size, done - began)
            self._retune()

    def _retune(self) -> None:
        self.limit = self.max_batch_size
        self.room = QUEUE_OF_BATCHES * self.limit if self.max_queue is None else self.max_queue
        if self.slo is not None:
            self.promise.retune(self.slo, self.linger, self.limit, None)
            self.limit = max(1, min(self.limit, self.promise.rows))
            self.room = min(self.room, self.promise.rows) if self.promise.rule != "probe" else self.room
