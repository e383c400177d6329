"""Recorded runs as the deck shows them: SVG frames of the live views, enlarged for the last row, and words under them.

A file in `recordings/` is a `Recording` with two facts more: `setup`, what ran and where, and `view`.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from asyncpatterns.live import Recording, draw
from asyncpatterns.live.svg import VERMILION, number

RECORDINGS = Path(__file__).parent / "recordings"
SIZE = re.compile(r'font-size="([\d.]+)"')
COLOURED = re.compile(f'<text [^>]*{VERMILION}')
DARK_VERMILION = "#B34700"


class Replay:
    """A recording with its setup; `svg(i)` and `caption(i)` are what the deck shows of frame `i`."""

    def __init__(self, recording: Recording, setup: str) -> None:
        self.recording, self.setup = recording, setup

    def __len__(self) -> int:
        return len(self.recording)

    def svg(self, index: int) -> str:
        return picture(self.recording.frames[index]["state"])

    def caption(self, index: int) -> str:
        return caption(self.recording.frames[index]["state"])

    def frames(self) -> list[dict[str, Any]]:
        return [{"t": frame["t"], "svg": self.svg(index), "caption": self.caption(index)}
                for index, frame in enumerate(self.recording.frames)]


def load_replay(name: str) -> Replay:
    path = RECORDINGS / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not recorded yet: python -m slides.record {name}")
    setup = json.loads(path.read_text(encoding="utf-8")).get("setup", "")
    return Replay(Recording.load(path), setup)


def picture(state: Mapping[str, Any]) -> str:
    """A live view's picture, its small print enlarged and darker: it is read from the last row, not from a chair."""
    darker = COLOURED.sub(lambda found: found[0].replace(VERMILION, DARK_VERMILION), draw(state))
    return SIZE.sub(lambda found: f'font-size="{_enlarged(float(found[1])):g}"', darker)


def _enlarged(size: float) -> float:
    return max(size, 13.0) if size > 12 else size * 1.12


def caption(state: Mapping[str, Any]) -> str:
    """What the picture shows, in one line of words: also for those who cannot see it."""
    return CAPTIONS[state["view"]](state)


def _race(state: Mapping[str, Any]) -> str:
    lanes = [f"{lane['name']} {number(lane['per_second'])}/s" for lane in state["lanes"]]
    return f"of {number(state['offered'])} requests/s offered:   " + "   ·   ".join(lanes)


def _gathering(state: Mapping[str, Any]) -> str:
    sizes = [batch["size"] for batch in state["batches"]]
    mean = sum(sizes) / len(sizes) if sizes else None
    return f"{number(state['answered'])} answered   ·   {number(mean)} requests in a batch, on average"


def _tree(state: Mapping[str, Any]) -> str:
    handled, restarts = (sum(node[name] for node in state["nodes"]) for name in ("handled", "restarts"))
    return "   ·   ".join(f"{number(count)} {words}{'s'[:count != 1]}" + after for count, words, after in (
        (handled, "message", " handled"), (restarts, "restart", ""), (state["dead_letters"], "dead letter", "")))


CAPTIONS: dict[str, Callable[[Mapping[str, Any]], str]] = {"race": _race, "gathering": _gathering, "tree": _tree}
