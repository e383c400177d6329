"""Does it keep its promise? A percentile's promise is a bet on a coin, and this is how many throws settle it.

"p99 within 60 ms" says that a request misses with probability 1 % at most. If it were exactly 1 %, then among n
requests `misses` or fewer would be late with the probability P(X <= misses) of the binomial distribution. Once that is
1 - confidence or less, so good a run is not luck any more: pass. MLPerf Inference calls this early stopping.

Invariants
    1. `answers_needed` is the smallest n for which P(X <= misses; n, 1 - percentile) <= 1 - confidence.
    2. A verdict is true exactly when the run is not void and has at least that many requests for its misses.
"""

import functools
import math
from dataclasses import dataclass

from .words import count, seconds, share
from .words import percentile as p

_ROUNDING = 1e-9        # of logarithms of factorials; what lies exactly on the line passes


@functools.lru_cache(maxsize=1024)
def answers_needed(misses: int, percentile: float = 0.99, confidence: float = 0.99) -> int:
    """How many requests, the misses among them, a run needs to show that `percentile` of all requests are in time.

    459 with no miss, 662 with one, 838 with two, 2,010 with ten. `ValueError` for anything but an int >= 0 and
    two numbers between 0 and 1.
    """
    _check(misses, percentile, confidence)
    miss, luck = 1.0 - percentile, (1.0 - confidence) * (1.0 + _ROUNDING)
    enough = max(1, misses)
    while _at_most(misses, enough, miss) > luck:
        enough *= 2
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        too_few, enough = (too_few, middle) if _at_most(misses, middle, miss) <= luck else (middle, enough)
    return enough


def _check(misses: int, percentile: float, confidence: float) -> None:
    if isinstance(misses, bool) or not isinstance(misses, int) or misses < 0:
        raise ValueError(f"misses are counted: an int >= 0, not {misses!r}")
    for name, value in (("percentile", percentile), ("confidence", confidence)):
        if not 0 < value < 1:
            raise ValueError(f"{name} lies between 0 and 1, such as 0.99, and is not {value!r}")


def _at_most(misses: int, trials: int, chance: float) -> float:
    """P(X <= misses) of the binomial distribution, its terms summed from the likeliest, until they stop mattering."""
    if misses >= trials:
        return 1.0
    if misses > trials * chance:                # the other tail is the short one
        return 1.0 - _at_most(trials - misses - 1, trials, 1.0 - chance)
    term = math.exp(_log_choose(trials, misses) + misses * math.log(chance) + (trials - misses) * math.log1p(-chance))
    total, odds = 0.0, (1.0 - chance) / chance
    for hits in range(misses, -1, -1):
        total += term
        if term <= total * 1e-17:                       # also when it underflowed to 0
            break
        term *= hits / (trials - hits + 1) * odds
    return total


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


@dataclass(frozen=True, repr=False)
class Verdict:
    """True on a pass and on nothing else; its repr is the sentence that says why.

    `requests` were sent and `misses` of them failed or were late; `needed` is what `answers_needed` asks for so
    many misses.
    """

    slo: float
    percentile: float
    confidence: float
    requests: int
    misses: int
    void: str = ""

    def __post_init__(self) -> None:
        _check(self.misses, self.percentile, self.confidence)

    @property
    def needed(self) -> int:
        return answers_needed(self.misses, self.percentile, self.confidence)

    @property
    def more(self) -> int:
        """How many more requests would make it a pass, were none of them a miss."""
        return max(0, self.needed - self.requests)

    @property
    def passed(self) -> bool:
        return not self.void and self.requests >= self.needed

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"<{'Pass' if self.passed else 'No pass'}: {self.reason}>"

    @property
    def reason(self) -> str:
        """One sentence, without the word pass or fail."""
        if self.void:
            return f"the run is void, {self.void}"
        missed = f"{self.misses:,} of {count(self.requests, 'request')} missed {seconds(self.slo)}"
        if self.passed:
            return f"{self._promise}: {missed}, {self.needed:,} requests suffice for that"
        more = f"{self.more:,} more without a miss would be needed for {self._promise}"
        if self.misses > self.requests * (1 - self.percentile):
            allowed = share(1 - self.percentile)
            return f"{missed}, which is {share(self.misses / self.requests)} where {allowed} may; {more}"
        return f"too few answers, {missed}; {more}"

    @property
    def _promise(self) -> str:
        return f"{p(self.percentile)} within {seconds(self.slo)} at {share(self.confidence)} confidence"
