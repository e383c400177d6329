"""When requests arrive: schedules that are complete before the first request is sent.

Invariants
    1. A schedule is a pure function of (rate, duration, seed): the same three, the same moments, on any machine.
    2. Its moments are seconds from the start of the run, in order, and lie in [0, duration).
    3. Nothing that happens during the run changes it. That is what makes an open loop open: a slow server does not
       slow its clients down, so its slowness shows (Schroeder et al., "Open Versus Closed", NSDI 2006).
"""

import math
import random
from array import array
from collections.abc import Callable, Iterable

Arrivals = Callable[[float, float, int], Iterable[float]]

_MOST = 50_000_000      # moments are drawn before the run: 400 MB of them, then it is a mistake


def poisson(rate: float, duration: float, seed: int = 0) -> "array[float]":
    """Arrivals of many people who know nothing of each other: exponential gaps of mean `1 / rate` seconds.

    How many arrive varies, with mean and variance `rate * duration`, as it does in life.
    """
    draw = random.Random(seed).expovariate
    moments, moment = array("d"), draw(rate)
    while moment < duration:
        moments.append(moment)
        moment += draw(rate)
    return moments


def constant(rate: float, duration: float, seed: int = 0) -> "array[float]":
    """One arrival every `1 / rate` seconds from 0 on; kinder to a server than people are. The seed changes nothing."""
    return array("d", (number / rate for number in range(math.ceil(rate * duration)) if number / rate < duration))


def bursts(size: int) -> Arrivals:
    """Arrivals in bursts of `size` at the same moment, the bursts themselves Poisson; `rate` still counts requests."""
    if not isinstance(size, int) or size < 1:
        raise ValueError(f"the size of a burst is an int >= 1, not {size!r}")

    def arrivals(rate: float, duration: float, seed: int = 0) -> "array[float]":
        return array("d", (moment for moment in poisson(rate / size, duration, seed) for _ in range(size)))

    arrivals.__name__ = f"bursts of {size}"
    return arrivals


def draw(arrivals: Arrivals, rate: float, duration: float, seed: int = 0) -> "array[float]":
    """The moments of `arrivals(rate, duration, seed)`, checked. `ValueError` for what is not a schedule."""
    positive("rate", rate)
    positive("duration", duration)
    if rate * duration > _MOST:
        raise ValueError(f"{rate:,g}/s for {duration:,g} s are more than {_MOST:,} requests")
    moments = array("d", arrivals(rate, duration, seed))
    before = 0.0
    for moment in moments:
        if not before <= moment < duration:
            raise ValueError(f"moments must rise and lie within 0 and {duration:g} s; {moment!r} follows {before!r}")
        before = moment
    return moments


def positive(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ValueError(f"{name} must be a positive, finite number, not {value!r}")
