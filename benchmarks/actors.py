"""Actors against the same thing written with one task and one `asyncio.Queue` for each, and against Pykka.

Everything is measured side by side in one run: in each round every contender does every job once, in turn, and the
best of the rounds counts. Printed are times for one operation, and how many times better we are.

    python -m benchmarks actors                 # everything but the slow part, about a minute
    python -m benchmarks.actors --crashes       # and a million messages through a tree that crashes every thousandth

Pykka (one thread an actor) is measured when it is installed, and named as missing when not.
"""

import argparse
import asyncio
import gc
import json
import math
import platform
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from asyncpatterns import Actor, ActorRef, ActorSystem, Child, Supervisor, SupervisorRef

from ._actors_rivals import ASKED, LAPS, QUEUES, RING, ROOM, SPAWNED, TOLD, Job, QueueActor, end, pykka, pykka_jobs

IDLE = 100_000
QUEUED_ELSEWHERE = 100_000

# What the project promises: at least so many times better than a task and a queue for each actor.
PROMISED = {
    "spawn": 5.0,
    "tell, plain": 2.0,
    "tell, async": 1.2,
    "ring, plain": 1.3,
    "ring, async": 0.9,
    "ask, plain": 1.4,
    "memory": 8.0,
}

# --- ours ---


class Idle(Actor):
    def receive(self, message: Any) -> None: ...


class Plain(Actor):
    """Counts down."""

    def __init__(self, count: int, done: asyncio.Future[None]) -> None:
        self.count = count
        self.done = done

    def receive(self, message: Any) -> None:
        self.count -= 1
        if not self.count:
            self.done.set_result(None)


class Async(Plain):
    async def receive(self, message: Any) -> None:  # type: ignore[override]
        self.count -= 1
        if not self.count:
            self.done.set_result(None)


class Answer(Actor):
    """Answers with what it was asked."""

    def receive(self, message: Any) -> Any:
        return message


class AnswerAsync(Actor):
    async def receive(self, message: Any) -> Any:
        return message


class PlainHop(Actor):
    """Passes the number on to the next in the ring, one less each time."""

    def __init__(self, ring: list[ActorRef], done: asyncio.Future[None]) -> None:
        self.ring = ring
        self.following = (len(ring) + 1) % RING
        self.done = done

    def receive(self, hops: int) -> None:
        if hops:
            self.ring[self.following].tell(hops - 1)
        else:
            self.done.set_result(None)


class AsyncHop(PlainHop):
    async def receive(self, hops: int) -> None:  # type: ignore[override]
        if hops:
            self.ring[self.following].tell(hops - 1)
        else:
            self.done.set_result(None)


def ours_spawn() -> Job:
    async def job() -> float:
        async with ActorSystem() as system:
            started = time.perf_counter()
            refs = [system.spawn(Idle) for _ in range(SPAWNED)]
            await asyncio.sleep(0)
            return (time.perf_counter() - started) / len(refs)

    return job


def ours_tell(cls: type[Plain]) -> Job:
    async def job() -> float:
        async with ActorSystem() as system:
            done = asyncio.get_running_loop().create_future()
            ref = system.spawn(cls, TOLD, done, mailbox=ROOM)
            started = time.perf_counter()
            for i in range(TOLD):
                ref.tell(i)
            await done
            return (time.perf_counter() - started) / TOLD

    return job


def ours_ring(cls: type[PlainHop]) -> Job:
    async def job() -> float:
        async with ActorSystem() as system:
            done = asyncio.get_running_loop().create_future()
            ring: list[ActorRef] = []
            for _ in range(RING):
                ring.append(system.spawn(cls, ring, done))
            started = time.perf_counter()
            ring[0].tell(RING * LAPS)
            await done
            return (time.perf_counter() - started) / (RING * LAPS)

    return job


def ours_ask(cls: type[Actor], queued: int = 0) -> Job:
    async def job() -> float:
        async with ActorSystem() as system:
            ref = system.spawn(cls)
            gate = asyncio.Event()
            if queued:
                busy = system.spawn(lambda message: gate.wait(), mailbox=ROOM)
                for i in range(queued):
                    busy.tell(i)
                await asyncio.sleep(0)
            started = time.perf_counter()
            for i in range(ASKED):
                await ref.ask(i)
            spent = (time.perf_counter() - started) / ASKED
            gate.set()
            return spent

    return job


# --- memory ---


async def ours_memory() -> float:
    async with ActorSystem() as system:
        return measured_memory(lambda: [system.spawn(Idle) for _ in range(IDLE)]) - object_size()


