"""Chapter 02: the rudimentary endpoint, and reading its latencies."""

import heapq
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from .core import check, expect


@check("a percentile by hand")
def percentile(function: Callable[[Sequence[float], float], float]) -> str:
    """`function(values, share)` returns the smallest value that at least `share` of the values do not exceed."""
    values = [40.0, 10.0, 30.0, 20.0]
    median = function(values, 0.5)
    saw = f"of [40, 10, 30, 20] the share 0.5 gave {median!r}, expected 20"
    expect(values == [40.0, 10.0, 30.0, 20.0], saw="the caller's list came back in another order",
           hint="`sorted(values)` makes a new list; `values.sort()` changes the one you were given.")
    expect(median != 25, saw=saw, hint="That is the average, or a value between two; take one that was measured.")
    expect(median != 10, saw=saw, hint="The values come in the order of arrival: sort them first.")
    expect(median != 30, saw=saw, hint="One place too far: half of four values are two, and Python counts from 0.")
    expect(median == 20, saw=saw, hint="Sort; the rank is ceil(share × n), counted from 1.")
    for count, share, want in ((1000, 0.99, 990), (1000, 1.0, 1000), (10, 0.99, 10), (10, 0.01, 1)):
        got = function([float(n) for n in range(count, 0, -1)], share)
        expect(got == want, saw=f"of the numbers 1 to {count:,} the share {share} gave {got!r}, expected {want}",
               hint="The rank is ceil(share × n), counted from 1: rounded up, at least 1, at most n.")
    expect(function([7.0], 0.99) == 7.0, saw=f"of one value, 7, the share 0.99 gave {function([7.0], 0.99)!r}",
           hint="With one value every percentile is that value.")
    return "p50 of four values, p99 of a thousand, and the edges"


def nearest_rank(values: Sequence[float], share: float) -> float:
    """What the exercise asks for, so that a chapter can go on before it is solved."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(share * len(ordered))) - 1]


@check("one request, one answer")
def answer_one(function: Callable[[Any, Any], Any]) -> str:
    """`function(model, item)` calls the model with a batch of one item and returns the answer to that item."""
    calls: list[Any] = []

    def model(batch: Any) -> list[Any]:
        calls.append(batch)
        return [("answer", row) for row in batch]

    got = function(model, "hello")
    expect(len(calls) == 1, saw=f"the model was called {len(calls)} times for one request",
           hint="Call it once and keep the result.")
    expect(calls[0] == ["hello"], saw=f"the model was called with {calls[0]!r}",
           hint="A model takes a batch: a list of items, here `[item]`.")
    expect(got != [("answer", "hello")], saw=f"the caller got a list: {got!r}",
           hint="The model answers with a batch of results; the caller asked for one: `[0]`.")
    expect(got == ("answer", "hello"), saw=f"the caller got {got!r}", hint="Return the model's first result.")
    return "a batch of one went in, one answer came out"


@check("compile once, answer often")
def compiles_once(endpoint: Callable[[Any, Any], Callable[[Any], Any]]) -> str:
    """`endpoint(model, compile)` returns a function that answers one item with the compiled model."""
    compiled: list[int] = []

    def compile(model: Any) -> Callable[[Any], Any]:
        compiled.append(0)
        place = len(compiled) - 1

        def quick(batch: Any) -> Any:
            compiled[place] += 1
            return model(batch)

        return quick

    answer = endpoint(lambda batch: [("answer", row) for row in batch], compile)
    expect(
        callable(answer),
        saw=f"endpoint(...) returned {answer!r}",
        hint="Return the inner function, without calling it.",
    )
    got = [answer(item) for item in ("a", "b", "c")]
    expect(compiled, saw="nothing was compiled", hint="Call `compile(model)` and use what it returns.")
    expect(
        len(compiled) == 1,
        saw=f"3 requests, compiled {len(compiled)} times",
        hint="Compiling costs seconds. Do it in `endpoint`, before the first request, not inside the inner function.",
    )
    expect(sum(compiled) == 3, saw=f"3 requests, the compiled function was called {sum(compiled)} times",
           hint="Answer with the compiled function, not with the model itself.")
    expect(got == [("answer", item) for item in "abc"], saw=f"the answers were {got!r}",
           hint="A batch of one item goes in, the first result comes out: `compiled([item])[0]`.")
    return "compiled once, 3 requests answered"


@check("a promise to keep, on paper")
def keeps_the_promise(share: float, slo: float = 0.05, bar: float = 0.3) -> str:
    """`share` of what a full server answers, more than `bar`, at which 99 of 100 wait no longer than `slo` seconds.

    The server is one on paper, so that the verdict is the same everywhere: two cores, 2 ms an answer, Poisson arrivals.
    """
    expect(isinstance(share, int | float) and share > 0, saw=f"share is {share!r}", hint="A number between 0 and 1.")
    p99 = nearest_rank(_waits(share), 0.99)
    saw = f"{share:g} of what a full server does: p99 {p99 * 1e3:.3g} ms, on paper"
    expect(share > bar, saw=saw, hint=f"Kept, but {bar:g} is the number to beat: let in more.")
    expect(share < 1, saw=saw,
           hint="More is due than it can answer: the line grows for as long as the rush lasts. Below 1 it has an end.")
    expect(p99 <= slo, saw=saw,
           hint="So near to its limit every clump of arrivals makes a line that takes long to melt. Leave it some air.")
    return saw


def _waits(share: float, count: int = 20_000, cores: int = 2, takes: float = 0.002) -> list[float]:
    """Latencies, from the moment each was due, of a queue in front of `cores` that takes whoever came first."""
    draw = random.Random(0)
    free = [0.0] * cores
    due, waits = 0.0, []
    for _ in range(count):
        due += draw.expovariate(share * cores / takes)
        end = max(due, heapq.heappop(free)) + takes
        heapq.heappush(free, end)
        waits.append(end - due)
    return waits
