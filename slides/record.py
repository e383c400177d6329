"""`python -m slides.record [NAME ...]`: runs the demos for real and stores what the live views showed of them.

Each becomes `recordings/NAME.json`, which the deck replays and the talk quotes. `calls` measures what single calls of
the model cost here, `hops` what a request and its reply cost without a model, through a channel and through Redis.
Quiet the machine first: other programs' work would be part of the record.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from asyncpatterns.live import Recording

from .demos import Demo, all_demos, measure_calls, measure_hops, model_fingerprint
from .replay import RECORDINGS

PER_SECOND = {"race": 10.0, "gathering": 10.0, "tree": 10.0}
MOST_BYTES = 250_000


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
    text = json.dumps({"setup": setup, "model": model_fingerprint(), "frames": frames}, separators=(",", ":"),
                      allow_nan=False)
    if len(text) > MOST_BYTES:
        raise ValueError(f"{demo.name}: {len(text):,} bytes; a recording has at most {MOST_BYTES:,}")
    path = RECORDINGS / f"{demo.name}.json"
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{path.name}: {len(frames)} frames, {frames[-1]['t']:.1f} s, {len(text) / 1e3:.0f} kB", flush=True)


def main(arguments: list[str] | None = None) -> int:
    demos = all_demos()
    parser = argparse.ArgumentParser(prog="python -m slides.record", description=__doc__)
    known = [*demos, *FIGURES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"out of {', '.join(known)}; all unless given")
    parser.add_argument("--remark", default="", help="stands under the picture, like 'recorded on a busy machine'")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(known):
        parser.error(f"nothing is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    for name in options.names or known:
        if name in FIGURES:
            _store_figures(name, FIGURES[name](), options.remark)
        else:
            demos[name].prepare()
            store(asyncio.run(record(demos[name])), demos[name], options.remark)
    return 0


def _store_figures(name: str, measured: tuple[str, dict[str, float]], remark: str) -> None:
    setup, seconds = measured
    if name == "hops" and "redis" not in seconds:
        print("hops.json is left as it is: Redis does not run here", flush=True)
        return
    facts = {"setup": "; ".join(filter(None, (setup, remark))), "model": model_fingerprint(),
             "seconds": {name: float(f"{took:.4g}") for name, took in seconds.items()}}
    (RECORDINGS / f"{name}.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")
    print(f"{name}.json: {facts['seconds']}", flush=True)


def _calls() -> tuple[str, dict[str, float]]:
    import tensorflow

    setup = (f"The chatbot's model, the quickest of 100 calls, {_machine()} "
             f"(compiled: one of them), TensorFlow {tensorflow.__version__}; trust the ratios")
    return setup, measure_calls()


def _hops() -> tuple[str, dict[str, float]]:
    setup = (f"One after the other, client and server on the same {_machine()}, Python {platform.python_version()}, "
             "Redis over a Unix socket; trust the ratios")
    return setup, asyncio.run(measure_hops())


def _machine() -> str:
    return f"{os.cpu_count()} {platform.machine()} cores"


FIGURES: dict[str, Callable[[], tuple[str, dict[str, float]]]] = {"hops": _hops, "calls": _calls}


if __name__ == "__main__":
    sys.exit(main())
