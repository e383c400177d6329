"""A panel: controls and one live picture, drawn by a task on the loop from a sample of the state.

Invariants:
1. A panel draws at most `MAX_FRAMES` pictures a second, each one message to the browser. It spends at most an eightieth
   of the loop's time on it, as long as that leaves eight pictures a second, and never more than a twentieth: when a
   frame gets dear, frames get rare. What it costs stands below the picture. A picture that looks like the last one is
   not sent but once a second, for the numbers below it: the message is what costs most.
2. It draws in pieces, and between two of them the loop belongs to what is shown: nothing there is held up by more than
   a sample, some tenths of a millisecond of drawing, or a message.
3. Nothing runs before `start()`, nothing is left running after `stop()`, and no widget is left after `close()`.
4. A failure of the panel's work is shown in the panel, raised by `wait()`, and given to the loop's exception handler.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from html import escape
from typing import Any

import ipywidgets

from ..channels import go
from .bridge import Bridge
from .recording import Recording
from .svg import VERMILION, seconds
from .views import State, Steps, draw, steps

MAX_FRAMES = 15.0
SHARE, MOST = 1 / 80, 1 / 20        # of the loop's time
LIVELY = 1 / 8      # seconds from picture to picture that still look like motion
PIECE, REST = 0.2e-3, 5e-3      # seconds: of drawing at a time, and of the loop's own in between
STALE = 1.0         # seconds after which a picture is sent though it looks like the last one
_open: "dict[str, Panel]" = {}

Work = Callable[[], Coroutine[Any, Any, None]]


class Panel:
    """Shows `draw(sample())` again and again while it runs.

    `work`: coroutine functions that run as long as the panel does (a load generator, a tap); one that ends early is
    fine, one that raises stops the panel. `seconds` stops it by itself, so that a forgotten demo does not disturb what
    is measured after it. A second panel with the same `name` closes the first: running a cell again leaves no ghost
    behind. Must be made where an event loop runs, as in a notebook's cell.
    """

    def __init__(
        self,
        sample: Callable[[], State],
        *,
        name: str,
        work: Sequence[Work] = (),
        controls: Sequence[Any] = (),
        frames_per_second: float = 10.0,
        seconds: float | None = None,
        record: bool = False,
    ) -> None:
        if not 0 < frames_per_second <= MAX_FRAMES:
            raise ValueError(f"frames_per_second is more than 0 and at most {MAX_FRAMES:g}, not {frames_per_second!r}")
        if name in _open:
            _open[name].close()
        _open[name] = self
        self.name, self.sample, self.work, self.seconds = name, sample, work, seconds
        self.frames_per_second = frames_per_second
        self.recording = Recording() if record else None
        self.failure: BaseException | None = None
        self.meter = Meter()
        self.bridge = Bridge(on_error=self._fail)
        self._task: asyncio.Task[None] | None = None
        self._sent = ("", 0.0)      # the last picture that was drawn while it ran, and when it was sent
        self._build(controls)

    def _build(self, controls: Sequence[Any]) -> None:
        self.start_button = ipywidgets.Button(description="Start", icon="play", tooltip=f"Start {self.name}")
        self.stop_button = ipywidgets.Button(
            description="Stop", icon="stop", tooltip=f"Stop {self.name}", disabled=True
        )
        self.calm = ipywidgets.Checkbox(value=False, description="one picture a second", indent=False)
        self.picture = ipywidgets.HTML(layout=ipywidgets.Layout(max_width="860px"))
        buttons = ipywidgets.HBox([self.start_button, self.stop_button, self.calm])
        self.widget = ipywidgets.VBox([*controls, buttons, self.picture])
        self.bridge.click(self.start_button, self.start)
        self.bridge.click(self.stop_button, self.stop)
        self._show()

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    def __repr__(self) -> str:
        state = f"failed: {self.failure!r}" if self.failure else "running" if self.running else "stopped"
        return f"<Panel {self.name!r} {state}, {self.meter}>"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)

    def start(self) -> "Panel":
        """Starts the work and the drawing, and returns at once. A running panel goes on."""
        if not self.running:
            self.failure, self._sent = None, ("", 0.0)
            self._buttons(running=True)
            self._task = go(self._run())
        return self

    def stop(self) -> None:
        """Cancels the work and the drawing; the last picture stays. A stopped panel stays stopped."""
        if self._task is not None:
            self._task.cancel()

    async def wait(self) -> None:
        """Until the panel has stopped. Raises what its work raised."""
        if self._task is not None:
            await asyncio.wait([self._task])
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        """Stops, lets go of the loop and takes the widgets off the page."""
        self.stop()
        self.bridge.close()
        if _open.get(self.name) is self:
            del _open[self.name]
        for widget in _family(self.widget):
            widget.close()

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work(), name=f"{self.name} work") for work in self.work]
                await self._draw_frames()
                for task in tasks:
                    task.cancel()
        except Exception as problem:
            self._fail(_single(problem))
        finally:
            self._stopped()

    async def _draw_frames(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        end = began + self.seconds if self.seconds is not None else float("inf")
        while began < end:
            asked = loop.time()
            pause = max(began + self._pace() - asked, 0.0)
            await asyncio.sleep(pause)
            began = loop.time()
            self.meter.lagged(began - asked - pause)
            await self._frame(began)

    def _pace(self) -> float:
        cost = self.meter.cost
        return max(self._interval(), min(cost / SHARE, LIVELY), cost / MOST)

    def _interval(self) -> float:
        return 1.0 if self.calm.value else 1.0 / self.frames_per_second

    async def _frame(self, now: float) -> None:
        """One picture of the state as it is now; the loop gets its turn between sample, pieces and message."""
        cost, begin, drawing = 0.0, time.perf_counter(), self._drawn(now)
        svg = None
        while svg is None:
            svg = _until(drawing, begin + PIECE)
            cost += time.perf_counter() - begin
            await asyncio.sleep(REST)
            begin = time.perf_counter()
        if svg == self._sent[0] and now - self._sent[1] < STALE:
            return
        self._put(svg)
        self._sent = svg, now
        self.meter.drew(cost + time.perf_counter() - begin)

    def _drawn(self, now: float) -> Steps[str]:
        state = self.sample()
        if self.recording is not None:
            self.recording.add(now, state)
        yield
        return (yield from steps(state))

    def _show(self) -> None:
        self._put(draw(self.sample()))

    def _put(self, svg: str) -> None:
        note = ""
        if self.failure is not None:
            words = escape(f"{type(self.failure).__name__}: {self.failure}")
            note = f'<div role="alert" style="color:{VERMILION};font-weight:600">Stopped by an error: {words}</div>'
        self.picture.value = f'{svg}{note}<div style="font-size:11px;color:#595959">{self.meter}</div>'

    def _fail(self, problem: BaseException) -> None:
        self.failure = problem
        self.stop()
        with contextlib.suppress(Exception):        # the picture may be what failed
            self._show()
        self.bridge.loop.call_exception_handler({"message": f"panel {self.name!r} failed", "exception": problem})

    def _stopped(self) -> None:
        if not self.bridge.closed:
            self._buttons(running=False)

    def _buttons(self, running: bool) -> None:
        self.start_button.disabled, self.stop_button.disabled = running, not running


class Meter:
    """What the pictures cost: milliseconds a frame, and how late the loop wakes the panel up."""

    def __init__(self) -> None:
        self.frames = 0
        self.cost = 0.0
        self.lags: deque[float] = deque(maxlen=100)

    def drew(self, cost: float) -> None:
        self.frames += 1
        self.cost = cost if self.frames == 1 else 0.9 * self.cost + 0.1 * cost

    def lagged(self, lag: float) -> None:
        self.lags.append(max(lag, 0.0))

    def __str__(self) -> str:
        if not self.frames:
            return "nothing drawn yet"
        lags = sorted(self.lags)
        return (f"drawing costs {seconds(self.cost)} a frame · the loop wakes up late by "
                f"{seconds(lags[len(lags) // 2])}, at worst {seconds(lags[-1])}")


def open_panels() -> list[Panel]:
    return list(_open.values())


async def close_panels() -> None:
    """Closes every open panel and waits until their work has ended."""
    tasks = [panel._task for panel in _open.values() if panel._task is not None and panel.running]
    for panel in open_panels():
        panel.close()
    if tasks:
        await asyncio.wait(tasks)


async def stop_panels() -> None:
    """Stops every running panel and waits for it: before something is measured. The pictures stay on the page."""
    tasks = [panel._task for panel in _open.values() if panel._task is not None and panel.running]
    for panel in open_panels():
        panel.stop()
    if tasks:
        await asyncio.wait(tasks)


def _until(drawing: Steps[str], end: float) -> str | None:
    """Draws at least a step, and until the clock says so; the picture, if it is done by then."""
    try:
        while True:
            next(drawing)
            if time.perf_counter() >= end:
                return None
    except StopIteration as done:
        return str(done.value)


def _family(widget: Any) -> list[Any]:
    children = getattr(widget, "children", ())
    return [*(member for child in children for member in _family(child)), widget]


def _single(problem: BaseException) -> BaseException:
    """The one failure inside a group of one."""
    while isinstance(problem, BaseExceptionGroup) and len(problem.exceptions) == 1:
        problem = problem.exceptions[0]
    return problem
