"""What a batcher has counted.

Invariant: admitted = answered + failed + expired + cancelled + waiting + running, at every moment and on every thread.
It holds because the requests that run are not counted at all: they are the admitted ones that neither wait nor have
had their end.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

KEEP_DELAYS, KEEP_TIMES = 4096, 1024


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of the most recent values, in seconds; zeros when there are none."""

    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    max: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float]) -> "Quantiles":
        ordered = sorted(values)
        if not ordered:
            return cls()
        return cls(*(ordered[math.ceil(share * len(ordered)) - 1] for share in (0.50, 0.90, 0.99, 1.0)))


@dataclass(frozen=True, slots=True)
class Statistics:
    """A snapshot. Counts are of requests unless they say otherwise.

    `batches`: batches sealed; `calls`: calls of the function, more than batches where failed ones were bisected;
    `padding`: rows added to reach allowed sizes; `sizes`: how many batches had so many rows, padding not counted;
    `sealed`: how many batches were sealed for which reason (the reasons are those of the event `Sealed`);
    `queue_delay`: seconds from arrival to start; `service_time`: seconds of one call; `b` and `a`: T(n) = b + a·n in
    seconds for n rows; `limit`: rows that the next batch may have; `room`: rows that may wait.
    """

    admitted: int
    answered: int
    failed: int
    expired: int
    cancelled: int
    waiting: int
    running: int
    rejected: int
    batches: int
    calls: int
    padding: int
    waiting_rows: int
    sizes: dict[int, int]
    sealed: dict[str, int]
    queue_delay: Quantiles
    service_time: Quantiles
    b: float
    a: float
    limit: int
    room: float

    def __str__(self) -> str:
        mean = sum(size * count for size, count in self.sizes.items()) / max(1, self.batches)
        return (f"{self.admitted} admitted = {self.answered} answered + {self.failed} failed + {self.expired} expired"
                f" + {self.cancelled} cancelled + {self.waiting} waiting + {self.running} running;"
                f" {self.rejected} rejected; {self.batches} batches of {mean:.3g} rows on average;"
                f" T(n) = {1e3 * self.b:.3g} ms + {1e3 * self.a:.3g} ms·n")


@dataclass(slots=True)
class Ledger:
    """The counts as they grow."""

    admitted: int = 0
    answered: int = 0
    failed: int = 0
    expired: int = 0
    cancelled: int = 0
    rejected: int = 0
    batches: int = 0
    calls: int = 0
    padding: int = 0
    sizes: Counter[int] = field(default_factory=Counter)
    sealed: Counter[str] = field(default_factory=Counter)
    delays: deque[float] = field(default_factory=lambda: deque(maxlen=KEEP_DELAYS))
    times: deque[float] = field(default_factory=lambda: deque(maxlen=KEEP_TIMES))

    def settled(self) -> tuple[int, int, int, int]:
        return self.answered, self.failed, self.expired, self.cancelled
