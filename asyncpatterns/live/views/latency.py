"""How long answers took, second by second: the median and the slowest hundredth.

State: `points`: list of `{t, p50, p99, answered}`, oldest first, one for each slice of time (times in seconds; p50 and
p99 None in a slice without answers), `slice` (its length), `slo` (seconds or None).
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..svg import BLUE, FAINT, INK, QUIET, VERMILION, Drawing, number, seconds
from .stepwise import Steps, View

WIDTH, HEIGHT = 860, 230
LEFT, RIGHT, TOP, BOTTOM = 62, 800, 60, 196
MOST_POINTS = 60


@View
def draw_latency(state: Mapping[str, Any]) -> Steps[str]:
    points, slo = state["points"][-MOST_POINTS:], state.get("slo")
    d = Drawing(WIDTH, HEIGHT, state.get("title", "Latency over time"))
    last = next((p for p in reversed(points) if p["p50"] is not None), {"p50": None, "p99": None, "answered": 0})
    d.numbers(44, [("now: p50", seconds(last["p50"])), ("p99", seconds(last["p99"])),
                   ("answers/s", number(last["answered"] / state["slice"])), *([("slo", seconds(slo))] if slo else [])])
    low, high = _decades(points, slo)
    _grid(d, low, high, slo)
    for name, colour, shape in (("p50", BLUE, "circle"), ("p99", VERMILION, "square")):
        yield
        yield from _curve(d, points, name, colour, shape, low, high)
    d.text(RIGHT, BOTTOM + 20, "now", 11, QUIET, text_anchor="end")
    d.text(LEFT, BOTTOM + 20, f"{seconds(state['slice'] * MOST_POINTS)} ago", 11, QUIET)
    return str(d)


def _decades(points: list[Mapping[str, Any]], slo: float | None) -> tuple[int, int]:
    values = [p[name] for p in points for name in ("p50", "p99") if p[name]] + ([slo] if slo else [])
    values = values or [1e-3, 1e-1]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _y(value: float, low: int, high: int) -> float:
    return BOTTOM - (math.log10(value) - low) / (high - low) * (BOTTOM - TOP)


def _grid(d: Drawing, low: int, high: int, slo: float | None) -> None:
    for decade in range(low, high + 1):
        y = _y(10.0**decade, low, high)
        d.line(LEFT, y, RIGHT, y, FAINT)
        d.text(LEFT - 8, y + 4, seconds(10.0**decade), 11, QUIET, text_anchor="end")
    if slo:
        y = _y(slo, low, high)
        d.line(LEFT, y, RIGHT, y, INK, stroke_dasharray="6 4")
        d.text(RIGHT + 6, y + 4, "slo", 11.5, INK)


def _curve(
    d: Drawing, points: list[Mapping[str, Any]], name: str, colour: str, shape: str, low: int, high: int
) -> Steps[None]:
    for run in _runs(points, name, low, high):
        if len(run) > 1:
            d.polyline(run, colour, stroke_width=2)
        for x, y in run:
            d.mark(shape, x, y, 6, colour)
            yield
    if points and points[-1][name] is not None:
        d.text(RIGHT + 6, _y(points[-1][name], low, high) + 4, name, 11.5, colour, font_weight="600")


def _runs(points: list[Mapping[str, Any]], name: str, low: int, high: int) -> Iterator[list[tuple[float, float]]]:
    """Stretches without a gap: a slice in which nobody was answered breaks the curve."""
    run: list[tuple[float, float]] = []
    for index, point in enumerate(points, MOST_POINTS - len(points)):
        if point[name] is None:
            yield run
            run = []
        else:
            run.append((LEFT + (index + 1) / MOST_POINTS * (RIGHT - LEFT), _y(point[name], low, high)))
    yield run
