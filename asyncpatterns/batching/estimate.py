"""How long a batch takes: T(n) = b + a·n, fitted while it is served.

Invariants
    1. With a steady, linear T the estimate is T itself, to rounding, from the third batch on.
    2. `upper` never promises what was not seen: beyond the largest batch seen it grows at least in proportion to the
       rows (a larger batch costs no more per row) until the fit is good enough to say better.
    3. One outlier changes nothing; a new level is believed when three batches in a row speak for it. An answer may be
       late for a hundred reasons but is never early by accident, so the way back down is short.
    4. Memory and time for one observation are bounded.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable

from .policy import padded

# Of two batches in a row. With 20 % noise, 0.95 itself turns one more in a hundred away and is late two in a thousand
# less: a bad bargain.
QUANTILE = 0.93
# Batches that count: the fit forgets with this time constant, the window holds twice as many.
MEMORY = 64
# A batch that took three times as long as expected, or a third, is not noise.
OUTLIER = 3.0
# So many batches in a row are no outliers but a new level; while there is no history yet, one that is low is enough.
LEVEL = 3
YOUNG = 8
# Below this many ratios their largest stands for the quantile.
FEW = 20
# How far beyond the largest batch seen the fit may be trusted; further only if three sizes lie on one line.
REACH = 4
STRAIGHT = 0.01
_TINY = 1e-9


class ServiceTime:
    """The service time of a function, learned from one batch after another.

    `sizes`: where batches come in a few allowed sizes only, T is a staircase: each step keeps the median of its own
    times, and a batch of n rows costs what the step above it costs.
    """

    def __init__(self, sizes: tuple[int, ...] | None = None) -> None:
        self.count = 0
        self.largest = 0
        self._sizes = sizes
        self._seen: set[int] = set()            # the first few of them
        self._line = _Line()
        self._ratios = _Window(2 * MEMORY)
        self._outliers = deque[float](maxlen=2 * MEMORY)
        self._last_ratio = 1.0
        self._suspects: list[tuple[int, float]] = []
        self._own: dict[int, _Window] = {size: _Window(MEMORY // 2) for size in sizes or ()}
        self._factor_now: float | None = 1.0        # None: to be worked out when somebody asks, which without an SLO
        self._spread_now: float | None = 0.0        # is seldom
        self._uppers: dict[int, float] = {}     # what `upper` said since the last observation

    def __repr__(self) -> str:
        if not self.count:
            return "<ServiceTime unknown>"
        return f"<ServiceTime {1e3 * self.b:.3g} ms + {1e3 * self.a:.3g} ms per row, from {self.count} batches>"

    @property
    def b(self) -> float:
        """Seconds that a batch costs however small it is."""
        return self._line.b

    @property
    def a(self) -> float:
        """Seconds that each row adds."""
        return self._line.a

    @property
    def told_apart(self) -> bool:
        """Have there been batches of more than one size, without which nobody can tell `a` from `b`?"""
        return self._line.slope_known

    @property
    def trusted(self) -> bool:
        """Were there enough of them to believe it?"""
        return self.count >= LEVEL and self._line.slope_known

    def observe(self, n: int, seconds: float) -> None:
        """A batch of `n` rows took `seconds`."""
        seconds = max(seconds, _TINY)
        own = self._own.get(n)
        known = self.count if own is None else len(own)
        ratio = seconds / self.typical(n) if known else 1.0
        if 1 / OUTLIER <= ratio <= OUTLIER:
            self._suspects.clear()
            self._add(n, seconds)
        elif ratio > OUTLIER or known >= YOUNG:
            self._suspect(n, seconds, ratio)
        elif own is None:
            self._start_again([(n, seconds)])
        else:
            own.clear()
            self._add(n, seconds)
        self._factor_now = self._spread_now = None
        self._uppers.clear()

    def typical(self, n: int) -> float:
        """Seconds that a batch of `n` rows takes, half of the time less."""
        n = padded(n, self._sizes)
        own = self._own.get(n)
        return own.median() if own else self._line.at(n)

    def likely(self, n: int) -> float:
        """Seconds within which it is over 95 times in 100, if the line holds for `n` as well."""
        return self.typical(n) * self._factor

    def upper(self, n: int) -> float:
        """Like `likely`, with a margin for all that is not known yet: what a promise may be built on."""
        seconds = self._uppers.get(n)
        if seconds is None:
            seconds = self._uppers[n] = self._upper(n)
        return seconds

    def _upper(self, n: int) -> float:
        if not self.count:
            return math.inf
        n = padded(n, self._sizes)
        if self._own.get(n):
            return self.likely(n)
        in_proportion = self.likely(self.largest) * max(1.0, n / self.largest)
        if not self.trusted or (n > REACH * self.largest and not self._straight()):
            return in_proportion
        return min(in_proportion, self.likely(n) if n <= self._line.middle else self._cautious(n))

    def _straight(self) -> bool:
        return len(self._seen) >= LEVEL and self._spread < STRAIGHT

    # --- what an observation changes ---

    def _add(self, n: int, seconds: float) -> None:
        own = self._own.get(n)
        if own is None:
            self._line.add(n, seconds)
        else:
            own.add(seconds)
            self._line.go_through((size, times.median()) for size, times in self._own.items() if times)
        self.count += 1
        self.largest = max(self.largest, n)
        if len(self._seen) < LEVEL:
            self._seen.add(n)
        self._note(seconds / self.typical(n))

    def _note(self, ratio: float) -> None:
        """Two batches in a row must fit into an SLO, so the quantile is that of the mean of two successive ratios."""
        self._outliers.append(0.0)
        self._ratios.add((ratio + self._last_ratio) / 2)
        self._last_ratio = ratio

    def _suspect(self, n: int, seconds: float, ratio: float) -> None:
        if self._suspects and (self._suspects[0][1] > self.typical(self._suspects[0][0])) != (ratio > 1):
            self._suspects.clear()
        self._suspects.append((n, seconds))
        if len(self._suspects) >= LEVEL:
            self._start_again(self._suspects)
        else:
            self._outliers.append(ratio)

    def _start_again(self, known: list[tuple[int, float]]) -> None:
        """The function has become another one; only the shape of its line is kept until there is a new one."""
        ratios = sorted(seconds / self.typical(n) for n, seconds in known)
        self._line.rescale(ratios[len(ratios) // 2])
        self._line.forget()
        self._suspects = []
        self._ratios.clear()
        self._outliers.clear()
        self._last_ratio = 1.0
        self.count = self.largest = 0
        self._seen.clear()
        for own in self._own.values():
            own.clear()
        for n, seconds in known:
            self._add(n, seconds)

    # --- how sure we are ---

    @property
    def _factor(self) -> float:
        if self._factor_now is None:
            self._factor_now = self._quantile()
        return self._factor_now

    @property
    def _spread(self) -> float:
        if self._spread_now is None:
            self._spread_now = self._deviation()
        return self._spread_now

    def _quantile(self) -> float:
        """The upper quantile of measured over typical; outliers count when there are more than its share of them."""
        count = len(self._ratios)
        outliers = sorted(ratio for ratio in self._outliers if ratio > 1.0)
        beyond = int((1 - QUANTILE) * max(len(self._outliers), FEW))
        if len(outliers) > beyond:
            return outliers[-1 - beyond]
        rank = min(count, math.ceil(QUANTILE * count) + len(outliers))
        excess = max(0.0, self._ratios.rank(rank - 1) - 1.0)
        return 1.0 + (excess if count >= FEW else excess * (1 + 4 / count))

    def _deviation(self) -> float:
        """A robust standard deviation of one ratio, from the middle half of the pairs, which vary less by √2."""
        count = len(self._ratios)
        if count < LEVEL:
            return math.inf
        middle = self._ratios.rank(3 * count // 4) - self._ratios.rank(count // 4)
        return math.sqrt(2) * middle / 1.349 * (1 + 4 / (count - 2))

    def _cautious(self, n: int) -> float:
        """The upper end of the prediction interval: noise of one batch and doubt about the line, in quadrature."""
        typical = self._line.at(n)
        doubt = 1.645 * self._spread * self._line.doubt(n) / typical
        return typical * (1 + math.hypot(self._factor - 1, doubt))


class _Line:
    """Weighted least squares with exponential forgetting. Noise grows with T, so weights are 1/T²."""

    def __init__(self) -> None:
        self.b = self.a = 0.0
        self.forget()

    def forget(self) -> None:
        """Drops the points; the line itself stays until new ones say better."""
        self._weight = self.middle = self._t = self._nn = self._nt = 0.0

    @property
    def slope_known(self) -> bool:
        return self._nn > 1e-9 * self._weight * max(1.0, self.middle**2)

    def at(self, n: float) -> float:
        return max(self.b + self.a * n, _TINY)

    def add(self, n: int, seconds: float) -> None:
        """The means and the centred sums, updated in one pass."""
        weight = 1 / (self.at(n) if self.b or self.a else seconds) ** 2
        keep = 1 - 1 / MEMORY
        self._weight = keep * self._weight + weight
        off_n, off_t = n - self.middle, seconds - self._t
        self.middle += weight / self._weight * off_n
        self._t += weight / self._weight * off_t
        self._nn = keep * self._nn + weight * off_n * (n - self.middle)
        self._nt = keep * self._nt + weight * off_n * (seconds - self._t)
        self._fit()

    def go_through(self, points: Iterable[tuple[int, float]]) -> None:
        self.forget()
        for n, seconds in points:
            self.add(n, seconds)

    def _fit(self) -> None:
        """Neither part can be negative: a batch costs something, and a row never makes it cheaper."""
        if not self.slope_known:
            self._go_through_the_middle()
            return
        self.a = max(0.0, self._nt / self._nn)
        self.b = self._t - self.a * self.middle
        if self.b < 0:
            self.b, self.a = 0.0, self._t / self.middle

    def _go_through_the_middle(self) -> None:
        if self.b or self.a:
            self.rescale(self._t / self.at(self.middle))
        else:
            self.b = self._t

    def rescale(self, factor: float) -> None:
        self.b, self.a = self.b * factor, self.a * factor

    def doubt(self, n: int) -> float:
        """The standard error of `at(n)`, for noise of relative size 1."""
        return math.sqrt(1 / self._weight + (n - self.middle) ** 2 / self._nn)


class _Window:
    """The last few numbers, sorted as well, so that any rank is at hand."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, value: float) -> None:
        self._recent.append(value)
        insort(self._sorted, value)
        if len(self._recent) > self._size:
            del self._sorted[bisect_left(self._sorted, self._recent.popleft())]

    def rank(self, index: int) -> float:
        return self._sorted[index]

    def median(self) -> float:
        return self._sorted[(len(self._sorted) - 1) // 2]

    def clear(self) -> None:
        self._recent.clear()
        self._sorted.clear()
