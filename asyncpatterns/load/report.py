"""What a run was and what came back: the numbers, and the one line that says them.

Invariants
    1. Every request that was sent is in exactly one place: sent = len(latencies) + sum(errors).
    2. Percentiles speak of answered requests only; rates and verdicts of all that were sent.
    3. goodput(slo) <= answered <= offered, and goodput rises with the slo up to answered.
    4. A report of a void run shows its numbers, says that they are void, and passes nothing.
"""

import bisect
import functools
import math
import os
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .verdict import Verdict
from .words import count, seconds
from .words import rate as per_second

# Sums of floats: a request that took exactly the slo is in time.
_ROUNDING = 1e-9


@dataclass(frozen=True, repr=False, eq=False)
class Report:
    """What `open_loop` and `closed_loop` return. Times are in seconds, rates per second.

    `latencies[i]` is that of the request scheduled (open loop) or sent (closed loop) `moments[i]` seconds after the
    start, in the order of the answers. `errors` counts failures by kind: the exception's type, `HTTP 503` for one
    with a `status`, `unanswered` for a request that did not end; `examples` has the text of the first of each kind.
    `void` is empty, or says why nothing may be concluded from the run; `lag` is the 0.99 quantile of how much later
    than scheduled the generator sent.
    """

    loop: Literal["open", "closed"]
    duration: float
    sent: int
    moments: Sequence[float]
    latencies: Sequence[float]
    errors: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    rate: float | None = None
    arrivals: str | None = None
    seed: int | None = None
    clients: int | None = None
    slo: float | None = None
    lag: float = 0.0
    void: str = ""
    cores: int = field(default_factory=lambda: usable_cores())

    # --- rates ---

    @property
    def offered(self) -> float:
        """Requests sent per second; in an open loop those of the schedule, whatever became of them."""
        return self.sent / self._window[1]

    @functools.cached_property
    def answered(self) -> float:
        """Answers per second that the target kept up, errors not among them.

        Open loop: over a window as long as the run, shifted by the quickest answer, so that an idle server loses
        nothing at the edge and an overloaded one gains nothing from the time it takes to work off its queue. Closed
        loop: the average at the end of the run or at the last answer, whichever is higher.
        """
        return self._rate(math.inf)

    def goodput(self, slo: float | None = None) -> float:
        """Answers within `slo` seconds, per second of the same window as `answered`; the run's own slo by default."""
        return self._rate(self._slo(slo))

    def _rate(self, slo: float) -> float:
        end, span = self._window
        limit = slo + _ROUNDING
        pairs = zip(self.moments, self.latencies, strict=True)
        return sum(latency <= limit and moment + latency <= end for moment, latency in pairs) / span

    @functools.cached_property
    def _window(self) -> tuple[float, float]:
        """(until when answers count, by how many seconds their number is divided)"""
        if not self.latencies:
            return self.duration, self.duration
        if self.loop == "open":
            return self.duration + self.min + _ROUNDING, self.duration
        ends = [moment + latency for moment, latency in zip(self.moments, self.latencies, strict=True)]
        last, in_time = max(ends), sum(end <= self.duration + _ROUNDING for end in ends)
        if last <= self.duration or in_time / self.duration >= len(ends) / last:
            return self.duration + _ROUNDING, self.duration
        return last, last

    # --- latencies ---

    @functools.cached_property
    def _sorted(self) -> "array[float]":
        return array("d", sorted(self.latencies))

    def percentile(self, share: float) -> float:
        """The smallest latency that at least `share` (0 to 1) of the answers do not exceed; nan without answers."""
        if not 0 <= share <= 1:
            raise ValueError(f"a percentile is a share between 0 and 1, such as 0.99, not {share!r}")
        return nearest_rank(self._sorted, share)

    @property
    def p50(self) -> float:
        return self.percentile(0.50)

    @property
    def p90(self) -> float:
        return self.percentile(0.90)

    @property
    def p99(self) -> float:
        return self.percentile(0.99)

    @property
    def max(self) -> float:
        return self.percentile(1.0)

    @property
    def min(self) -> float:
        return self.percentile(0.0)

    @property
    def mean(self) -> float:
        return math.fsum(self.latencies) / len(self.latencies) if self.latencies else math.nan

    # --- the verdict ---

    def verdict(self, slo: float | None = None, percentile: float = 0.99, confidence: float = 0.99) -> Verdict:
        """Is `percentile` of all requests answered within `slo` seconds, with this confidence?

        True only on a pass. Errors are misses; a void run and one with too few answers do not pass.
        """
        slo = self._slo(slo)
        in_time = bisect.bisect_right(self._sorted, slo + _ROUNDING)
        return Verdict(slo, percentile, confidence, self.sent, self.sent - in_time, self.void)

    def _slo(self, slo: float | None) -> float:
        slo = self.slo if slo is None else slo
        if slo is None:
            raise ValueError("which slo? this run had none: say it, in seconds")
        if not slo > 0:
            raise ValueError(f"an slo is a positive number of seconds, not {slo!r}")
        return slo

    # --- in words, and for files ---

    def __repr__(self) -> str:
        mark, reason = ("VOID ", f"; {self.void}") if self.void else ("", "")
        return f"<Report {mark}{self._load}: {self._answers}, {self._errors}{reason}>"

    def caption(self, *facts: str) -> str:
        """What a published figure must say, ready for a title: `caption("T(n) = 1 ms + 0.05 ms·n")` adds yours."""
        samples, cores = count(self.sent, "sample"), count(self.cores, "core")
        offered = f"{per_second(self.offered)} offered"
        return ", ".join((self._load, offered, samples, cores, *facts, *(["void"] if self.void else [])))

    @property
    def _load(self) -> str:
        span = f"for {seconds(self.duration)}"
        if self.loop == "closed":
            return f"closed loop, {count(self.clients or 0, 'client')} {span}"
        return f"open loop {per_second(self.sent / self.duration if self.rate is None else self.rate)} {span}"

    @property
    def _answers(self) -> str:
        if not self.latencies:
            return "none answered"
        pace = "" if self.loop == "open" and self._kept_up else f" ({per_second(self.answered)})"
        return f"{len(self.latencies):,} answered{pace}, p50 {seconds(self.p50)}, p99 {seconds(self.p99)}"

    @property
    def _kept_up(self) -> bool:
        return self.answered >= 0.99 * len(self.latencies) / self.duration

    @property
    def _errors(self) -> str:
        total = count(self.errors.total(), "error")
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in self.errors.most_common())
        return f"{total} ({kinds})" if kinds else total

    def to_json(self, raw: bool = False) -> dict[str, Any]:
        """A dict for `json.dumps`, with everything a reader needs to judge the numbers; `raw` adds every latency."""
        names = ("loop", "rate", "arrivals", "clients", "duration", "seed", "slo", "cores", "sent", "offered",
                 "answered", "mean", "min", "p50", "p90", "p99", "max", "lag", "void", "examples")
        values = {name: _plain(getattr(self, name)) for name in names}
        values |= {"samples": len(self.latencies), "errors": dict(self.errors)}
        if self.slo is not None:
            verdict = self.verdict()
            values |= {"goodput": self.goodput(), "passed": verdict.passed, "verdict": verdict.reason}
        if raw:
            values |= {"moments": list(self.moments), "latencies": list(self.latencies)}
        return values


def _plain(value: Any) -> Any:
    """JSON has no nan."""
    return None if isinstance(value, float) and math.isnan(value) else value


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank quantile of sorted values: always one of them, never an average; nan of nothing."""
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered) - _ROUNDING) - 1)]


def usable_cores() -> int:
    """The cores this process may run on, which in a container are fewer than the machine's."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
