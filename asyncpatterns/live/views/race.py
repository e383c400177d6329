"""The race: the same requests at the same moments for every lane; who answers, how soon, and who waits.

State: `offered` (requests/s), `elapsed`, `slo` (seconds or None), `lanes`: list of `{name, answered, per_second, p50,
p99, waiting, failed, batch}` (times in seconds or None; `batch` is the mean batch size lately or None).
"""

import math
from collections.abc import Mapping
from typing import Any

from ..svg import FAINT, INK, QUIET, SERIES, VERMILION, Drawing, number, seconds, shorten
from .stepwise import Steps, View

WIDTH, LANE, TOP = 860, 92, 60
LEFT, RIGHT = 196, 700
QUICKEST, SLOWEST = 1e-4, 100.0
MOST_SQUARES = 40


@View
def draw_race(state: Mapping[str, Any]) -> Steps[str]:
    lanes = state["lanes"]
    d = Drawing(WIDTH, TOP + LANE * len(lanes) + 40, state.get("title", "The race: the same requests for everyone"))
    slo = state.get("slo")
    d.numbers(44, [("offered", f"{number(state['offered'])} requests/s"), ("running for", seconds(state["elapsed"])),
                   *([("answer within", seconds(slo))] if slo else [])])
    top_rate = max([state["offered"], 1.0, *(lane["per_second"] or 0 for lane in lanes)]) * 1.05
    _axis(d, TOP + LANE * len(lanes), slo)
    for index, lane in enumerate(lanes):
        yield
        _lane(d, TOP + index * LANE, lane, top_rate, *SERIES[index % len(SERIES)])
        d.description += f" {lane['name']}: {_words(lane)}."
    _offered(d, state["offered"], top_rate, len(lanes))
    return str(d)


def _words(lane: Mapping[str, Any]) -> str:
    return (f"{number(lane['per_second'])} answers/s, {number(lane['answered'])} answered, "
            f"p50 {seconds(lane['p50'])}, p99 {seconds(lane['p99'])}, {number(lane['waiting'])} waiting")


def _lane(d: Drawing, y: float, lane: Mapping[str, Any], top_rate: float, colour: str, shape: str) -> None:
    d.line(12, y, WIDTH - 12, y, FAINT)
    d.mark(shape, 20, y + 24, 12, colour)
    d.text(34, y + 29, shorten(str(lane["name"]), 23), 13, INK, font_weight="600")
    d.text(14, y + 51, f"{number(lane['answered'])} answered", 12, INK)
    bad = lane["failed"]
    d.text(14, y + 69, f"{number(bad)} failed" if bad else "", 12, VERMILION)
    width = (lane["per_second"] or 0) / top_rate * (RIGHT - LEFT)
    d.rect(LEFT, y + 12, RIGHT - LEFT, 24, "#f4f4f4")
    d.rect(LEFT, y + 12, max(width, 1.5), 24, colour)
    d.text(RIGHT + 12, y + 30, f"{number(lane['per_second'])} answers/s", 14, INK, font_weight="600")
    batch = lane["batch"]
    d.text(RIGHT + 12, y + 51, f"mean batch {number(batch)}" if batch else "no batching", 12, QUIET)
    _latency(d, y + 52, lane, colour, shape)
    _waiting(d, y + 74, lane["waiting"])


def _latency(d: Drawing, y: float, lane: Mapping[str, Any], colour: str, shape: str) -> None:
    d.line(LEFT, y, RIGHT, y, FAINT)
    if lane["p50"] is None:
        d.text(LEFT, y - 3, "no answer in the last seconds", 11, QUIET)
        return
    low, high = _log(lane["p50"]), _log(lane["p99"])
    d.line(low, y, high, y, colour, stroke_width=4)
    d.mark(shape, low, y, 9, colour)
    d.line(high, y - 7, high, y + 7, colour, stroke_width=3)
    words = f"p50 {seconds(lane['p50'])}, p99 {seconds(lane['p99'])}"
    if high > RIGHT - 170:
        d.text(low - 9, y + 4, words, 11.5, INK, text_anchor="end")
    else:
        d.text(high + 9, y + 4, words, 11.5, INK)


def _waiting(d: Drawing, y: float, waiting: int) -> None:
    """The queue as small squares, one a request, as far as there is room."""
    shown = min(waiting, MOST_SQUARES)
    for place in range(shown):
        d.rect(LEFT + place * 7, y - 5, 5, 10, "#8c8c8c")
    if waiting > shown:
        d.text(LEFT + shown * 7 + 4, y + 4, f"… and {number(waiting - shown)} more", 11, QUIET)
    d.text(RIGHT + 12, y + 4, f"{number(waiting)} waiting", 12, INK if waiting else QUIET)


def _offered(d: Drawing, offered: float, top_rate: float, lanes: int) -> None:
    x = LEFT + offered / top_rate * (RIGHT - LEFT)
    for index in range(lanes):
        y = TOP + index * LANE
        d.line(x, y + 7, x, y + 41, INK, stroke_width=2, stroke_dasharray="3 2")
    d.text(x, TOP - 2, "offered", 11, QUIET, text_anchor="middle")


def _axis(d: Drawing, y: float, slo: float | None) -> None:
    d.line(12, y, WIDTH - 12, y, FAINT)
    d.text(14, y + 18, "latency, log scale", 11, QUIET)
    for moment in (1e-3, 1e-2, 0.1, 1.0, 10.0):
        d.line(_log(moment), y, _log(moment), y + 5, QUIET)
        d.text(_log(moment), y + 18, seconds(moment), 11, QUIET, text_anchor="middle")
    if slo:
        d.line(_log(slo), TOP + 40, _log(slo), y, VERMILION, stroke_dasharray="5 4")
        d.text(_log(slo), y + 33, f"slo {seconds(slo)}", 11, VERMILION, text_anchor="middle")


def _log(moment: float) -> float:
    share = math.log(min(max(moment, QUICKEST), SLOWEST) / QUICKEST) / math.log(SLOWEST / QUICKEST)
    return LEFT + share * (RIGHT - LEFT)
