"""Requests on their way into batches.

Each request is a thin bar: hollow while it waits, filled while its batch runs. Below are the batches, each with how
many requests it took and a mark that says why it was sealed at that moment; a legend counts the reasons in view. One
sees that nobody waits for a timer: a batch is what queued while the one before it ran.

State: `now` and `window` (the last moment shown, and how many seconds up to it), `idle` (how long ago that was),
`requests`: list of `{number, arrived, sealed, done, batch}` (times or None; `number` and `batch` count up), `batches`:
list of `{id, sealed, done, size, reason, outcome}`, `waiting`, `answered`, `shed`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..svg import BLUE, FAINT, GREEN, INK, ORANGE, PURPLE, QUIET, SKY, VERMILION, Drawing, box, number, outline, seconds
from .stepwise import Steps, View

WIDTH, HEIGHT = 860, 366
LEFT, RIGHT, TOP, ROWS, ROW, BASE = 12, 848, 62, 24, 7.5, 262
AXIS = BASE + 46
FILLS = (BLUE, SKY, GREEN, ORANGE)
REASONS = {     # a mark, and what it says
    "idle": ("circle", GREEN, "the worker was idle"), "freed": ("triangle", BLUE, "the worker came back"),
    "full": ("square", VERMILION, "full"), "linger": ("diamond", ORANGE, "the linger was over"),
    "share": ("circle", SKY, "left the others their share"), "cut": ("square", PURPLE, "cut to an allowed size"),
    "closing": ("diamond", INK, "the batcher closes"),
}


@View
def draw_gathering(state: Mapping[str, Any]) -> Steps[str]:
    d = Drawing(WIDTH, HEIGHT, state.get("title", "Requests gather while a batch runs"))
    scale = _Scale(state["now"], state["window"])
    batches = [batch for batch in state["batches"] if scale.shows(batch)][-30:]
    mean = sum(batch["size"] for batch in batches) / len(batches) if batches else None
    d.numbers(44, [
        ("waiting", number(state["waiting"])), ("answered", number(state["answered"])),
        ("turned away", number(state["shed"])), ("batches in view", number(len(batches))), ("mean batch", number(mean)),
    ])
    yield from _requests(d, scale, [request for request in state["requests"] if scale.shows(request)][-80:])
    yield from _batches(d, scale, batches)
    _axis(d, scale, state["idle"])
    _legend(d, Counter(batch["reason"] for batch in batches))
    return str(d)


class _Scale:
    """Where on the page a moment lies; moments before the window stick to its left edge."""

    def __init__(self, now: float, window: float) -> None:
        self.now, self.window, self.start = now, window, now - window

    def shows(self, piece: Mapping[str, Any]) -> bool:
        return piece["done"] is None or piece["done"] >= self.start

    def __call__(self, moment: float | None) -> float:
        moment = self.now if moment is None else moment
        share = (moment - self.start) / self.window
        return LEFT + min(max(share, 0.0), 1.0) * (RIGHT - LEFT)


def _requests(d: Drawing, scale: _Scale, requests: Iterable[Mapping[str, Any]]) -> Steps[None]:
    """All bars of one look are one shape: that takes a third of the time of a shape for each."""
    waits: list[str] = []
    runs: dict[str, list[str]] = {fill: [] for fill in FILLS}
    for request in requests:
        y = TOP + request["number"] % ROWS * ROW
        arrived, sealed = scale(request["arrived"]), scale(request["sealed"])
        waits.append(box(arrived, y, max(sealed - arrived, 1.5), ROW - 2.5))
        if request["sealed"] is not None:
            fill = FILLS[request["batch"] % len(FILLS)]
            runs[fill].append(box(sealed, y, max(scale(request["done"]) - sealed, 2), ROW - 2.5))
        yield
    d.path("".join(waits), "#ffffff", stroke=QUIET, stroke_width=0.8)
    for fill, bars in runs.items():
        d.path("".join(bars), fill)


def _batches(d: Drawing, scale: _Scale, batches: Iterable[Mapping[str, Any]]) -> Steps[None]:
    """Boxes and marks of one look are one shape each, as with the requests; the words come on top."""
    boxes: dict[tuple[str, bool], list[str]] = {}
    marks: dict[str, list[str]] = {}
    words = Drawing(WIDTH, HEIGHT, "")
    for batch in batches:
        sealed, done = scale(batch["sealed"]), scale(batch["done"])
        width = max(done - sealed, 2)
        failed = batch.get("outcome") not in (None, "ok", "answered")
        fill = FILLS[batch["id"] % len(FILLS)]
        boxes.setdefault((fill, failed), []).append(box(sealed, BASE, width, 22))
        x = min(max(sealed, LEFT + 4), RIGHT - 4)
        marks.setdefault(batch["reason"], []).append(outline(_mark(batch["reason"])[0], x, BASE + 32, 8))
        if width >= 16:
            ink = "#ffffff" if fill == BLUE else INK        # white on the others has a contrast below 4.5
            words.text((sealed + done) / 2, BASE + 15.5, batch["size"], 12, ink, text_anchor="middle")
        if width >= 46:
            words.text(x + 8, BASE + 36, batch["reason"] or "", 10.5, QUIET)
        yield
    for (fill, failed), pieces in boxes.items():
        d.path("".join(pieces), fill, stroke=VERMILION if failed else INK, stroke_width=2.5 if failed else 0.8)
    for reason, pieces in marks.items():
        d.path("".join(pieces), _mark(reason)[1])
    d.add(words.parts())


def _mark(reason: str) -> tuple[str, str, str]:
    return REASONS.get(reason, ("square", INK, ""))


def _axis(d: Drawing, scale: _Scale, idle: float) -> None:
    y = AXIS
    d.line(LEFT, y, RIGHT, y, FAINT)
    for part in range(5):
        moment = scale.start + scale.window * part / 4
        ago = idle + scale.now - moment
        anchor = ("start", "middle", "middle", "middle", "end")[part]
        d.text(scale(moment), y + 15, f"{seconds(ago)} ago" if ago else "now", 11, QUIET, text_anchor=anchor)
    d.text(LEFT, BASE - 6, "batches, with the number of requests in each; the mark says why it was sealed:", 11, QUIET)
    d.text(RIGHT, 44, "hollow: waits · filled: its batch runs", 11, QUIET, text_anchor="end")


def _legend(d: Drawing, counts: Mapping[str, int]) -> None:
    """Why the batches in view were sealed, and how many for each reason."""
    x, y = LEFT + 5.0, AXIS + 36
    for reason, (shape, colour, words) in REASONS.items():
        if counts.get(reason):
            told = f"{reason}: {words}, {number(counts[reason])}"
            if x + 6.1 * len(told) > RIGHT:
                x, y = LEFT + 5.0, y + 16
            d.mark(shape, x, y - 4, 9, colour)
            d.text(x + 10, y, told, 11.5, INK)
            x += 26 + 6.1 * len(told)
    d.description += _reasons(counts.items())


def _reasons(counts: Iterable[tuple[str, int]]) -> str:
    told = ", ".join(f"{count} {reason}" for reason, count in counts)
    return f" Sealed because: {told}." if told else ""
