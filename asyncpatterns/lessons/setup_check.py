"""Is everything here that the chapters need? Line by line, each with its verdict and the exact fix.

Nothing here raises: a broken setup is what this is for, so every look at it that fails becomes a line that says so.
"""

import asyncio
import importlib.metadata
import math
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

OLDEST, NEWEST = (3, 11), (3, 13)
ENOUGH_MEMORY = 2 * 2**30
IMPORT_PATIENCE = 120.0
SETUP = "In the project's folder: `make lab`, or the plain commands that the README has for Windows."
SIGNS = {"ok": "✓ ok  ", "note": "· note", "fix": "✗ FIX "}


@dataclass(frozen=True)
class Line:
    """One finding: `ok`, `note` (works, but know this) or `fix`, and then what to do."""

    name: str
    verdict: str
    saw: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"{SIGNS[self.verdict]}  {self.name:<22} {self.saw}"
        return f"{line}\n{'':8}→ {self.fix}" if self.fix else line


class SetupReport:
    """All lines; true when nothing needs a fix."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines

    def __bool__(self) -> bool:
        return all(line.verdict != "fix" for line in self.lines)

    def __repr__(self) -> str:
        broken = [line.name for line in self.lines if line.verdict == "fix"]
        return f"Fix first: {', '.join(broken)}." if broken else "Ready: every chapter will run here."


async def setup_check(probe: "CallbackProbe | None" = None, *, tensorflow: bool = True) -> SetupReport:
    """Prints a line for each thing the chapters need, as it is found, and returns them all.

    `probe`: what `callback_probe()` returned in a cell before, to tell on which thread a widget's callback arrives.
    `tensorflow=False` leaves out the slow line: the import of TensorFlow, tried in a process of its own, where a crash
    takes nothing else along.
    """
    looks: list[Callable[[], Line | Awaitable[Line]]] = [
        python, packages, kernel, event_loop, lambda: callback(probe), timer,
        *([tensorflow_import] if tensorflow else []), memory, demo]
    lines = []
    for look in looks:
        lines.append(await _looked(look))
        print(lines[-1], flush=True)
    return SetupReport(lines)


async def _looked(look: Callable[[], Any]) -> Line:
    try:
        found = look()
        return await found if asyncio.iscoroutine(found) else found
    except Exception as problem:
        return Line(look.__name__.replace("_", " "), "fix", f"{type(problem).__name__}: {problem}", SETUP)


def python() -> Line:
    saw = f"{platform.python_version()}, {platform.machine()}, {platform.system()}"
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return Line("Python", "ok", saw)
    return Line("Python", "fix", saw, f"Install Python 3.11, 3.12 or 3.13, remove the folder .venv, then: {SETUP}")


def packages() -> Line:
    """The ranges are those of the installed package's own metadata, so that they are written down once."""
    from packaging.requirements import Requirement

    wanted = {r.name: r for r in map(Requirement, importlib.metadata.requires("asyncpatterns") or [])
              if not r.marker or any(r.marker.evaluate({"extra": extra}) for extra in ("serving", "notebooks"))}
    missing = [problem for requirement in wanted.values() if (problem := _lacks(requirement))]
    if missing:
        return Line("packages", "fix", "; ".join(missing), f"{sys.executable} -m pip install -r requirements.txt")
    return Line("packages", "ok", f"all {len(wanted)} are there, in versions that fit")


def _lacks(requirement: Any) -> str:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name} is missing"
    fits = requirement.specifier.contains(version, prereleases=True)
    return "" if fits else f"{requirement.name} is {version}, needed is {requirement.specifier}"


def kernel() -> Line:
    if "ipykernel" not in sys.modules:
        return Line("kernel", "note", "this is not a notebook: no kernel to look at")
    import ipykernel

    saw = f"ipykernel {ipykernel.__version__}, {sys.executable}"
    if sys.prefix == sys.base_prefix:
        return Line(
            "kernel", "note", saw, "This kernel is not in a virtual environment. Start Jupyter with `make lab`."
        )
    return Line("kernel", "ok", saw)


async def event_loop() -> Line:
    loop = asyncio.get_running_loop()
    where = threading.current_thread().name
    saw = f"{type(loop).__name__} on {where}"
    begin = time.perf_counter()
    for _ in range(1_000):
        await asyncio.sleep(0)
    return Line("event loop", "ok", f"{saw}, {(time.perf_counter() - begin) * 1e3:.1f} µs a turn")


def callback(probe: "CallbackProbe | None") -> Line:
    name = "widget's callback"
    if probe is None or probe.thread is None:
        return Line(name, "note", "none has arrived yet",
                    "Move the slider above, then run this cell again. Without a browser, none ever will.")
    here = "the same thread as your cells" if probe.thread == probe.home else f"not {probe.home}, where your cells run"
    return Line(name, "ok", f"arrives on {probe.thread}: {here}; bridged in {probe.delay * 1e3:.1f} ms")


