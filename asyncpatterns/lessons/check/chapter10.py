"""Chapter 10: the batched deployment. From a promise to its users to a limit: the 2T rule."""

from collections.abc import Callable

from .core import check, expect


@check("the largest batch that keeps the promise")
def largest_batch(function: Callable[[float, float, float], int]) -> str:
    """`function(b, a, slo)` returns n*, the largest n with 2·(b + a·n) <= slo, or 0 where there is none."""
    got = function(0.010, 0.0005, 0.0607)
    saw = f"b = 10 ms, a = 0.5 ms, slo = 60.7 ms gave {got!r}, expected 40"
    expect(
        got != 101,
        saw=saw,
        hint="A request may arrive just after a batch began: it waits for that one and then runs in "
        "its own. Two batches must fit into the slo, not one.",
    )
    expect(got != 60, saw=saw, hint="The price of the call, b, is missing.")
    expect(got != 50, saw=saw, hint="Both batches pay the price of a call: 2·(b + a·n), not b + 2·a·n.")
    expect(got != 81, saw=saw, hint="Both batches have rows: 2·(b + a·n), not 2·b + a·n.")
    expect(got != 41, saw=saw, hint="A batch has a whole number of rows: round down, never up.")
    expect(got == 40, saw=saw, hint="Solve 2·(b + a·n) <= slo for n.")
    got = function(0.001, 0.0003, 0.010)
    expect(isinstance(got, int) and got == 13, saw=f"b = 1 ms, a = 0.3 ms, slo = 10 ms gave {got!r}, expected 13",
           hint="A batch has a whole number of rows: round down, and return an int.")
    got = function(0.040, 0.001, 0.060)
    expect(got == 0, saw=f"b = 40 ms, slo = 60 ms gave {got!r}, expected 0",
           hint="Two calls already take longer than the slo: no batch keeps the promise, not even one row. Say 0.")
    return "40 of the 101 that would fit into one T, rounded down, and 0 where nothing fits"


@check("your own limit for your own slo")
def limit_for_slo(n: int, b: float, a: float, slo: float) -> str:
    """The largest n with 2·(b + a·n) <= slo, for the b and a that you measured."""
    expect(isinstance(n, int), saw=f"n is {n!r}", hint="A whole number of rows.")
    right = int((slo / 2 - b) / a) if slo / 2 >= b else 0
    takes = 2 * (b + a * n)
    saw = f"n = {n}: two batches take {takes * 1e3:.3g} ms, the slo is {slo * 1e3:.3g} ms"
    expect(
        takes <= slo * 1.01 or n == 0,
        saw=saw,
        hint="Too many: a request that just missed a batch waits for two of them.",
    )
    expect(n >= right - max(1, right // 20), saw=saw, hint=f"There is room for more: {right} would still fit.")
    return saw


@check("a limit that was tried")
def better_p99(before: float, after: float, factor: float = 2.0) -> str:
    """p99 in seconds, before and after you turned the knobs: make it `factor` times better."""
    saw = f"p99 went from {before * 1e3:.3g} ms to {after * 1e3:.3g} ms"
    expect(after < before, saw=saw, hint="That made it worse. A smaller slo or batch limit turns requests away sooner.")
    expect(
        after * factor <= before,
        saw=saw,
        hint=f"Better, but not {factor:g} times. Which requests wait longest, and where?",
    )
    return f"{saw}: {before / after:.1f} times better"
