"""Channels side by side, as the stages of a pipeline: how full each is, and who waits at which end.

State: `channels`: list of `{name, buffered, capacity, senders_waiting, receivers_waiting, sent, received, closed}`
(`capacity` None for an unbounded one, 0 for a rendezvous).
"""

from collections.abc import Mapping
from typing import Any

from ..svg import BLUE, FAINT, GREEN, INK, ORANGE, QUIET, VERMILION, Drawing, number, shorten
from .stepwise import Steps, View

WIDTH, TOP, TALL = 860, 66, 132
ACROSS = 5


@View
def draw_channels(state: Mapping[str, Any]) -> Steps[str]:
    channels = state["channels"][:10]
    rows = -(-len(channels) // ACROSS) or 1
    d = Drawing(WIDTH, TOP + TALL * rows, state.get("title", "What waits in the channels"))
    d.numbers(44, [("buffered", number(sum(c["buffered"] for c in channels))),
                   ("senders waiting", number(sum(c["senders_waiting"] for c in channels))),
                   ("receivers waiting", number(sum(c["receivers_waiting"] for c in channels)))])
    step = (WIDTH - 24) / min(max(len(channels), 1), ACROSS)
    for index, channel in enumerate(channels):
        _channel(d, 12 + index % ACROSS * step, TOP + index // ACROSS * TALL, step - 34, channel)
        if index + 1 < len(channels) and (index + 1) % ACROSS:
            _arrow(d, 12 + (index % ACROSS + 1) * step - 27, TOP + index // ACROSS * TALL + 38)
        yield
    return str(d)


def _channel(d: Drawing, x: float, y: float, width: float, channel: Mapping[str, Any]) -> None:
    capacity, buffered = channel["capacity"], channel["buffered"]
    d.text(x, y + 12, shorten(str(channel["name"]), int(width / 8)), 13, INK, font_weight="600")
    _gauge(d, x, y + 20, width, buffered, capacity)
    place = {0: "rendezvous", None: f"{number(buffered)}, unbounded"}.get(
        capacity, f"{number(buffered)} of {number(capacity)}"
    )
    d.text(x, y + 72, place + (", closed" if channel["closed"] else ""), 11.5, VERMILION if channel["closed"] else INK)
    _crowd(d, x, y + 88, channel["senders_waiting"], "sender", "triangle", ORANGE)
    _crowd(d, x, y + 104, channel["receivers_waiting"], "receiver", "circle", GREEN)
    d.text(x, y + 122, f"{number(channel['received'])} passed", 11, QUIET)


def _gauge(d: Drawing, x: float, y: float, width: float, buffered: int, capacity: float | None) -> None:
    """Up to 8 places are drawn one by one, more as a bar; an unbounded channel has no right edge."""
    if capacity and capacity <= 8:
        place = width / capacity
        for index in range(int(capacity)):
            full = index < buffered
            d.rect(x + index * place, y, place - 2, 34, BLUE if full else "#f4f4f4", stroke=QUIET, stroke_width=0.8)
        return
    share = min(buffered / capacity, 1) if capacity else min(buffered / (buffered + 50), 1)
    d.rect(x, y, width, 34, "#f4f4f4", stroke=FAINT if capacity is None else QUIET, stroke_width=0.8)
    d.rect(x, y, width * share, 34, BLUE)


def _crowd(d: Drawing, x: float, y: float, count: int, who: str, shape: str, colour: str) -> None:
    if count:
        d.mark(shape, x + 5, y - 4, 9, colour)
        d.text(x + 14, y, f"1 {who} waits" if count == 1 else f"{number(count)} {who}s wait", 11, INK)
    else:
        d.text(x, y, f"no {who} waits", 11, QUIET)


def _arrow(d: Drawing, x: float, y: float) -> None:
    d.line(x, y, x + 14, y, QUIET, stroke_width=2)
    d.polygon([(x + 20, y), (x + 12, y - 5), (x + 12, y + 5)], QUIET)
