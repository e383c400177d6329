"""How many wait, and how large the batches are.

State: `queue`: list of waiting requests over time, oldest first; `limit` (of the queue, or None); `sizes`: dict from
batch size to count; `reasons`: dict from the reason of sealing to count; `max_batch_size`.
"""

from collections.abc import Mapping
from typing import Any

from ..svg import BLUE, FAINT, GREEN, INK, QUIET, Drawing, number
from .stepwise import Steps, View

WIDTH, HEIGHT = 860, 220
TOP, BOTTOM = 74, 178
QUEUE, SIZES = (48, 390), (470, 848)
MOST_BARS = 24


@View
def draw_sizes(state: Mapping[str, Any]) -> Steps[str]:
    d = Drawing(WIDTH, HEIGHT, state.get("title", "The queue, and what became of it"))
    sizes = {int(size): count for size, count in state["sizes"].items()}    # JSON turns the keys into strings
    total = sum(sizes.values())
    mean = sum(size * count for size, count in sizes.items()) / total if total else None
    queue = list(state["queue"])[-120:]
    reasons = ", ".join(f"{reason} {number(count)}" for reason, count in state["reasons"].items())
    d.numbers(44, [("waiting now", number(queue[-1] if queue else 0)), ("batches", number(total)),
                   ("mean size", number(mean)), *([("sealed because", reasons)] if reasons else [])])
    yield
    _queue(d, queue, state.get("limit"))
    yield
    _sizes(d, _bins(sizes, state["max_batch_size"]))
    return str(d)


def _queue(d: Drawing, queue: list[int], limit: float | None) -> None:
    left, right = QUEUE
    top = max([*queue, 4])
    d.text(left, TOP - 8, "waiting requests", 11.5, QUIET)
    d.line(left, BOTTOM, right, BOTTOM, QUIET)
    d.text(left - 6, BOTTOM + 4, "0", 11, QUIET, text_anchor="end")
    d.text(left - 6, TOP + 8, number(top), 11, QUIET, text_anchor="end")
    step = (right - left) / 119
    points = [(right - (len(queue) - 1 - i) * step, BOTTOM - n / top * (BOTTOM - TOP)) for i, n in enumerate(queue)]
    if len(points) > 1:
        d.polygon([(points[0][0], BOTTOM), *points, (right, BOTTOM)], "#cfe3f0")
        d.polyline(points, BLUE, stroke_width=2)
    if limit is not None and limit <= top:
        y = BOTTOM - limit / top * (BOTTOM - TOP)
        d.line(left, y, right, y, INK, stroke_dasharray="6 4")
    words = f"the last moments; limit {number(limit)}" if limit is not None else "the last moments"
    d.text(right, BOTTOM + 17, words, 11, QUIET, text_anchor="end")


def _bins(sizes: Mapping[int, int], most: int) -> list[tuple[str, int]]:
    """A bar for each size, or for each stretch of sizes when there are more than `MOST_BARS`."""
    most = max([most, *sizes])
    width = -(-most // MOST_BARS)
    bins = []
    for first in range(1, most + 1, width):
        last = min(first + width - 1, most)
        count = sum(count for size, count in sizes.items() if first <= size <= last)
        bins.append((str(first) if first == last else f"{first}–{last}", count))
    return bins


def _sizes(d: Drawing, bins: list[tuple[str, int]]) -> None:
    left, right = SIZES
    top = max([count for _, count in bins] + [1])
    step = (right - left) / len(bins)
    d.text(left, TOP - 8, f"batches of each size, most: {number(top)}", 11.5, QUIET)
    d.line(left, BOTTOM, right, BOTTOM, QUIET)
    every = -(-len(bins) * (len(bins[-1][0]) + 1) // 52)
    for index, (label, count) in enumerate(bins):
        height = count / top * (BOTTOM - TOP)
        if count:
            d.rect(left + index * step + 1, BOTTOM - height, step - 2, max(height, 1), GREEN)
        if index % every == 0:
            d.text(left + (index + 0.5) * step, BOTTOM + 17, label, 10.5, QUIET, text_anchor="middle")
    d.line(left, TOP, left, BOTTOM, FAINT)
