"""A node is killed under load: the same scene on a pretended cluster in virtual time, and on a real one of Ray.

What was seen on the real one is recorded beside this module, so that it can be shown where Ray is not installed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from asyncpatterns import Actor
from asyncpatterns.serving.front import SpreadActors, Unavailable

from .figure import OKABE_ITO, Figure, axes, figure
from .hops import RECORDING, recorded

INSTALL = "pip install -r requirements-cluster.txt"


class Forgetful(Actor):
    """Remembers what it was told, as long as it is in memory, and answers how much that is."""

    def __init__(self, key: Any) -> None:
        self.told: list[Any] = []

    async def receive(self, message: Any) -> Any:
        if message == "recall":
            return list(self.told)
        await asyncio.sleep(0.010)                      # what a turn takes: understanding, a model, an answer
        self.told.append(message)
        return len(self.told)


class Traveller(Forgetful):
    """The same, and what it knows can be stored."""

    def restore(self, state: list[Any]) -> None:
        self.told = list(state)

    def snapshot(self) -> list[Any]:
        return list(self.told)


@dataclass
class Story:
    """What happened to the turns of all visitors. Times are in seconds from the beginning.

    `answers` has (asked at, seconds until answered) of each answered turn. `lost`: answered turns that an actor does
    not remember at the end; `doubled`: turns that it remembers twice; `refused`: times that a visitor was told to come
    back; `hung`: turns without an answer after half a minute.
    """

    setup: str
    killed_at: float
    answers: list[tuple[float, float]] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    refused: int = 0
    hung: int = 0
    retried: int = 0

    def __repr__(self) -> str:
        longest = max((took for _, took in self.answers), default=0.0)
        return (f"{len(self.answers):,} turns answered, {self.retried} of them sent again, {self.refused} refused; "
                f"{self.lost} lost, {self.doubled} handled twice, {self.hung} hung\n"
                f"longest wait {longest:.2f} s, the median {self.median:.3f} s\n{self.setup}")

    @property
    def median(self) -> float:
        ordered = sorted(took for _, took in self.answers)
        return ordered[len(ordered) // 2] if ordered else 0.0

    def figure(self) -> Figure:
        """Every answered turn: when it was asked, and how long it took."""
        canvas, ax = axes(height=2.8)
        ax.plot([at for at, _ in self.answers], [took for _, took in self.answers], "o", ms=3, color=OKABE_ITO[1],
                alpha=0.6, label="a turn")
        ax.axvline(self.killed_at, color=OKABE_ITO[0], ls="--", label="a node is killed")
        ax.set(xlabel="asked at (s)", ylabel="answered after (s)", yscale="log", title=self.setup)
        ax.legend(loc="upper right", frameon=False)
        longest = max((took for _, took in self.answers), default=0.0)
        return figure(canvas, alt=f"Each turn's time to its answer against the moment it was asked. Most take "
                                  f"{1e3 * self.median:.0f} ms. A node is killed at {self.killed_at:.1f} s; turns of "
                                  f"that time take up to {longest:.1f} s, and later ones as long as before.")


async def under_load(users: SpreadActors, kill: Callable[[], Any], *, setup: str, visitors: int = 30,
                     seconds: float = 10.0, kill_at: float = 3.0, think: float = 0.25, seed: int = 0) -> Story:
    """`visitors` visitors each talk to an actor of their own; at `kill_at` somebody calls `kill`."""
    loop, rng = asyncio.get_running_loop(), random.Random(seed)
    began, story = loop.time(), Story(setup, kill_at)
    keys = [f"traveller-{number}" for number in range(visitors)]
    said: dict[str, list[int]] = {key: [] for key in keys}

    async def visitor(key: str) -> None:
        number = 0
        while loop.time() < began + seconds:
            await asyncio.sleep(rng.expovariate(1 / think))
            await _turn(users, key, number, story, began)
            said[key].append(number)
            number += 1

    async def executioner() -> None:
        await asyncio.sleep(kill_at)
        if waits := kill():
            await waits

    await asyncio.gather(executioner(), *map(visitor, keys))
    for key in keys:
        told = await users[key].ask("recall", timeout=30)
        story.lost += len(set(said[key]) - set(told))
        story.doubled += len(told) - len(set(told))
    story.retried = users.retried
    return story


async def _turn(users: SpreadActors, key: str, number: int, story: Story, began: float) -> None:
    """One turn, asked again by its visitor when it is refused, as `Retry-After` says."""
    loop = asyncio.get_running_loop()
    at = loop.time()
    while True:
        try:
            await users[key].ask(number, timeout=30)
        except Unavailable as refusal:
            story.refused += 1
            await asyncio.sleep(refusal.retry_after)
        except TimeoutError:
            story.hung += 1
            return
        else:
            story.answers.append((at - began, loop.time() - at))
            return


# --- the real cluster, live or recorded ---

def ray_is_here() -> bool:
    """Whether Ray is installed; if not, says how to install it."""
    if importlib.util.find_spec("ray") is not None:
        return True
    print("Ray is not installed, and you need it for nothing else in this course.\n"
          "What follows was recorded on a machine that has it.\n"
          f"To see it live: {INSTALL}, then run this chapter again.")
    return False


async def on_three_nodes(**options: Any) -> Story:
    """The scene on a local Ray cluster of three nodes, one of which is killed."""
    from asyncpatterns.serving.ray import LocalCluster, spread

    with LocalCluster(3) as cluster:
        async with spread(Traveller, name="travellers", hosts=3) as users:
            node = await busiest_node(users, cluster.nodes)
            setup = "three Ray nodes on this machine, live"
            return await under_load(users, lambda: asyncio.to_thread(cluster.kill, node), setup=setup, **options)


async def busiest_node(users: SpreadActors, nodes: tuple[str, ...]) -> str:
    """The node, of those that may die, with most of the hosts."""
    where = [await line.address.node() for line in users.lines.values()]       # type: ignore[attr-defined]
    return max(nodes, key=where.count)


def recorded_story() -> Story:
    return Story(**recorded()["story"])


def record(story: Story, hops: dict[str, tuple[float, float]], setup: str) -> None:
    """Keeps what was seen for those who cannot see it live."""
    kept = {**asdict(story), "setup": f"recorded: {setup}",
            "answers": [(round(at, 3), round(took, 4)) for at, took in story.answers]}
    RECORDING.parent.mkdir(exist_ok=True)
    RECORDING.write_text(json.dumps({"setup": f"recorded: {setup}", "hops": hops, "story": kept}), encoding="utf-8")
