"""The race, live: one open-loop schedule of requests, given to every lane at the same moments, with knobs to turn.

Open loop means that requests come when they come, whether or not earlier ones were answered; latency counts from the
moment a request was due. A lane that cannot keep up collects a queue, as a server does whose clients do not go away.
"""

import asyncio
import random
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets

from .contestant import Contestant
from .knobs import Knob, assign, linger_knob, rate_knob, size_knob, slo_knob
from .panel import Panel
from .tap import quantiles
from .views import State

MOST_WAITING = 2_000
LATELY, STEP = 2.0, 0.25


class Lane:
    """One contestant of a race: takes requests, and keeps what the race view shows.

    Past `MOST_WAITING` waiting requests more of them fail at once, so that a hopeless race does not fill the memory.
    """

    def __init__(self, name: str, target: Any) -> None:
        self.name, self.contestant = name, Contestant(name, target)
        self.batcher = self.contestant.batcher
        self._tasks: set[asyncio.Task[None]] = set()
        self.clear()

    def clear(self) -> None:
        self.answered = self.failed = 0
        self.latencies: deque[tuple[float, float]] = deque(maxlen=1_000)
        self.errors: dict[str, int] = {}
        self._progress: deque[tuple[float, int, int]] = deque()

    def __repr__(self) -> str:
        return f"<Lane {self.name!r} {self.answered} answered, {len(self._tasks)} waiting>"

    def arrive(self, item: Any, due: float) -> None:
        if len(self._tasks) >= MOST_WAITING:
            self._fault("queue full")
            return
        task = asyncio.get_running_loop().create_task(self._serve(item, due))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, item: Any, due: float) -> None:
        try:
            await self.contestant(item)
        except Exception as problem:
            self._fault(type(problem).__name__)
        else:
            now = asyncio.get_running_loop().time()
            self.answered += 1
            self.latencies.append((now, now - due))

    def _fault(self, kind: str) -> None:
        self.failed += 1
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def sample(self, now: float) -> dict[str, Any]:
        """The lane's part of the state of the view `race`; rates and quantiles are those of the last two seconds."""
        if not self._progress or now - self._progress[-1][0] >= STEP:
            self._progress.append((now, self.answered, self._batches()))
        while len(self._progress) > 2 and self._progress[0][0] < now - LATELY:
            self._progress.popleft()
        then, answered, before = self._progress[0]
        batched, batches = self._progress[-1][1] - answered, self._progress[-1][2] - before
        p50, p99 = quantiles([latency for time, latency in self.latencies if time > now - LATELY], 0.50, 0.99)
        return {"name": self.name, "answered": self.answered, "failed": self.failed, "waiting": len(self._tasks),
                "per_second": (self.answered - answered) / (now - then) if now > then else 0.0,
                "p50": p50, "p99": p99,
                "batch": batched / batches if batches else None}

    def _batches(self) -> int:
        """A snapshot of a batcher's statistics sorts thousands of numbers: not for every picture."""
        return self.batcher.statistics().batches if self.batcher is not None else 0

    async def stop(self) -> None:
        """Drops what waits; a call that runs on a thread is waited for, so that nothing is left running."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.contestant.close()


class Race:
    """Poisson arrivals at a rate that may change while they run, each given to every lane at once.

    Gaps are drawn for a rate of one and divided by the current rate: the same seed is the same sequence of requests at
    every rate.
    """

    def __init__(self, lanes: Sequence[Lane], items: Sequence[Any], *, rate: float, seed: int = 0) -> None:
        if not items:
            raise ValueError("a race needs at least one item to send")
        self.lanes, self.items, self.rate, self.seed = list(lanes), items, rate, seed
        self.slo: float | None = None
        self.began = self.now = 0.0

    async def run(self) -> None:
        """Sends requests until cancelled; then drops what still waits."""
        for lane in self.lanes:
            lane.clear()
        self.began = asyncio.get_running_loop().time()
        try:
            await self._arrivals()
        finally:
            await asyncio.gather(*(lane.stop() for lane in self.lanes))

    async def _arrivals(self) -> None:
        loop = asyncio.get_running_loop()
        draw = random.Random(self.seed)
        due, sent = loop.time(), 0
        while True:
            due += draw.expovariate(1.0) / self.rate
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            elif sent % 50 == 0:
                await asyncio.sleep(0)      # behind schedule: catch up, but let the answers through
            for lane in self.lanes:
                lane.arrive(self.items[sent % len(self.items)], due)
            sent += 1

    def sample(self) -> State:
        """State of the view `race`."""
        now = asyncio.get_running_loop().time()
        return {"view": "race", "offered": self.rate, "elapsed": now - self.began if self.began else 0.0,
                "slo": self.slo, "lanes": [lane.sample(now) for lane in self.lanes]}


def race_panel(contestants: Mapping[str, Any], items: Sequence[Any], *, rate: float = 100.0, max_rate: float = 5_000.0,
               max_batch_size: int = 128, seconds: float | None = 30.0, seed: int = 0, record: bool = False,
               name: str = "race") -> Panel:
    """A panel that races `contestants` (name → `Batcher`, `async def` or plain function of one item) on `items`.

    Sliders set the arrival rate and, where a contestant is a batcher, its `max_batch_size`, `linger` and `slo`, which
    hold from its next batch on. Nothing runs before Start is pressed or `.start()` called; after `seconds` it stops by
    itself.
    """
    race = Race([Lane(lane, contestant) for lane, contestant in contestants.items()], items, rate=rate, seed=seed)
    batchers = [lane.batcher for lane in race.lanes if lane.batcher is not None]
    knobs = [rate_knob(rate, max_rate, lambda value: setattr(race, "rate", value))]
    if batchers:
        race.slo = batchers[0].slo
        knobs += _batcher_knobs(race, batchers, max_batch_size)
    panel = Panel(race.sample, name=name, work=[race.run], seconds=seconds, record=record,
                  controls=[ipywidgets.VBox([widget for widget, _ in knobs])])
    for widget, handler in knobs:
        panel.bridge.observe(widget, handler)
    return panel


def _batcher_knobs(race: Race, batchers: Sequence[Any], most: int) -> list[Knob]:
    def set_slo(slo: float | None) -> None:
        race.slo = slo
        assign(batchers, "slo", slo)

    return [size_knob(batchers, most), linger_knob(batchers), slo_knob(batchers[0].slo, set_slo)]
