"""How much can it take? The largest rate at which a service keeps its promise: double until it fails, then bisect.

Invariants
    1. Every rate is judged by a verdict on a run long enough to be able to pass.
    2. `rate` passed. The next higher rate that was tried did not, or could not be offered, or was the limit: which
       of them is in `bound`.
    3. A void run is no evidence. It is repeated, and if this process cannot offer the rate at all, the result says
       "at least".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .generators import Target, open_loop
from .report import Report
from .schedule import positive
from .verdict import answers_needed
from .words import count, seconds
from .words import percentile as p
from .words import rate as per_second

_REPEATS = 2            # of a void run
_LONGEST = 10           # times `duration`: no run at a low rate takes longer


@dataclass(frozen=True, repr=False)
class LargestRate:
    """The result of `largest_rate`; `float()` of it is the rate, which is 0.0 if none passed.

    `bound` says what stopped the search: the `target` failed above `rate`, the `generator` could not offer more (its
    runs were void, so the target may well be able to take more), or the `limit` was reached. `runs` holds every report,
    in order.
    """

    rate: float
    slo: float
    percentile: float
    bound: Literal["target", "generator", "limit"]
    runs: tuple[Report, ...]

    def __float__(self) -> float:
        return self.rate

    def __bool__(self) -> bool:
        return self.rate > 0

    def __repr__(self) -> str:
        return f"<LargestRate {self._found} within {seconds(self.slo)} ({p(self.percentile)}){self._why}, " \
               f"{count(len(self.runs), 'run')}>"

    @property
    def _found(self) -> str:
        if not self.rate:
            return f"none: not even {per_second(min(run.rate or 0.0 for run in self.runs))}"
        return per_second(self.rate) if self.bound == "target" else f"at least {per_second(self.rate)}"

    @property
    def _why(self) -> str:
        if self.bound == "generator":
            void = next(run for run in reversed(self.runs) if run.void)
            return f"; {per_second(void.rate or 0.0)} was void, {void.void}"
        return "; the limit of the search" if self.bound == "limit" else ""


async def largest_rate(target: Target, *, slo: float, duration: float = 10.0, start: float | None = None,
                       limit: float = 50_000.0, precision: float = 0.05, percentile: float = 0.99,
                       confidence: float = 0.99, seed: int = 0, on_run: Callable[[Report], Any] | None = None,
                       **options: Any) -> LargestRate:
    """The largest rate in requests/s at which `percentile` of all requests are answered within `slo` seconds.

    Open-loop runs of `duration` seconds, longer (up to ten times) where the rate is too low to reach a verdict in that:
    from `start` (the lowest rate that can pass in `duration`, unless said otherwise) doubled until one fails, or
    halved until one passes, then bisected until the rate is known to `precision` (0.05 is 5 %). A void run is repeated
    twice with the same schedule; what stays void bounds the search, and the result says so.

    `on_run` is called with each report. `options` are those of `open_loop`: `arrivals`, `grace`, `on_progress`. Every
    run waits for its last answers, so that the next one finds the target idle. Raises and is cancelled as `open_loop`.
    """
    for name, value in (("slo", slo), ("duration", duration), ("limit", limit), ("precision", precision)):
        positive(name, value)
    fewest = _enough_requests(percentile, confidence)
    search = _Search(target, slo, duration, fewest, percentile, confidence, seed, on_run, options)
    start = min(limit, fewest / duration) if start is None else start
    positive("start", start)
    return await search.run(start, max(start, limit), 1.0 + precision)


def _enough_requests(percentile: float, confidence: float) -> float:
    """Enough to pass with two misses, even if the Poisson schedule happens to be a thin one."""
    needed = answers_needed(2, percentile, confidence)
    return needed + 4.0 * math.sqrt(needed)


@dataclass
class _Search:
    target: Target
    slo: float
    duration: float
    fewest: float
    percentile: float
    confidence: float
    seed: int
    on_run: Callable[[Report], Any] | None
    options: dict[str, Any]

    async def run(self, start: float, limit: float, precision: float) -> LargestRate:
        self.runs: list[Report] = []
        self.voids: set[float] = set()
        low, high = await self._bracket(start, limit)
        while low and high / low > precision and high < math.inf:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if await self._passes(middle) else (low, middle)
        bound: Any = "limit" if high == math.inf else "generator" if high in self.voids else "target"
        return LargestRate(low, self.slo, self.percentile, bound, tuple(self.runs))

    async def _bracket(self, start: float, limit: float) -> tuple[float, float]:
        """(a rate that passed, or 0, and one that did not, or infinity)"""
        low, rate = 0.0, start
        while await self._passes(rate):
            if rate >= limit:
                return rate, math.inf
            low, rate = rate, min(2 * rate, limit)
        high = rate
        while not low and high / 2 * self.duration * _LONGEST >= self.fewest:
            if await self._passes(high / 2):
                low = high / 2
            else:
                high /= 2
        return low, high

    async def _passes(self, rate: float) -> bool:
        for _ in range(1 + _REPEATS):
            report = await self._try(rate)
            if not report.void:
                return bool(report.verdict(self.slo, self.percentile, self.confidence))
        self.voids.add(rate)
        return False

    async def _try(self, rate: float) -> Report:
        duration = max(self.duration, self.fewest / rate)
        report = await open_loop(self.target, rate, duration, self.seed, self.slo, **self.options)
        self.runs.append(report)
        if self.on_run is not None:
            self.on_run(report)
        return report