async def timer() -> Line:
    late = sorted([await _lateness(0.001) for _ in range(50)])
    median, worst = late[25], late[-1]
    saw = f"a sleep of 1 ms ends {median * 1e3:.2f} ms late, at worst {worst * 1e3:.1f} ms"
    if median > 0.005:
        return Line(
            "timer", "note", saw, "Sleeps are coarse here (older Windows: 15 ms). Latencies below that are not visible."
        )
    if worst > 0.1:
        return Line("timer", "note", saw, "The machine is busy: close what else is running before you measure.")
    return Line("timer", "ok", saw)


async def _lateness(pause: float) -> float:
    begin = time.perf_counter()
    await asyncio.sleep(pause)
    return time.perf_counter() - begin - pause


async def tensorflow_import() -> Line:
    code = "import tensorflow as tf; print(tf.__version__, int(tf.reduce_sum(tf.ones([2, 3]))))"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    begin = time.perf_counter()
    try:
        done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], env=environment, text=True,
                                       capture_output=True, timeout=IMPORT_PATIENCE)
    except subprocess.TimeoutExpired:
        return Line("TensorFlow", "fix", f"the import took more than {IMPORT_PATIENCE:g} s",
                    "Run this cell once more (the first import is the slowest); if it stays so, install it anew.")
    took = time.perf_counter() - begin
    if done.returncode == 0:
        return Line("TensorFlow", "ok", f"{done.stdout.split()[0]}, imported and tried in {took:.1f} s")
    return Line("TensorFlow", "fix", _why(done.returncode, done.stderr), _remedy(done.returncode))


def _why(status: int, words: str) -> str:
    if status < 0:
        return f"the import was ended by signal {-status}"
    return (words.strip().splitlines() or ["it ended without a word"])[-1][:200]


def _remedy(status: int) -> str:
    if status in (-4, 132):
        return (
            "This processor lacks the instructions (AVX) that TensorFlow's wheels need: use another machine, or Colab."
        )
    if status in (-9, 137):
        return "The machine ran out of memory: close other programs, or restart other kernels, and run this cell again."
    return f"{sys.executable} -m pip install --force-reinstall tensorflow"


def memory() -> Line:
    import psutil

    free, total = psutil.virtual_memory().available, psutil.virtual_memory().total
    saw = f"{free / 2**30:.1f} GiB free of {total / 2**30:.1f}, {os.cpu_count()} cores"
    if free < ENOUGH_MEMORY:
        return Line(
            "memory", "fix", saw, "A chapter needs 2 GiB: shut down other kernels (Kernel › Shut Down All Kernels)."
        )
    return Line("memory", "ok", saw)


async def demo() -> Line:
    """The five lines that the whole course is about."""
    from asyncpatterns import Batcher

    sizes: list[int] = []

    def double(items: list[int]) -> list[int]:
        sizes.append(len(items))
        return [2 * item for item in items]

    async with Batcher(double) as batcher:
        answers = await asyncio.gather(*(batcher(number) for number in range(64)))
    if answers == [2 * number for number in range(64)]:
        return Line(
            "five-line demo", "ok", f"64 requests answered in {len(sizes)} batch{'es' if len(sizes) > 1 else ''}"
        )
    return Line("five-line demo", "fix", f"64 requests, wrong answers: {answers[:3]} ...", SETUP)


class CallbackProbe:
    """A slider that tells on which thread its callback arrives. It moves by itself once a browser shows it."""

    def __init__(self) -> None:
        import ipywidgets

        from ..live import Bridge

        self.home = threading.current_thread().name
        self.thread: str | None = None
        self.delay = math.nan
        self.bridge = Bridge()
        self.words = ipywidgets.HTML("Move the slider: this line will tell where its callback arrives.")
        self.slider = ipywidgets.IntSlider(description="move me", min=0, max=10)
        self.player = ipywidgets.Play(min=0, max=1, interval=50, repeat=False, layout=ipywidgets.Layout(display="none"))
        self.widget = ipywidgets.VBox([self.words, self.slider, self.player])
        self.slider.observe(self._arrived, "value")
        self.player.observe(self._arrived, "value")

    def __repr__(self) -> str:
        return f"<CallbackProbe {'waits' if self.thread is None else 'saw a callback on ' + self.thread}>"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)
        self.bridge.loop.call_later(1.0, self._play)

    def _play(self) -> None:
        self.player.playing = True

    def _arrived(self, _: Any) -> None:
        self.bridge.call(self._tell, threading.current_thread().name, time.perf_counter())

    def _tell(self, thread: str, arrived: float) -> None:
        self.thread, self.delay = thread, time.perf_counter() - arrived
        self.words.value = (f"The callback arrived on <b>{thread}</b>; cells run on <b>{self.home}</b>. "
                            f"The bridge brought it there in {self.delay * 1e3:.1f} ms.")


def callback_probe() -> CallbackProbe:
    """Shows a slider; give what this returns to `setup_check` in a later cell."""
    return CallbackProbe()
