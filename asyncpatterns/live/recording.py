"""Recorded runs: the states a live view drew, with their times. A deck or a page replays them with the same
renderer.
"""

import json
import pathlib
from bisect import bisect_right
from typing import Any

from .views import State, draw


class Recording:
    """Frames of one view, oldest first: `{"t": seconds since the start, "state": what was drawn}`.

    At most `keep` frames are held; when they are used up every second one is dropped, so that a long run stays whole
    and only its resolution falls.
    """

    def __init__(self, frames: list[dict[str, Any]] | None = None, keep: int = 2_000) -> None:
        self.frames = frames or []
        self.keep = keep
        self._start: float | None = None

    def __repr__(self) -> str:
        return f"<Recording of {len(self.frames)} frames, {self.duration:.1f} s>"

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def duration(self) -> float:
        return self.frames[-1]["t"] if self.frames else 0.0

    def add(self, now: float, state: State) -> None:
        self._start = now if self._start is None else self._start
        self.frames.append({"t": round(now - self._start, 4), "state": dict(state)})
        if len(self.frames) > self.keep:
            del self.frames[1::2]

    def at(self, t: float) -> State:
        """The state that was shown `t` seconds after the start; before the first frame, the first."""
        if not self.frames:
            raise ValueError("nothing was recorded")
        place = bisect_right(self.frames, t, key=lambda frame: frame["t"])
        return self.frames[max(place - 1, 0)]["state"]

    def svg(self, t: float) -> str:
        return draw(self.at(t))

    def save(self, path: str | pathlib.Path) -> None:
        text = json.dumps({"frames": self.frames}, separators=(",", ":"), allow_nan=False)
        pathlib.Path(path).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | pathlib.Path) -> "Recording":
        """Raises `ValueError` when the file is not a recording or holds a frame that no view can draw."""
        data = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        frames = data.get("frames") if isinstance(data, dict) else None
        if not isinstance(frames, list) or not all(isinstance(f, dict) and {"t", "state"} <= f.keys() for f in frames):
            raise ValueError(f'{path} is not a recording: expected {{"frames": [{{"t": 0.0, "state": {{...}}}}, ...]}}')
        return cls(frames)


class Picture:
    """One state as a static picture; the last expression of a cell shows it. `alt` says in words what one sees."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.svg = draw(state)

    @property
    def alt(self) -> str:
        return self.svg.split("<title>", 1)[1].split("</desc>", 1)[0].replace("</title><desc>", ". ")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.svg, "image/svg+xml": self.svg, "text/plain": self.alt}

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"
