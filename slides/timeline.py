"""The one picture of the talk: requests on a time axis, and what stands between them and the model.

It has the grammar of the live view `gathering`: each request is a bar, hollow while it waits and filled while the model
works on it, and below are the calls of the model with the number of rows in each. Through the talk it grows by one
layer a stage: the event loop, the channel, the actor, the batches, a pipeline for each user, several machines. Every
stage gets the same requests at the same moments (the last one three times as many), so that only what changed changes.

The figures come from runs of the code that the slides show, on a virtual clock: see `stages`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from asyncpatterns.live.svg import BLUE, FAINT, GREEN, INK, ORANGE, PURPLE, QUIET, SKY, VERMILION, Drawing

WIDTH, HEIGHT = 860, 356
LEFT, RIGHT = 128, 846
LOOP, ROWS, CHANNEL, MODEL, AXIS = (34, 18), (62, 164), (238, 38), (290, 30), 326
FILLS = (BLUE, SKY, GREEN, ORANGE)
USERS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)


@dataclass
class Request:
    """Moments in seconds from the start. `row` is where it is drawn, `call` the model call that answered it."""

    arrived: float
    row: int
    started: float = 0.0
    done: float = 0.0
    call: int = 0


@dataclass
class Call:
    started: float
    done: float
    size: int
    machine: int = 0


@dataclass
class Story:
    """What happened in one stage, and which layers the picture has by now."""

    title: str
    requests: list[Request]
    calls: list[Call]
    span: float
    layers: frozenset[str] = frozenset()
    rows: Sequence[str] = ()
    machines: int = 1
    facts: list[tuple[str, str]] = field(default_factory=list)


def draw(story: Story) -> str:
    d = Drawing(WIDTH, HEIGHT, story.title, _words(story))
    x = _scale(story.span)
    _axis(d, story, x)
    if "loop" in story.layers:
        _loop(d, story, x)
    _requests(d, story, x)
    _last_answer(d, story, x)
    if "channel" in story.layers:
        _channel(d, story, x)
    for machine in range(story.machines):
        _model(d, story, machine, x)
    if "actor" in story.layers:
        _actor(d, story, x)
    return str(d)


def strips(before: Story, after: Story) -> str:
    """Only the calls of the model of two stages, one above the other: the whole talk in two lines."""
    d = Drawing(WIDTH, 118, "The same requests, one by one and in batches", _words(before) + " " + _words(after))
    x = _scale(before.span)
    for y, told, words in ((14, before, "one by one"), (66, after, "in batches")):
        d.text(LEFT - 12, y + 20, words, 15, INK, text_anchor="end", font_weight="600")
        for index, call in enumerate(told.calls):
            _call(d, x(call.started), y, x(call.done), 30, call, index)
        if told is after:
            last = max(request.done for request in told.requests)
            d.text(x(last) + 12, y + 20, "… the same requests, the same model", 15, QUIET)
    return str(d)


def _words(story: Story) -> str:
    layers = f" Layers: {', '.join(sorted(story.layers))}." if story.layers else ""
    last = max(request.done for request in story.requests)
    return (f"{len(story.requests)} requests, {len(story.calls)} calls of the model, the last answer after "
            f"{last * 1e3:.0f} ms.{layers} " + " ".join(f"{name} {value}." for name, value in story.facts))


def _scale(span: float):
    return lambda moment: LEFT + min(max(moment / span, 0.0), 1.0) * (RIGHT - LEFT)


def _label(d: Drawing, y: float, words: str, colour: str = INK) -> None:
    d.text(LEFT - 12, y, words, 14, colour, text_anchor="end", font_weight="600")


def _axis(d: Drawing, story: Story, x) -> None:
    d.line(LEFT, AXIS, RIGHT, AXIS, QUIET)
    step = 0.05 if story.span > 0.15 else 0.02
    for tick in range(int(story.span / step + 1.001)):
        d.line(x(tick * step), AXIS, x(tick * step), AXIS + 5, QUIET)
        d.text(x(tick * step), AXIS + 20, f"{tick * step * 1e3:.0f} ms", 13, QUIET,
               text_anchor="end" if tick * step > story.span * 0.97 else "middle")


def _last_answer(d: Drawing, story: Story, x) -> None:
    last = max(request.done for request in story.requests)
    d.line(x(last), ROWS[0] - 4, x(last), AXIS, VERMILION, stroke_width=2, stroke_dasharray="5 4")
    side = "end" if last > story.span * 0.8 else "start"
    left = x(last) + (-8 if side == "end" else 8)
    if side == "start":
        d.rect(left - 4, ROWS[0] - 4, 150, 22, "#ffffff")
    d.text(left, ROWS[0] + 12, f"last answer: {last * 1e3:.0f} ms", 15, VERMILION, text_anchor=side, font_weight="600")


def _loop(d: Drawing, story: Story, x) -> None:
    y, height = LOOP
    _label(d, y + 14, "event loop")
    d.rect(LEFT, y, RIGHT - LEFT, height, "#f4f4f4")
    moments = {moment for request in story.requests for moment in (request.arrived, request.done)}
    for tick in sorted({round(x(moment) / 2.5) for moment in moments}):     # what happens together is one tick
        d.rect(tick * 2.5, y, 1.6, height, PURPLE)


def _requests(d: Drawing, story: Story, x) -> None:
    top, height = ROWS
    rows = len(story.rows) or max(request.row for request in story.requests) + 1
    step = height / rows
    bar = min(step - 1.2, 16)
    if story.rows:
        for row, name in enumerate(story.rows):
            d.text(LEFT - 12, top + row * step + bar / 2 + 5, name, 13.5, INK, text_anchor="end")
            d.line(LEFT, top + row * step + bar / 2, RIGHT, top + row * step + bar / 2, FAINT)
    else:
        _label(d, top + 60, "requests")
        d.text(LEFT - 12, top + 84, "hollow: waits", 12, QUIET, text_anchor="end")
        d.text(LEFT - 12, top + 101, "filled: is computed", 12, QUIET, text_anchor="end")
    for request in story.requests:
        y = top + request.row * step
        arrived, started = x(request.arrived), x(request.started)
        d.rect(arrived, y, max(started - arrived, 1), bar, "#ffffff", stroke=QUIET, stroke_width=0.8)
    for request in story.requests:      # over the bars: of one user, the next may wait while the last is computed
        started, done = x(request.started), x(request.done)
        d.rect(started, top + request.row * step, max(done - started, 2), bar, _fill(story, request))


def _fill(story: Story, request: Request) -> str:
    if story.rows:
        return USERS[request.row % len(USERS)]
    return FILLS[request.call % len(FILLS)]


def _channel(d: Drawing, story: Story, x) -> None:
    top, height = CHANNEL
    _label(d, top + 17, "mailbox" if "actor" in story.layers else "channel")
    d.text(LEFT - 12, top + 33, "how many wait", 12, QUIET, text_anchor="end")
    steps = sorted([(r.arrived, 1) for r in story.requests] + [(r.started, -1) for r in story.requests])
    base, waiting, most = top + height, 0, 0
    levels = []
    for moment, change in steps:
        levels.append((moment, waiting))
        waiting += change
        most = max(most, waiting)
        levels.append((moment, waiting))
    top_level = max(most, 24)
    points = [(x(moment), base - level / top_level * height) for moment, level in levels]
    d.polygon([(points[0][0], base), *points, (points[-1][0], base)], "#cfe3f0")
    d.polyline(points, BLUE, stroke_width=1.5)
    d.line(LEFT, base, RIGHT, base, QUIET)
    peak = min(points, key=lambda point: point[1])
    last = x(max(request.done for request in story.requests))
    left = last + 10 if last < RIGHT - 160 else peak[0] + 8           # where there is room for words
    d.text(left, base - 9, f"at most {most} wait", 14, INK, font_weight="600")


def _model(d: Drawing, story: Story, machine: int, x) -> None:
    top, height = MODEL
    each = height / story.machines
    y = top + machine * each
    if machine == 0:
        words = "model" if story.machines == 1 else f"{story.machines} models"
        _label(d, top + height / 2 + 5, words)
    d.rect(LEFT, y, RIGHT - LEFT, each - (2 if story.machines > 1 else 0), "#f4f4f4")
    for index, call in enumerate(story.calls):
        if call.machine == machine:
            _call(d, x(call.started), y, x(call.done), each - (2 if story.machines > 1 else 0), call, index)


def _call(d: Drawing, left: float, y: float, right: float, height: float, call: Call, index: int) -> None:
    colour = FILLS[index % len(FILLS)]
    width = max(right - left - 1, 2)
    d.rect(left, y, width, height, colour)
    if width >= 13:
        ink = "#ffffff" if colour == BLUE else INK
        size = min(15, height + 2)
        d.text(left + width / 2, y + height / 2 + size * 0.36, call.size, size, ink, text_anchor="middle",
               font_weight="600")


def _actor(d: Drawing, story: Story, x) -> None:
    top, bottom = CHANNEL[0] - 5, MODEL[0] + MODEL[1] + 3
    d.rect(LEFT - 122, top, RIGHT - LEFT + 128, bottom - top, "none", stroke=VERMILION, stroke_width=2, rx=8)
    words = "an actor" if story.machines == 1 else f"{story.machines} actors on {story.machines} machines"
    if x(max(request.done for request in story.requests)) > RIGHT - 64:        # the line of the last answer passes here
        d.rect(RIGHT - 64, top + 3, 62, 18, "#ffffff")
    d.text(RIGHT - 6, top + 17, words, 14, VERMILION, text_anchor="end", font_weight="600")
