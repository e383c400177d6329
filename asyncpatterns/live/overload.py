"""Overload, live: the same requests for the same model behind different batchers, and buttons that break things.

Each service is an actor system of its own with a supervised `Batcher` over a `FaultyModel`. What counts is the answer
in time: a late one is work done for somebody who has left.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import ipywidgets

from ..actors import ActorRef, ActorSystem, Child, Supervisor
from ..batching import Batcher, DeadlineExceeded, Overloaded
from .chaos import FAULTS, POISON, FaultyModel, Poisoned, SessionLost
from .knobs import rate_knob
from .panel import Panel
from .race import Race
from .tap import quantile
from .views import State

STEP, KEEP, LATELY = 0.25, 80, 4       # seconds of a slice; slices kept; slices that count as "now"
MOST_WAITING = 20_000
KINDS = ("in time", "late", "refused", "failed")


class Service:
    """One way to serve: counts what becomes of each request, in slices of time.

    `refused`: turned away unserved, at once or when its time was up; `failed`: by a fault. Past `MOST_WAITING` waiting
    requests more of them are refused by this demonstration, so that no queue fills the machine's memory.
    """

    def __init__(self, name: str, model: FaultyModel, slo: float, /, **options: Any) -> None:
        self.name, self.model, self.slo, self.options = name, model, slo, options
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._ref: ActorRef | None = None
        self.poison = 0         # so many of the next items will be poisoned ones
        self.clear()

    def __repr__(self) -> str:
        return f"<Service {self.name!r} {dict(self.counts)}>"

    def clear(self) -> None:
        self.counts: Counter[str] = Counter()
        self.slices: deque[tuple[int, Counter[str]]] = deque(maxlen=KEEP)
        self.latencies: deque[float] = deque(maxlen=400)

    async def run(self) -> None:
        """The actors live until cancelled. A lost session is a restart, and a demonstration has no limit on those."""
        async with ActorSystem(self.name, shutdown=0.0) as system:
            child = Child("model", Batcher, self.model, fatal=(SessionLost,), shutdown=0.0, **self.options)
            supervisor: Any = system.spawn(Supervisor, [child], max_restarts=1_000_000)
            self._ref = supervisor.children()["model"]
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._ref = None

    def arrive(self, item: Any, due: float) -> None:
        if self._ref is None or len(self._tasks) >= MOST_WAITING:
            self._note("refused")
            return
        if self.poison:
            self.poison -= 1
            item = POISON
        task = asyncio.get_running_loop().create_task(self._serve(self._ref, item, due))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    async def _serve(self, ref: ActorRef, item: Any, due: float) -> None:
        try:
            await ref.ask(item, timeout=None)
        except (Overloaded, DeadlineExceeded):
            self._note("refused")
        except (Poisoned, SessionLost):
            self._note("failed")
        else:
            latency = asyncio.get_running_loop().time() - due
            self.latencies.append(latency)
            self._note("in time" if latency <= self.slo else "late")

    def _note(self, kind: str) -> None:
        index = int(asyncio.get_running_loop().time() / STEP)
        if not self.slices or self.slices[-1][0] != index:
            self.slices.append((index, Counter()))
        self.slices[-1][1][kind] += 1
        self.counts[kind] += 1

    def half_leave(self) -> None:
        """Every other caller that waits gives up."""
        for task in list(self._tasks)[::2]:
            task.cancel()

    def sample(self, now: float) -> dict[str, Any]:
        """The service's part of the state of the view `overload`: rates of the last second, and the curve in time."""
        last, known = int(now / STEP), dict(self.slices)
        lately = sum((known.get(last - back, Counter()) for back in range(1, LATELY + 1)), Counter[str]())
        history = [known.get(index, Counter())["in time"] / STEP for index in range(last - KEEP + 1, last)]
        return {"name": self.name, "waiting": len(self._tasks), "p99": quantile(list(self.latencies), 0.99),
                "history": history, **{kind: lately[kind] / (STEP * LATELY) for kind in KINDS}}

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))


class Overload(Race):
    """Poisson arrivals, the same for every service, some of them poisoned on demand."""

    lanes: list[Any]

    def __init__(self, services: Mapping[str, Mapping[str, Any]], *, b: float, a: float, slo: float, rate: float,
                 seed: int = 0) -> None:
        lanes: list[Any] = [Service(name, FaultyModel(b, a), slo, **options) for name, options in services.items()]
        super().__init__(lanes, range(1_000), rate=rate, seed=seed)
        self.slo = slo

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            systems = [group.create_task(service.run()) for service in self.lanes]
            await asyncio.sleep(0)
            try:
                await super().run()
            finally:
                for system in systems:
                    system.cancel()

    def fault(self, name: str) -> None:
        """One of `FAULTS` befalls every model."""
        for service in self.lanes:
            FAULTS[name](service.model)

    def poison(self, count: int = 10) -> None:
        for service in self.lanes:
            service.poison += count

    def half_leave(self) -> None:
        for service in self.lanes:
            service.half_leave()

    def burst(self, count: int = 300) -> None:
        now = asyncio.get_running_loop().time()
        for number in range(count):
            for service in self.lanes:
                service.arrive(number, now)

    def sample(self) -> State:
        """State of the view `overload`."""
        now = asyncio.get_running_loop().time()
        return {"view": "overload", "offered": self.rate, "slo": self.slo, "step": STEP,
                "services": [service.sample(now) for service in self.lanes]}


def overload_panel(services: Mapping[str, Mapping[str, Any]], *, b: float = 0.020, a: float = 0.002,
                   slo: float = 0.200, rate: float = 200.0, max_rate: float = 1_500.0, seconds: float | None = 30.0,
                   seed: int = 0, record: bool = False, name: str = "overload") -> Panel:
    """A panel that gives the same requests to `services` (name → options of `Batcher`), each with a model of its own
    that takes T(n) = b + a·n seconds, and shows how many a second are answered within `slo`.

    A slider sets the rate; the chaos buttons slow the models down, hang them, lose their sessions, poison ten requests,
    send a burst, and make half of the waiting callers leave. Nothing runs before Start is pressed or `.start()` called;
    after `seconds` it stops by itself.
    """
    overload = Overload(services, b=b, a=a, slo=slo, rate=rate, seed=seed)
    slider, use = rate_knob(rate, max_rate, lambda value: setattr(overload, "rate", value))
    chaos = _chaos_buttons(overload)
    rows = [ipywidgets.HBox(list(chaos)[start:start + 3]) for start in range(0, len(chaos), 3)]
    panel = Panel(overload.sample, name=name, work=[overload.run], seconds=seconds, record=record,
                  controls=[ipywidgets.VBox([slider, *rows])])
    panel.bridge.observe(slider, use)
    for button, press in chaos.items():
        panel.bridge.click(button, press)
    return panel


def _chaos_buttons(overload: Overload) -> dict[Any, Callable[[], None]]:
    presses: dict[str, Callable[[], None]] = {f"the model {words}": partial(overload.fault, words) for words in FAULTS}
    presses |= {"10 poisoned requests": overload.poison, "a burst of 300": overload.burst,
                "half of those who wait leave": overload.half_leave}
    layout = ipywidgets.Layout(width="260px")       # "the model is 3 × slower for 3 s" and its icon
    return {ipywidgets.Button(description=words, icon="bolt", layout=layout): press
            for words, press in presses.items()}
