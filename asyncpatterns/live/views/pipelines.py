"""A crowd of conversations, a cell each: who is in memory, whose pipeline works just now, who was killed lately.

Up to `FEW` conversations each show their stages as a row of boxes, the working one filled; in a crowd each is a square.
A cell that works is lit in the colour of what it was told to do, and stays lit for a moment: a turn takes some
thousandths of a second, and nobody would see it. All cells of a kind are one shape, however many they are.

State: `count`, `columns`, `live` (in memory, as runs `[first, length]` of cells), `lit` (kind → cells; the kinds are
those of `KINDS`), `killed` (cells), `few` (None, or for each cell `{name, stages, at}`, `at` the place of the stage at
work or None), `turns` and `per_second`, `p50` and `p99` (seconds or None), `in_memory`, `bytes` (of one conversation or
None), `model` (a word for its state).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ..svg import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    QUIET,
    SKY,
    VERMILION,
    YELLOW,
    Drawing,
    number,
    seconds,
    shorten,
)
from .stepwise import Steps, View

WIDTH, TOP, LEFT = 860, 78, 12
FEW = 16
KINDS = {"asks": (ORANGE, "asks back"), "does": (GREEN, "does something"), "answers": (BLUE, "answers"),
         "human": (PURPLE, "hands over"), "sorry": (VERMILION, "apologises")}


@View
def draw_pipelines(state: Mapping[str, Any]) -> Steps[str]:
    few = state["few"]
    height = TOP + (_few_height(few) if few is not None else _grid_height(state)) + 34
    d = Drawing(WIDTH, height, state.get("title", "One pipeline for each user"))
    d.numbers(44, list(_facts(state)))
    if few is not None:
        yield from _draw_few(d, few)
    else:
        yield from _draw_grid(d, state)
    _key(d, height - 14, few is not None)
    return str(d)


def _facts(state: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "conversations", number(state["in_memory"])
    yield "turns", number(state["turns"])
    yield "turns/s", number(state["per_second"])
    yield "p50", seconds(state["p50"])
    yield "p99", seconds(state["p99"])
    if state["bytes"]:
        yield "bytes each", number(state["bytes"])
    yield "model", state["model"]


# --- some: their stages ---

_ROW, _BOX, _NAMES, _MOST_STAGES = 30, 74, 100, 10


def _few_height(few: list[Any]) -> int:
    return len(few) * _ROW + 6


def _draw_few(d: Drawing, few: list[Mapping[str, Any]]) -> Steps[None]:
    boxes: dict[bool, list[str]] = {False: [], True: []}
    for row, cell in enumerate(few):
        y = TOP + row * _ROW
        for place in range(min(len(cell["stages"]), _MOST_STAGES)):
            boxes[place == cell["at"]].append(_square(_NAMES + place * _BOX, y, _BOX - 8, 22))
        yield
    d.path("".join(boxes[False]), "#ffffff", stroke=QUIET)
    d.path("".join(boxes[True]), YELLOW, stroke=INK, stroke_width=2)
    for row, cell in enumerate(few):
        y = TOP + row * _ROW + 15
        d.text(LEFT, y, shorten(cell["name"], 13), 12, INK, font_weight="600")
        for place, stage in enumerate(cell["stages"][:_MOST_STAGES]):
            d.text(_NAMES + place * _BOX + _BOX / 2 - 4, y, shorten(stage, 11), 10.5, INK, text_anchor="middle")
        yield


# --- many: a square each ---


def _size(state: Mapping[str, Any]) -> float:
    return (WIDTH - 2 * LEFT) / max(state["columns"], 1)


def _grid_height(state: Mapping[str, Any]) -> int:
    rows = -(-state["count"] // max(state["columns"], 1))
    return int(rows * _size(state)) + 8


def _draw_grid(d: Drawing, state: Mapping[str, Any]) -> Steps[None]:
    columns, size = max(state["columns"], 1), _size(state)
    side = max(size - (2 if size > 6 else 1), 1)
    live = yield from _joined(_runs(state["live"], columns, size, side))
    d.path(live, "none", stroke=FAINT, stroke_width=f"{side:.2f}", stroke_dasharray=f"{side:.2f} {size - side:.2f}")
    for kind, (colour, _) in KINDS.items():
        lit = yield from _joined(_cells(state["lit"].get(kind, ()), columns, size, side))
        d.path(lit, colour)
    d.path("".join(_cells(state["killed"], columns, size, side)), SKY, stroke=VERMILION, stroke_width=2)


def _joined(pieces: Iterable[str]) -> Steps[str]:
    found = []
    for piece in pieces:
        found.append(piece)
        if len(found) % 50 == 0:
            yield
    return "".join(found)


def _runs(runs: Iterable[tuple[int, int]], columns: int, size: float, side: float) -> Iterable[str]:
    """Neighbours of a row as one dashed line: a crowd costs a line a row."""
    for first, length in runs:
        while length > 0:
            row, column = divmod(first, columns)
            here = min(length, columns - column)
            x, y = LEFT + column * size, TOP + row * size + side / 2
            yield f"M{x:.1f} {y:.1f}h{(here - 1) * size + side:.1f}"
            first, length = first + here, length - here


def _cells(cells: Iterable[int], columns: int, size: float, side: float) -> Iterable[str]:
    for cell in cells:
        row, column = divmod(cell, columns)
        yield _square(LEFT + column * size, TOP + row * size, side, side)


def _square(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"


def _key(d: Drawing, y: float, few: bool) -> None:
    if few:
        d.text(LEFT, y, "yellow, thick edge: the stage at work, or the last one of a turn just now", 11, QUIET)
        return
    x = float(LEFT)
    for colour, words in [*KINDS.values(), (FAINT, "in memory, idle"), ("#ffffff", "not in memory")]:
        d.rect(x, y - 9, 10, 10, colour, stroke=QUIET)
        d.text(x + 15, y, words, 11, QUIET)
        x += 33 + 6.3 * len(words)
    d.rect(x, y - 9, 10, 10, SKY, stroke=VERMILION, stroke_width=2)
    d.text(x + 15, y, "killed", 11, QUIET)
