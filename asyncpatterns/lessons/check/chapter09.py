"""Chapter 09: when to wait. A bet on a linger, the fluid law, and eight callers who wait for each other."""

import asyncio
import functools
import math
from collections.abc import Callable
from typing import Any

from .core import check, expect

B, A, RATE = 0.010, 0.0005, 500
BETS = (0.0, 0.002, 0.005, 0.010, 0.020)
EIGHT, THEIR_B, THEIR_A, TO_BEAT = 8, 0.050, 0.0001, 0.90


@functools.cache
def _p99(linger: float) -> float:
    from asyncpatterns.batching.simulation import poisson, simulate

    return simulate(lambda n: B + A * n, poisson(RATE, 60, seed=0), linger=linger).quantile(0.99)


@check("a bet on the best linger")
def best_linger(linger: float) -> str:
    """T(n) = 10 ms + 0.5 ms·n, 500 requests/s: for how many seconds should a free worker wait for company?"""
    hint = "A number of seconds, such as 0.005 for 5 ms; 0 for not at all."
    expect(isinstance(linger, int | float) and not isinstance(linger, bool), saw=f"linger = {linger!r}", hint=hint)
    expect(linger >= 0, saw=f"linger = {linger!r}", hint="Nobody can wait for less than no time.")
    expect(linger < 0.5, saw=f"linger = {linger!r} s", hint="That is in milliseconds, it seems; the bet is in seconds.")
    bet, best = _p99(float(linger)), min(map(_p99, BETS))
    hint = ("The batch grows, but not as fast as the wait: while the model runs, the next batch gathers anyway. "
            "Which wait costs nobody anything?")
    expect(bet <= 1.02 * best, saw=f"p99 is {1e3 * bet:.1f} ms; the best bet has {1e3 * best:.1f} ms", hint=hint)
    return f"p99 {1e3 * bet:.1f} ms, and no longer wait does better"


@check("the cycle of the fluid law")
def cycle(function: Callable[[float, float, float], float]) -> str:
    """`function(rate, b, a)` returns C, the time from one batch to the next: C = b + a·(rate·C)."""
    got, want = function(1000, B, A), 0.020
    saw = f"function(1000, b=0.010, a=0.0005) gave {got!r}, expected {want}"
    expect(not _near(got, 0.0105), saw=saw, hint="That is T(1). In a batch are all who came during the one before.")
    expect(not _near(got, 0.015), saw=saw,
           hint="While those who came during b are served, more come: C stands on both sides, solve for C.")
    expect(not _near(got, 2.0), saw=saw, hint="The price of the call, b, is missing: C = b / (1 − rate·a).")
    expect(not _near(got, 0.010 / (1 - 1000 * 0.010)), saw=saw, hint="b and a are swapped under the fraction bar.")
    expect(_near(got, want), saw=saw, hint="C − a·rate·C = b, so C = b / (1 − rate·a).")
    for rate in (2000, 3000):
        try:
            got = function(rate, B, A)
        except ZeroDivisionError:
            got = "a ZeroDivisionError"     # type: ignore[assignment]
        expect(got == math.inf, saw=f"function({rate}, b=0.010, a=0.0005) gave {got!r}, expected math.inf",
               hint="At 1 / a = 2,000 rows a second the rows alone fill the whole time: from there on it never ends.")
    return "20 ms at 1,000/s, and no end from 2,000/s on"


def _near(got: object, want: float) -> bool:
    return isinstance(got, int | float) and abs(got - want) <= 1e-6 * abs(want)


@check("eight callers who wait for their answers")
async def eight_callers(options: dict[str, Any]) -> str:
    """`options` of a `Batcher` for eight callers who come back 0.2 to 1.6 ms after their answer."""
    expect(isinstance(options, dict), saw=f"options = {options!r}", hint="A dict, such as dict(linger=0.001).")
    rate, sizes = await _serve_eight(options)
    best = EIGHT / (THEIR_B + THEIR_A * EIGHT)
    saw = f"{rate:.0f} answers/s, {rate / best:.0%} of {best:.0f}/s, in batches of {_usual(sizes)}"
    linger, limit = options.get("linger", 0), options.get("max_batch_size", 64)
    expect(limit >= EIGHT, saw=saw, hint="With a smaller max_batch_size than eight they can never all ride together.")
    expect(rate >= TO_BEAT * best or linger > 0, saw=saw,
           hint="The first who are back leave alone, the others wait for them; then those leave, and the first wait.")
    expect(rate >= TO_BEAT * best or linger >= 0.0017, saw=saw,
           hint="The slowest is back after 1.6 ms: linger until he is there.")
    expect(rate >= TO_BEAT * best, saw=saw,
           hint="All eight are there, and the worker still waits for a ninth, who does not exist. A shorter linger; or "
                "tell it how many make a full batch: max_batch_size.")
    return saw


async def _serve_eight(options: dict[str, Any]) -> tuple[float, dict[int, int]]:
    from asyncpatterns import Batcher
    from asyncpatterns.load import closed_loop

    async def model(items: list[Any]) -> list[Any]:
        await asyncio.sleep(THEIR_B + THEIR_A * len(items))
        return items

    async with Batcher(model, **options) as batcher:
        places = iter(range(10**9))

        async def ask(number: int) -> None:
            await batcher(number)
            await asyncio.sleep(0.0002 * (next(places) % EIGHT + 1))        # reads the answer

        report = await closed_loop(ask, clients=EIGHT, duration=20)
        return report.answered, batcher.statistics().sizes


def _usual(sizes: dict[int, int]) -> str:
    """The sizes of at least a tenth of the batches."""
    many = [str(size) for size, count in sizes.items() if count >= 0.1 * sum(sizes.values())]
    return " and ".join(many)
