"""The actors of a system as a tree: who supervises whom, what state each is in, its mail and its restarts.

State: `name`, `nodes`: list of `{name, depth, kind, state, mailbox, capacity, handled, failed, restarts}`, parents
before their children (`capacity` None for an unbounded mailbox), each with `fresh` when it was restarted a moment ago;
`total` (actors, when the list was cut), `dead_letters`, perhaps a `title`, and a `note` for the line below.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ..svg import BLUE, FAINT, GREEN, INK, ORANGE, QUIET, VERMILION, Drawing, number, shorten
from .stepwise import Steps, View

WIDTH, ROW, TOP = 860, 26, 82
MOST_ROWS = 22
FRESH = "#fff4d6"       # under a row, with a frame and a word in the line above: never the colour alone
MARKS = {"idle": ("circle", FAINT), "busy": ("circle", GREEN), "starting": ("triangle", ORANGE),
         "restarting": ("triangle", VERMILION), "stopping": ("square", ORANGE)}
FACTS = ("name", "kind", "state", "mailbox", "capacity", "handled", "failed", "restarts")
COLUMNS = (("actor", 14), ("state", 375), ("mail waiting", 465), ("handled", 680), ("failed", 750), ("restarts", 800))


@View
def draw_tree(state: Mapping[str, Any]) -> Steps[str]:
    nodes = state["nodes"]
    shown = nodes[:MOST_ROWS]
    total = state.get("total", len(nodes))
    more = total - len(shown)
    notes = [*([f"… and {number(more)} more"] if more else []), *([state["note"]] if state.get("note") else [])]
    height = TOP + ROW * len(shown) + 8 + 20 * len(notes)
    d = Drawing(WIDTH, height, shorten(state.get("title") or f"Actors of the system {state['name']}", 110))
    fresh = [str(node["name"]) for node in shown if node.get("fresh")]
    d.numbers(44, [("actors", number(total)), ("mail waiting", number(sum(n["mailbox"] for n in nodes))),
                   ("restarts", number(sum(n["restarts"] for n in nodes))),
                   ("dead letters", number(state.get("dead_letters", 0))),
                   *([("just restarted:", ", ".join(fresh))] if fresh else [])])
    for name, x in COLUMNS:
        d.text(x, 68, name, 11, QUIET)
    tops: dict[int, float] = {}     # depth -> where the line down to the next node of that depth begins
    for row, node in enumerate(shown):
        yield
        _node(d, TOP + row * ROW, node, tops)
    for row, words in enumerate(notes):
        d.text(14, TOP + ROW * len(shown) + 16 + 20 * row, words, 12, QUIET)
    return str(d)


def _node(d: Drawing, y: float, node: Mapping[str, Any], tops: dict[int, float]) -> None:
    depth = node["depth"]
    d.add(_row(y, tops.get(depth, y - 10), depth, bool(node.get("fresh")), *[node[fact] for fact in FACTS]))
    tops[depth], tops[depth + 1] = y + 9, y + 16


@lru_cache(maxsize=1_000)       # most actors of a picture are as they were in the one before
def _row(y: float, top: float, depth: int, fresh: bool, name: str, kind: str, state: str, mailbox: int,
         capacity: float | None, handled: int, failed: int, restarts: int) -> tuple[str, ...]:
    d = Drawing(WIDTH, ROW, "")
    x = 14 + 22 * depth
    if fresh:
        d.rect(4, y - 3, WIDTH - 8, ROW - 2, FRESH, stroke=ORANGE)
    shape, colour = MARKS.get(state, ("square", VERMILION))
    if kind != "actor" and state in ("idle", "busy"):
        shape, colour = "diamond", BLUE
    if depth:
        d.polyline([(x - 13, top), (x - 13, y + 9), (x - 3, y + 9)], FAINT, stroke_width=1.5)
    d.mark(shape, x + 6, y + 9, 11, colour)
    d.text(x + 18, y + 13.5, shorten(str(name), 37 - 3 * depth), 13, INK, font_weight="600")
    d.text(375, y + 13.5, state, 12, INK)
    _mailbox(d, y, mailbox, capacity)
    d.text(680, y + 13.5, number(handled), 12, INK)
    d.text(750, y + 13.5, number(failed), 12, VERMILION if failed else QUIET)
    d.text(800, y + 13.5, f"↻ {number(restarts)}" if restarts else "0", 12, VERMILION if restarts else QUIET)
    return d.parts()


def _mailbox(d: Drawing, y: float, waiting: int, capacity: float | None) -> None:
    bounded = capacity is not None and capacity > 0
    if capacity is not None and capacity > 0:
        d.rect(465, y + 3, 90, 12, "#f4f4f4", stroke=FAINT)
        d.rect(465, y + 3, 90 * min(waiting / capacity, 1), 12, BLUE)
    words = f"{number(waiting)} of {number(capacity)}" if bounded else number(waiting)
    d.text(563 if bounded else 465, y + 13.5, words, 11.5, INK if waiting else QUIET)
