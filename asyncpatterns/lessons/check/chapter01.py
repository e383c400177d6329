"""Chapter 01: what one call costs. T(n) = b + a·n: a fixed price for the call, and a price for each row."""

from collections.abc import Callable, Sequence

from .core import check, expect

Points = Sequence[tuple[float, float]]


@check("a line through the measured points")
def cost_model(b: float, a: float, points: Points) -> str:
    """Find b and a so that b + a·n comes near every measured T(n); `points` are pairs (n, seconds)."""
    expect(isinstance(b, int | float) and isinstance(a, int | float), saw=f"b = {b!r}, a = {a!r}",
           hint="Both are numbers, in seconds.")
    best_b, best_a = fit(points)
    ours, best = miss(b, a, points), miss(best_b, best_a, points)
    if ours > max(1.3 * best, best + 0.05):
        _explain(b, a, ours, points)
    return f"T(n) = {b * 1e3:.3g} ms + {a * 1e6:.3g} µs · n, on average {ours:.0%} off the measured points"


def _explain(b: float, a: float, ours: float, points: Points) -> None:
    saw = f"b = {b:.3g} s and a = {a:.3g} s are on average {ours:.0%} off the measured points"
    close = 2 * ours / 3
    expect(
        miss(a, b, points) > close, saw=saw, hint="b and a are swapped: b is the price of the call, a that of a row."
    )
    expect(miss(b / 1e3, a / 1e3, points) > close, saw=saw, hint="Those are milliseconds; the points are in seconds.")
    plain_b, plain_a = fit(points, ordinary=True)
    expect(abs(b - plain_b) > 0.01 * plain_a or not _near(a, plain_a), saw=saw,
           hint="That is ordinary least squares: the largest batch outvotes all others. Divide each equation by its t.")
    expect(
        b > 0,
        saw=saw,
        hint="b is the price of a call with almost nothing in it: look at the smallest n. It is not zero.",
    )
    smallest = min(points)
    expect(abs(b - smallest[1]) > 0.02 * smallest[1], saw=saw,
           hint="b is not T(1): one row has its own price in it. Take the line through two points far apart.")
    expect(
        False,
        saw=saw,
        hint="a is the slope between two points far apart, (T(n₂) − T(n₁)) / (n₂ − n₁); b is what is left "
        "of T(n₁) after a·n₁.",
    )


@check("the time of a batch")
def batch_time(function: Callable[[float, float, float], float]) -> str:
    """`function(n, b, a)` returns T(n) = b + a·n in seconds."""
    got, want = function(10, 0.002, 0.0001), 0.003
    saw = f"function(10, b=0.002, a=0.0001) gave {got!r}, expected {want}"
    expect(not _near(got, 0.001), saw=saw, hint="The price of the call, b, is missing.")
    expect(not _near(got, 0.021), saw=saw, hint="b is paid once for a batch, not once for each row.")
    expect(_near(got, want), saw=saw, hint="T(n) = b + a·n.")
    return "10 rows cost 3 ms where one costs 2.1 ms"


@check("rows per second")
def throughput(function: Callable[[float, float, float], float]) -> str:
    """`function(n, b, a)` returns how many rows a second back-to-back batches of n rows serve."""
    got, want = function(10, 0.002, 0.0001), 10 / 0.003
    saw = f"function(10, b=0.002, a=0.0001) gave {got!r}, expected {want:,.0f}"
    expect(not _near(got, 1 / 0.003), saw=saw, hint="Those are batches per second. There are n rows in each.")
    expect(not _near(got, 0.003 / 10), saw=saw, hint="Those are seconds per row: turn it upside down.")
    hint = "That is what single rows make: b is paid once for a batch of n, not once for each row."
    expect(not _near(got, 10 / 0.021), saw=saw, hint=hint)
    expect(_near(got, want), saw=saw, hint="n rows in T(n) seconds: n / T(n).")
    return "batches of 10 serve 3,333 rows/s where single rows make 476"


@check("beat 64, on paper")
def beats_64(size: int, callers: int, threads: int) -> str:
    """Rows per second at least half as many again as one core with batches of 64 serves, on a machine of two cores."""
    expect(all(isinstance(n, int) and n >= 1 for n in (size, callers, threads)),
           saw=f"size {size!r}, callers {callers!r}, threads {threads!r}", hint="Three whole numbers, each at least 1.")
    ratio = paper_pace(size, callers, threads) / paper_pace(64, 1, 1)
    saw = f"size {size}, callers {callers}, threads {threads}: {ratio:.2f} × the pace to beat, on paper"
    expect((size, callers, threads) != (64, 1, 1), saw=saw,
           hint="That is the pace to beat. One core works; what could the other one do?")
    expect(ratio >= 1.5 or callers * threads <= CORES, saw=saw,
           hint="More threads than cores take turns on them: callers × threads need not be more than the cores.")
    expect(ratio >= 1.5 or threads == 1, saw=saw,
           hint="Cores that share a batch meet after each operation, and small pieces are not worth the meeting.")
    expect(ratio >= 1.5 or callers > 1, saw=saw,
           hint="One core cannot serve more than 1/a rows/s, however large its batches. Let the other core work too.")
    expect(ratio >= 1.5, saw=saw, hint="Both cores work, but each call has too few rows to share its price, b.")
    return saw


CORES = 2
ALONE, SHARED = (0.42e-3, 0.047e-3), (2.2e-3, 0.0287e-3)    # b and a of one core, and of both on one batch; measured


def paper_pace(size: int, callers: int, threads: int) -> float:
    """Rows/s of the chatbot's model by the lines that fit what two x86-64 cores did."""
    b, a = ALONE if threads == 1 else SHARED
    at_once = min(callers, CORES) if threads == 1 else 1
    turns = 0.95 if callers * threads > CORES else 1.0
    return turns * at_once * size / (b + a * size)


def fit(points: Points, *, ordinary: bool = False) -> tuple[float, float]:
    """b and a with the least squared relative error: measured times scatter in proportion to their length.

    `ordinary` least squares weighs them alike, and lets the longest decide.
    """
    weights = [(1.0 if ordinary else 1 / t**2, n, t) for n, t in points]
    w, wn, wt = (sum(f) for f in zip(*((w, w * n, w * t) for w, n, t in weights), strict=True))
    wnn, wnt = sum(w * n * n for w, n, _ in weights), sum(w * n * t for w, n, t in weights)
    a = (w * wnt - wn * wt) / (w * wnn - wn * wn)
    return (wt - a * wn) / w, a


def miss(b: float, a: float, points: Points) -> float:
    """By how much b + a·n is off, on average, in proportion to what was measured."""
    return sum(abs(b + a * n - t) / t for n, t in points) / len(points)


def _near(got: object, want: float) -> bool:
    return isinstance(got, int | float) and abs(got - want) <= 1e-6 * abs(want)
