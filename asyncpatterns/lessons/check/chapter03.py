"""Chapter 03: the obvious workarounds. What each multiplies, and what a hop through a broker may cost."""

from collections.abc import Callable, Sequence
from typing import Any

from .core import check, expect


@check("taking turns")
def takes_turns(function: Callable[[Sequence[Any]], Callable[[], Any]]) -> str:
    """`function(servers)` returns a function that names the server for the next request: each in turn, for ever."""
    choose = function(["A", "B", "C"])
    expect(callable(choose), saw=f"balancer(...) returned {choose!r}",
           hint="Return a function (or `next` of something, wrapped in a lambda); it is called once for each request.")
    got = [choose() for _ in range(7)]
    saw = f"7 requests to A, B and C went to {' '.join(map(str, got))}"
    expect(len(set(got)) > 1, saw=saw, hint="The turn must be remembered between two calls: make the iterator outside.")
    expect(set(got) == {"A", "B", "C"}, saw=saw, hint="Every server has its turn, the last one too.")
    expect(None not in got, saw=saw, hint="After the last server the first one comes again: itertools.cycle.")
    expect(got == list("ABCABCA"), saw=saw, hint="In order, one after the other, not at random: then none waits twice.")
    one, other = function(["A", "B"]), function(["A", "B"])
    both = [one(), other(), one(), other()]
    expect(both == ["A", "A", "B", "B"], saw=f"two balancers in turn said {' '.join(both)}",
           hint="Each balancer has a turn of its own; a global counter is shared by all.")
    return "A B C A B C A, and two balancers do not disturb each other"


@check("what a hop leaves over")
def largest_rate(function: Callable[[float, float, int], float]) -> str:
    """`function(call, hop, cores)` is the most requests/s for calls of `call` seconds on `cores` cores, each of which
    also makes a hop of `hop` seconds on those cores."""
    got = function(0.001, 0.00025, 2)
    saw = f"a call of 1 ms and a hop of 0.25 ms on 2 cores gave {got!r}, expected 1,600/s"
    expect(isinstance(got, int | float), saw=saw, hint="A number: requests per second.")
    expect(abs(got - 2000) > 1, saw=saw, hint="That is without the hop.")
    expect(abs(got - 800) > 1, saw=saw, hint="That is one core.")
    expect(abs(got - 2500) > 1, saw=saw, hint="Divide by the seconds, do not multiply: work is cores / seconds each.")
    expect(abs(got - 10_000) > 1, saw=saw, hint="That is the hop without the call... in half: add the two times.")
    expect(abs(got - 1600) < 1, saw=saw, hint="Each request occupies a core for call + hop seconds; there are `cores`.")
    free = function(0.001, 0.0, 2)
    expect(abs(free - 2000) < 1, saw=f"with a hop that costs nothing {free!r}", hint="Then the call alone: 2,000.")
    return "1,600/s with the hop, 2,000/s without"
