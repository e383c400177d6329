"""Overload: of the same requests, who answers how many in time.

State: `offered` (requests/s), `slo` (seconds), `step` (seconds of one point of a history), `services`: list of `{name,
waiting, p99, history}` and, for each of `in time`, `late`, `refused` and `failed`, how many a second lately; `history`
is how many a second were in time, oldest first.
"""

from collections.abc import Mapping
from typing import Any

from ..svg import BLUE, FAINT, INK, ORANGE, PAPER, QUIET, VERMILION, Drawing, number, seconds, shorten
from .stepwise import Steps, View

WIDTH, LANE, TOP = 860, 104, 84
BAR, CURVE = (196, 520), (560, 780)
KINDS = (("in time", BLUE, PAPER), ("late", ORANGE, INK), ("refused", "#e6e6e6", INK), ("failed", VERMILION, PAPER))


@View
def draw_overload(state: Mapping[str, Any]) -> Steps[str]:
    services, slo = state["services"], state["slo"]
    d = Drawing(WIDTH, TOP + LANE * len(services) + 14, state.get("title", "Overload: who answers in time?"))
    d.numbers(44, [("offered", f"{number(state['offered'])} requests/s"), ("in time: within", seconds(slo))])
    _legend(d)
    top = max([state["offered"], 1.0, *(sum(service[kind] for kind, *_ in KINDS) for service in services)])
    for index, service in enumerate(services):
        yield
        _service(d, TOP + index * LANE, service, top, slo, state["step"])
        d.description += f" {service['name']}: {_words(service)}."
    return str(d)


def _words(service: Mapping[str, Any]) -> str:
    rates = ", ".join(f"{number(service[kind])} {kind}" for kind, *_ in KINDS)
    return f"{rates} a second, {number(service['waiting'])} waiting, p99 {seconds(service['p99'])}"


def _legend(d: Drawing) -> None:
    x = BAR[0]
    for kind, fill, _ in KINDS:
        d.rect(x, TOP - 26, 12, 12, fill, stroke=QUIET, stroke_width=0.8)
        d.text(x + 17, TOP - 15.5, kind, 12, INK)
        x += 34 + 7 * len(kind)
    d.text(CURVE[0], TOP - 15.5, "answers in time, the last 20 seconds", 11.5, QUIET)


def _service(d: Drawing, y: float, service: Mapping[str, Any], top: float, slo: float, step: float) -> None:
    d.line(12, y, WIDTH - 12, y, FAINT)
    d.text(14, y + 32, shorten(str(service["name"]), 24), 13.5, INK, font_weight="600")
    d.text(14, y + 54, f"{number(service['waiting'])} waiting", 12, INK)
    late = service["p99"] is not None and service["p99"] > slo
    d.text(14, y + 72, f"p99 {seconds(service['p99'])}", 12, VERMILION if late else INK)
    _bar(d, y + 14, service, top)
    d.text(BAR[0], y + 84, f"{number(service['in time'])} in time, {number(service['late'])} late, "
           f"{number(service['refused'])} refused, {number(service['failed'])} failed each second", 12, INK)
    _curve(d, y + 12, service["history"], top)


def _bar(d: Drawing, y: float, service: Mapping[str, Any], top: float) -> None:
    left, right = BAR
    d.rect(left, y, right - left, 44, "none", stroke=FAINT)
    x = float(left)
    for kind, fill, ink in KINDS:
        width = service[kind] / top * (right - left)
        if width > 0.5:
            d.rect(x, y, width, 44, fill, stroke=QUIET, stroke_width=0.8)
        if width > 12 + 6.5 * len(kind):
            d.text(x + width / 2, y + 27, kind, 12, ink, text_anchor="middle")
        x += width


def _curve(d: Drawing, y: float, history: list[float], top: float) -> None:
    left, right = CURVE
    bottom, height = y + 62, 58
    d.line(left, bottom, right, bottom, QUIET)
    step = (right - left) / max(1, len(history) - 1)
    points = [(left + i * step, bottom - min(rate / top, 1.0) * height) for i, rate in enumerate(history)]
    if len(points) > 1:
        d.polygon([(left, bottom), *points, (right, bottom)], "#cfe3f0")
        d.polyline(points, BLUE, stroke_width=2)
        d.text(right + 8, points[-1][1] + 4, f"{number(history[-1])}/s", 12, BLUE, font_weight="600")
