"""Numbers as people say them."""

import math


def seconds(value: float) -> str:
    """`0.0013` is `1.3 ms`; at most three digits, in the unit that fits."""
    if math.isnan(value):
        return "unknown"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(value) >= size * 0.9995:
            return f"{_short(value / size)} {unit}"
    return f"{_short(value * 1e6)} µs" if value else "0 s"


def _short(value: float) -> str:
    text = f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rate(value: float) -> str:
    """`11282.3` is `11,282/s`, `2.5` is `2.5/s`."""
    return f"{_short(value)}/s"


def share(value: float) -> str:
    """`0.024` is `2.4 %`."""
    return f"{100 * value:.4g} %"


def count(number: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def percentile(value: float) -> str:
    """`0.99` is `p99`, `0.999` is `p99.9`."""
    return f"p{round(100 * value, 6):g}"
