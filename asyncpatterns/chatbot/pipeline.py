"""A pipeline: the stages that one user's words go through, in order, and how it draws itself.

Stages keep no state: what they know of a user is in the conversation, so a hundred thousand pipelines share them and
each costs a list of pointers. A stage is a function of the conversation and the turn that returns nothing, or something
to await. Its `link` says how it is reached: by a plain `call`, through the shared `batcher`, or by a `channel`.
"""

from collections.abc import Awaitable, Callable, Iterator
from html import escape
from typing import Any, Final, NamedTuple

Work = Callable[[Any, Any], Awaitable[None] | None]
ARROWS: Final = {"call": "─▶", "batcher": "─▶", "channel": "══▶"}
_COLOURS: Final = {"call": "#ffffff", "batcher": "#56B4E9", "channel": "#E69F00"}      # Okabe and Ito (2008)
_WIDTH, _GAP, _TOP, _TALL = 98, 34, 46, 40
_A_ROW: Final = 6


class Stage(NamedTuple):
    name: str
    work: Work
    link: str = "call"

    def __repr__(self) -> str:
        return f"<Stage {self.name}, reached by {self.link}>"


class Pipeline:
    """One user's pipeline. `str()` of it is one line of text; a notebook shows it as a picture.

    It is never changed: a conversation that needs another one assembles another one.
    """

    __slots__ = ("owner", "stages")

    def __init__(self, owner: str, stages: tuple[Stage, ...]) -> None:
        self.owner = owner
        self.stages = stages

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(stage.name for stage in self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __str__(self) -> str:
        first, *rest = (f"[{stage.name}]" if stage.link == "batcher" else stage.name for stage in self.stages)
        arrows = (ARROWS[stage.link] for stage in self.stages[1:])
        return " ".join([f"{self.owner}: {first}", *(f"{a} {n}" for a, n in zip(arrows, rest, strict=True))])

    def __repr__(self) -> str:
        return f"<Pipeline of {self.owner}, {len(self)} stages: {', '.join(self.names)}>"

    def _repr_svg_(self) -> str:
        return draw(self)


def draw(pipeline: Pipeline) -> str:
    """The pipeline as an SVG picture, six stages a row: boxes, and arrows that are double where a channel is."""
    rows = -(-len(pipeline) // _A_ROW)
    width, height = _A_ROW * (_WIDTH + _GAP) + 10, _TOP + rows * (_TALL + 24) + 18
    title = f"The pipeline of {pipeline.owner}"
    body = "".join(_stage(place, stage) for place, stage in enumerate(pipeline))
    key = "blue: the model all share   ·   orange, double arrow: reached by a channel   ·   white: a plain call"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(str(pipeline))}" '
            'style="max-width:100%;height:auto;background:#ffffff" font-family="system-ui, sans-serif" fill="#1a1a1a">'
            f"<title>{escape(title)}</title><desc>{escape(str(pipeline))}</desc>"
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
            f'<text x="12" y="24" font-size="15" font-weight="600">{escape(title)}</text>{body}'
            f'<text x="12" y="{height - 8}" font-size="11" fill="#595959">{key}</text></svg>')


def _stage(place: int, stage: Stage) -> str:
    x = 12 + place % _A_ROW * (_WIDTH + _GAP)
    y = _TOP + place // _A_ROW * (_TALL + 24)
    box = (f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_TALL}" rx="6" fill="{_COLOURS[stage.link]}" '
           f'stroke="#1a1a1a"/><text x="{x + _WIDTH / 2}" y="{y + 25}" font-size="13" text-anchor="middle">'
           f"{escape(stage.name)}</text>")
    return (_arrow(x, y, stage.link) if place else "") + box


def _arrow(x: float, y: float, link: str) -> str:
    """From the stage before: from the left, or at the beginning of a row from the end of the one above."""
    middle, start = y + _TALL / 2, x - (_GAP if x > 12 else 10)
    heights = (middle - 3, middle + 3) if link == "channel" else (middle,)
    lines = "".join(f'<path d="M{start} {h}H{x - 7}" stroke="#1a1a1a" stroke-width="1.5"/>' for h in heights)
    return f'{lines}<path d="M{x - 8} {middle - 6}l8 6l-8 6z"/>'