async def queue_memory() -> float:
    actors: list[QueueActor] = []

    def fill() -> list[QueueActor]:
        actors.extend(QueueActor() for _ in range(IDLE // 10))
        return actors

    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    fill()
    await asyncio.sleep(0)      # every task waits in its queue
    gc.collect()
    used = (tracemalloc.get_traced_memory()[0] - before) / len(actors) - 8
    tracemalloc.stop()
    await end(actors)
    return used - object_size()


def measured_memory(fill: Callable[[], list[Any]]) -> float:
    """Bytes for each of the things that `fill` makes, without the list."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    things = fill()
    gc.collect()
    used = (tracemalloc.get_traced_memory()[0] - before) / len(things) - 8
    tracemalloc.stop()
    return used


def object_size() -> float:
    """What an instance of the user's class costs by itself."""
    return measured_memory(lambda: [Idle() for _ in range(10_000)])


# --- a million messages, every thousandth of them fatal ---


class Fragile(Actor):
    handled = 0

    def receive(self, message: int) -> None:
        Fragile.handled += 1
        if message % 1_000 == 0:
            raise ValueError(message)


async def crashes(messages: int = 1_000_000) -> dict[str, float]:
    """Send them through a supervised tree, and account for each."""
    Fragile.handled = 0
    workers, teams, burst = 4, 4, 500
    async with ActorSystem() as system:
        team = [Child(f"worker-{i}", Fragile) for i in range(workers)]
        limits = {"max_restarts": messages, "within": 60.0}
        top = system.spawn(Supervisor, [Child(f"team-{i}", Supervisor, team, **limits) for i in range(teams)], **limits)
        refs = [ref for _, sup in sorted(top.children().items()) for ref in children_of(sup)]
        started = time.perf_counter()
        for i in range(1, messages + 1):
            refs[i % len(refs)].tell(i)
            if i % burst == 0:
                await asyncio.sleep(0)
        while Fragile.handled + system.dead_letters.total < messages:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        spent = time.perf_counter() - started
        restarts = sum(node.restarts for _, node in system.tree().walk())
        lost = messages - Fragile.handled - system.dead_letters.total
        dead = system.dead_letters.total
    return {"messages": messages, "seconds": spent, "restarts": restarts, "dead letters": dead, "unaccounted for": lost}


def children_of(ref: ActorRef) -> list[ActorRef]:
    assert isinstance(ref, SupervisorRef)
    return list(ref.children().values())


# --- running it ---

OURS: dict[str, Job] = {
    "spawn": ours_spawn(),
    "tell, plain": ours_tell(Plain),
    "tell, async": ours_tell(Async),
    "ring, plain": ours_ring(PlainHop),
    "ring, async": ours_ring(AsyncHop),
    "ask, plain": ours_ask(Answer),
    "ask, async": ours_ask(AnswerAsync),
}
def once(job: Callable[[], Awaitable[float]]) -> float:
    gc.collect()
    return asyncio.run(job())  # type: ignore[arg-type]


def best_of(rounds: int) -> dict[str, dict[str, float]]:
    """Subject -> contender -> the best of the rounds, in seconds for one operation."""
    contenders = {"ours": OURS, "task + Queue": QUEUES, "Pykka": pykka_jobs()}
    best: dict[str, dict[str, float]] = {subject: {} for subject in OURS}
    for _ in range(rounds):
        for subject in OURS:
            for contender, jobs in contenders.items():
                if subject in jobs:
                    spent = once(jobs[subject])
                    best[subject][contender] = min(spent, best[subject].get(contender, math.inf))
    return best


def report(best: dict[str, dict[str, float]]) -> list[list[str]]:
    rows = [["", "ours", "task + Queue", "Pykka", "× task + Queue", "promised", "× Pykka"]]
    for subject, times in best.items():
        unit = 1 if subject == "memory" else 1e6
        shown = [f"{times[c] * unit:.4g}" if c in times else "–" for c in ("ours", "task + Queue", "Pykka")]
        ratio = times["task + Queue"] / times["ours"]
        promise = f">= {PROMISED[subject]}" if subject in PROMISED else ""
        ahead = f"{times['Pykka'] / times['ours']:.1f}" if "Pykka" in times else "–"
        rows.append([f"{subject} ({'bytes' if unit == 1 else 'µs'})", *shown, f"{ratio:.2f}", promise, ahead])
    return rows


def print_table(rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]))


def elsewhere(rounds: int) -> float:
    """How much longer an ask takes while many messages wait for another actor."""
    alone, crowded = math.inf, math.inf
    for _ in range(rounds):
        alone = min(alone, once(ours_ask(Answer)))
        crowded = min(crowded, once(ours_ask(Answer, QUEUED_ELSEWHERE)))
    return crowded / alone


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.actors")
    parser.add_argument("--rounds", type=int, default=5, help="the best of so many counts")
    parser.add_argument("--crashes", action="store_true", help="also send a million messages, every thousandth fatal")
    options = parser.parse_args(arguments)
    rival = "with Pykka" if pykka else "Pykka is not installed"
    print(f"Python {platform.python_version()}, best of {options.rounds}, {rival}")
    best = best_of(options.rounds)
    best["memory"] = {"ours": asyncio.run(ours_memory()), "task + Queue": asyncio.run(queue_memory())}
    print_table(report(best))
    ratio = elsewhere(options.rounds)
    print(f"an ask with {QUEUED_ELSEWHERE:,} messages queued elsewhere takes {ratio:.2f} × the time")
    results: dict[str, Any] = {"python": platform.python_version(), "best": best, "ask_with_others_queued": ratio}
    if options.crashes:
        results["crashes"] = outcome = asyncio.run(crashes())
        print("crashes:", ", ".join(f"{value:,.4g} {what}" for what, value in outcome.items()))
    Path("results").mkdir(exist_ok=True)
    Path("results/actors.json").write_text(json.dumps(results, indent=2))
    missed = [s for s, bar in PROMISED.items() if best[s]["task + Queue"] / best[s]["ours"] < bar]
    print("missed: " + ", ".join(missed) if missed else "every promise is kept")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
