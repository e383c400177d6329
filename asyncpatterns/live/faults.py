"""A supervised team at work, and buttons that break it: who comes back, and who with whom, depends on the strategy.

    def team(strategy):
        return system.spawn(Supervisor, [Child(...), Child(...)], strategy=strategy, name="desk")

    panel = fault_panel(system, team, {"raise": lambda ref: ref.tell("raise"), "kill": lambda ref: ref.kill()})

Choose a child and press a fault; choose another strategy and the team starts anew under it. Who has been restarted a
moment ago is marked in the picture.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

from ..actors import ActorRef, ActorSystem, SupervisorRef
from .panel import Panel
from .panels import tree_state
from .views import State

STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
Team = Callable[[str], SupervisorRef]
Fault = Callable[[ActorRef], Any]
Traffic = Callable[[SupervisorRef], Any]
ANEW = "Choose a strategy, or press Stop and then Start, and a new team begins."
MARKED = 2.0        # seconds for which a restart stays marked: long enough to see who came back together


def fault_panel(system: ActorSystem, team: Team, faults: Mapping[str, Fault], *, traffic: Traffic | None = None,
                every: float = 0.1, strategies: Sequence[str] = STRATEGIES, seconds: float | None = 60.0,
                record: bool = False, name: str | None = None) -> "FaultPanel":
    """A panel over the supervisor that `team(strategy)` starts, with a button for each of `faults`.

    A fault is called with the ref of the child that is chosen. `traffic(supervisor)` is called `every` so many seconds
    while the panel runs, so that there is something to disturb. A fault or another strategy starts a panel that stands,
    or nobody would see what it does. A team that has given up starts anew with the panel, or when a strategy is chosen.
    `panel.team` is the supervisor of the moment.
    """
    desk = _Desk(system, team, faults, traffic, every, strategies)
    return desk.panel(name or f"faults in {system.name}", seconds, record)


class FaultPanel(Panel):
    """A `Panel` that knows the supervisor it shows."""

    desk: "_Desk"

    @property
    def team(self) -> SupervisorRef:
        return self.desk.supervisor


class _Desk:
    def __init__(self, system: ActorSystem, team: Team, faults: Mapping[str, Fault], traffic: Traffic | None,
                 every: float, strategies: Sequence[str]) -> None:
        self.system, self.team, self.faults, self.traffic, self.every = system, team, faults, traffic, every
        self.loop = asyncio.get_running_loop()
        self.show: Callable[[], Any]                # starts the panel; one that runs goes on
        self.strategy = strategies[0]
        self.restarts: dict[str, int] = {}          # of each actor, as last seen, and when that was new
        self.changed: dict[str, float] = {}
        self.ended: Any = None
        self.begin()
        self.strategies = ipywidgets.ToggleButtons(options=list(strategies), description="strategy")
        self.whom = ipywidgets.ToggleButtons(options=list(self.supervisor.children()), description="whom")
        self.buttons = {word: _button(word) for word in faults}

    def panel(self, name: str, seconds: float | None, record: bool) -> FaultPanel:
        controls = [self.strategies, self.whom, ipywidgets.HBox(list(self.buttons.values()))]
        panel = FaultPanel(self.sample, name=name, work=[self.work], controls=controls, seconds=seconds, record=record)
        panel.desk = self
        self.show = panel.start
        panel.bridge.observe(self.strategies, self.choose)
        for word, button in self.buttons.items():
            panel.bridge.click(button, functools.partial(self.press, word))
        return panel

    def begin(self) -> None:
        self.supervisor = self.team(self.strategy)
        self.ended = None
        self.restarts.clear()
        self.changed.clear()

    async def choose(self, strategy: str) -> None:
        self.strategy = strategy
        self.supervisor.stop()
        await self.supervisor.stopped()
        self.begin()
        self.show()

    def press(self, word: str) -> None:
        self.show()
        child = self.supervisor.children().get(self.whom.value)
        if child is not None:
            self.faults[word](child)

    async def work(self) -> None:
        if self.ended is not None:
            self.begin()
        while True:
            if self.ended is None:
                await self.turn(self.supervisor)
            else:
                await asyncio.sleep(self.every)

    async def turn(self, supervisor: SupervisorRef) -> None:
        """Give the team something to do, and notice when it has ended."""
        if self.traffic is not None:
            self.traffic(supervisor)
        with contextlib.suppress(TimeoutError):
            reason = await supervisor.stopped(timeout=self.every)
            if supervisor is self.supervisor:       # else another strategy has been chosen meanwhile
                self.ended = reason

    def sample(self) -> State:
        state = {**tree_state(self.system), "title": self.title(), "note": "" if self.ended is None else ANEW}
        now = self.loop.time()
        for node in state["nodes"]:
            if node["restarts"] > self.restarts.get(node["path"], 0):
                self.changed[node["path"]] = now
            self.restarts[node["path"]] = node["restarts"]
            node["fresh"] = now - self.changed.get(node["path"], -MARKED) < MARKED
        return state

    def title(self) -> str:
        if isinstance(self.ended, BaseException):
            return f"The supervisor has given up: {self.ended}"
        return f"{self.system.name}, strategy {self.strategy}"


def _button(word: str) -> Any:
    return ipywidgets.Button(description=word, button_style="danger", tooltip=f"{word}: the child that is chosen",
                             layout=ipywidgets.Layout(width="auto"))
