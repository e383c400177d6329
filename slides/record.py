"""`python -m slides.record [NAME ...]`: runs the demos for real and stores what the live views showed of them.

Each becomes `recordings/NAME.json`, which the deck replays and the talk quotes. `calls` measures what single calls of
the model cost here. Quiet the machine first: other programs' work would be part of the record.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from typing import Any

from asyncpatterns.live import Recording

from .demos import Demo, all_demos, measure_calls
from .replay import RECORDINGS

PER_SECOND = {"race": 10.0, "gathering": 10.0, "tree": 10.0}
MOST_BYTES = 200_000


async def record(demo: Demo) -> Recording:
    recording = Recording()
    async for t, state in demo.frames(PER_SECOND[demo.name]):
        recording.add(t, state)
    return recording


def compact(state: dict[str, Any]) -> dict[str, Any]:
    """The state without what its picture does not show, times to a tenth of a millisecond."""
    if state["view"] == "gathering":
        start = state["now"] - state["window"]
        for name in ("requests", "batches"):
            state[name] = [piece for piece in state[name] if piece["done"] is None or piece["done"] >= start]
    return _rounded(state)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value


def store(recording: Recording, demo: Demo, remark: str = "") -> None:
    frames = [{"t": round(frame["t"], 2), "state": compact(frame["state"])} for frame in recording.frames]
    setup = "; ".join(filter(None, (demo.setup, remark)))
    text = json.dumps({"setup": setup, "frames": frames}, separators=(",", ":"), allow_nan=False)
    if len(text) > MOST_BYTES:
        raise ValueError(f"{demo.name}: {len(text):,} bytes; a recording has at most {MOST_BYTES:,}")
    path = RECORDINGS / f"{demo.name}.json"
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{path.name}: {len(frames)} frames, {frames[-1]['t']:.1f} s, {len(text) / 1e3:.0f} kB", flush=True)


def main(arguments: list[str] | None = None) -> int:
    demos = all_demos()
    parser = argparse.ArgumentParser(prog="python -m slides.record", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"out of {', '.join(demos)}, calls; all unless given")
    parser.add_argument("--remark", default="", help="stands under the picture, like 'recorded on a busy machine'")
    options = parser.parse_args(arguments)
    names = options.names or [*demos, "calls"]
    if unknown := set(names) - {*demos, "calls"}:
        parser.error(f"no demo {', '.join(sorted(unknown))}; there are {', '.join(demos)} and calls")
    for name in names:
        if name == "calls":
            (RECORDINGS / "calls.json").write_text(json.dumps(_rounded_calls()) + "\n", encoding="utf-8")
            print("calls.json", flush=True)
        else:
            demos[name].prepare()
            store(asyncio.run(record(demos[name])), demos[name], options.remark)
    return 0


def _rounded_calls() -> dict[str, Any]:
    import tensorflow

    setup = (f"The chatbot's model, the quickest of 100 calls, {os.cpu_count()} shared {platform.machine()} cores "
             f"(compiled: one of them), TensorFlow {tensorflow.__version__}; trust the ratios")
    return {"setup": setup, "seconds": {name: round(seconds, 6) for name, seconds in measure_calls().items()}}


if __name__ == "__main__":
    sys.exit(main())
