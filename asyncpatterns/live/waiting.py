"""When to wait, live: one batcher under a load that you set, and its gathering timeline.

Two kinds of load at once: an open loop (requests come when they come) and clients in a closed loop, each of whom asks
again when it has its answer.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import ipywidgets

from .knobs import linger_knob, look, rate_knob, size_knob
from .panel import Panel
from .race import Lane, Race
from .tap import BatcherTap

_PAUSE = 0.02       # of a client that was turned away


class Clients:
    """`wanted` clients in a closed loop; the number may change while they run."""

    def __init__(self, target: Any, items: Sequence[Any]) -> None:
        self.target, self.items = target, items
        self._wanted, self._running = 0, 0
        self._change = asyncio.Event()

    @property
    def wanted(self) -> int:
        return self._wanted

    @wanted.setter
    def wanted(self, count: int) -> None:
        self._wanted = count
        self._change.set()

    async def run(self) -> None:
        """Until cancelled; then every client ends."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._change.clear()
                while self._running < self._wanted:
                    group.create_task(self._client(self._running))
                    self._running += 1
                await self._change.wait()

    async def _client(self, number: int) -> None:
        try:
            while number < self._wanted:
                try:
                    await self.target(self.items[number % len(self.items)])
                except Exception:       # turned away, or failed: it is counted where it happened
                    await asyncio.sleep(_PAUSE)
        finally:
            self._running -= 1


def gathering_panel(batcher: Any, items: Sequence[Any], *, rate: float = 100.0, max_rate: float = 1_000.0,
                    clients: int = 0, max_batch_size: int = 64, window: float = 0.4, seconds: float | None = 30.0,
                    seed: int = 0, record: bool = False, name: str = "gathering") -> Panel:
    """The gathering timeline of `batcher` while `items` arrive: each request a bar, each batch with its reason.

    Sliders set the open-loop rate, the number of closed-loop clients, `max_batch_size` and `linger`, which hold from
    the next batch on. `window` is how many seconds are in the picture. Nothing runs before Start is pressed or
    `.start()` called; after `seconds` it stops by itself.
    """
    tap = BatcherTap(batcher, window=window)
    race = Race([Lane("batcher", batcher)], items, rate=rate, seed=seed)
    crowd = Clients(batcher, items)
    crowd.wanted = clients
    slider = ipywidgets.IntSlider(value=clients, min=0, max=16, **look("clients that wait"))
    knobs = [rate_knob(rate, max_rate, lambda value: setattr(race, "rate", value)),
             (slider, lambda count: setattr(crowd, "wanted", count)),
             size_knob([batcher], max_batch_size), linger_knob([batcher])]
    panel = Panel(tap.gathering, name=name, work=[tap.follow, race.run, crowd.run], seconds=seconds, record=record,
                  controls=[ipywidgets.VBox([widget for widget, _ in knobs])])
    for widget, handler in knobs:
        panel.bridge.observe(widget, handler)
    return panel
