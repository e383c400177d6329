"""Channels against what one would use instead: `asyncio.Queue`, `asyncio.wait`, and the channels of trio and anyio.

Everything is measured side by side in one run: in each round every contender does every job once, in turn, and the
best of the rounds counts. Printed are microseconds for one operation, and how many times better we are. Time is that
of this thread, which other programs on the machine disturb less than the wall clock.

    python -m benchmarks channels

trio and anyio are measured when they are installed, and named as missing when not.
"""

import asyncio
import gc
import importlib.util
import json
import platform
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from asyncpatterns import Channel, select

ROUNDS = 5
ITEMS = 20_000
SELECTS = 3_000
FEW, MANY = 10, 10_000

Job = Callable[[], float]       # returns seconds for one operation


class Watch:
    def __enter__(self) -> "Watch":
        gc.collect()
        self.start = time.thread_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.thread_time() - self.start


def on_asyncio(job: Callable[[], Coroutine[Any, Any, float]]) -> Job:
    return lambda: asyncio.run(job())


# --- one way: a producer, a consumer, and a rendezvous (or the smallest queue) or a buffer between them ---


def ours(capacity: int) -> Job:
    async def job() -> float:
        channel: Channel[int] = Channel(capacity)

        async def consume() -> None:
            for _ in range(ITEMS):
                await channel.receive()

        consumer = asyncio.create_task(consume())
        with Watch() as watch:
            for number in range(ITEMS):
                await channel.send(number)
            await consumer
        return watch.seconds / ITEMS

    return on_asyncio(job)


def queues(capacity: int) -> Job:
    async def job() -> float:
        queue: asyncio.Queue[int] = asyncio.Queue(capacity)

        async def consume() -> None:
            for _ in range(ITEMS):
                await queue.get()

        consumer = asyncio.create_task(consume())
        with Watch() as watch:
            for number in range(ITEMS):
                await queue.put(number)
            await consumer
        return watch.seconds / ITEMS

    return on_asyncio(job)


def trio_channels(capacity: int) -> Job:
    import trio

    async def job() -> float:
        sending, receiving = trio.open_memory_channel[int](capacity)

        async def consume() -> None:
            for _ in range(ITEMS):
                await receiving.receive()

        async with trio.open_nursery() as nursery:
            with Watch() as watch:
                nursery.start_soon(consume)
                for number in range(ITEMS):
                    await sending.send(number)
        return watch.seconds / ITEMS

    return lambda: trio.run(job)


def anyio_streams(capacity: int) -> Job:
    import anyio

    async def job() -> float:
        sending, receiving = anyio.create_memory_object_stream[int](capacity)

        async def consume() -> None:
            for _ in range(ITEMS):
                await receiving.receive()

        with sending, receiving:
            async with anyio.create_task_group() as group:
                with Watch() as watch:
                    group.start_soon(consume)
                    for number in range(ITEMS):
                        await sending.send(number)
        return watch.seconds / ITEMS

    return lambda: anyio.run(job)


# --- there and back: ping-pong over a pair ---


async def our_ping_pong() -> float:
    there: Channel[int] = Channel()
    back: Channel[int] = Channel()

    async def pong() -> None:
        async for ball in there:
            await back.send(ball)

    player = asyncio.create_task(pong())
    with Watch() as watch:
        for number in range(ITEMS):
            await there.send(number)
            await back.receive()
    there.close()
    await player
    return watch.seconds / ITEMS


async def queue_ping_pong() -> float:
    there: asyncio.Queue[int] = asyncio.Queue(1)
    back: asyncio.Queue[int] = asyncio.Queue(1)

    async def pong() -> None:
        while True:
            await back.put(await there.get())

    player = asyncio.create_task(pong())
    with Watch() as watch:
        for number in range(ITEMS):
            await there.put(number)
            await back.get()
    player.cancel()
    return watch.seconds / ITEMS


# --- the first of two ---


async def our_select() -> float:
    left: Channel[int] = Channel(SELECTS)
    right: Channel[int] = Channel(SELECTS)
    for number in range(SELECTS):
        left.send_nowait(number)
        right.send_nowait(number)
    with Watch() as watch:
        for _ in range(SELECTS):
            await select(left.receive(), right.receive())
    return watch.seconds / SELECTS


async def waiting_for_two_gets() -> float:
    """What one writes without a select. It also takes from both queues; here the second value is put back."""
    left: asyncio.Queue[int] = asyncio.Queue()
    right: asyncio.Queue[int] = asyncio.Queue()
    left.put_nowait(0)
    right.put_nowait(0)
    with Watch() as watch:
        for _ in range(SELECTS):
            gets = {asyncio.create_task(queue.get()): queue for queue in (left, right)}
            done, pending = await asyncio.wait(gets, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            for task in done:
                gets[task].put_nowait(task.result())
    return watch.seconds / SELECTS


def select_among(others: int) -> Job:
    """One select that has to wait, on two channels where `others` wait already."""

    async def job() -> float:
        left: Channel[int] = Channel()
        right: Channel[int] = Channel()
        waiting = [asyncio.create_task(_receive(channel)) for channel in (left, right) for _ in range(others // 2)]
        await asyncio.sleep(0)
        with Watch() as watch:
            for _ in range(SELECTS):
                task = asyncio.create_task(_select(left, right))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        return watch.seconds / SELECTS

    return on_asyncio(job)


async def _receive(channel: Channel[int]) -> None:
    await channel.receive()


async def _select(left: Channel[int], right: Channel[int]) -> None:
    await select(left.receive(), right.receive())


# --- the table ---

US, QUEUE, TRIO, ANYIO = "ours", "asyncio", "trio", "anyio"


def contenders() -> dict[str, dict[str, Job]]:
    jobs: dict[str, dict[str, Job]] = {
        "rendezvous, one way": {US: ours(0), QUEUE: queues(1)},
        "rendezvous, there and back": {US: on_asyncio(our_ping_pong), QUEUE: on_asyncio(queue_ping_pong)},
        "buffer of 128": {US: ours(128), QUEUE: queues(128)},
        "select of two ready": {US: on_asyncio(our_select), QUEUE: on_asyncio(waiting_for_two_gets)},
        f"select among {MANY:,}, against among {FEW}": {US: select_among(MANY), f"among {FEW}": select_among(FEW)},
    }
    for name, peer in ((TRIO, trio_channels), (ANYIO, anyio_streams)):
        if importlib.util.find_spec(name) is None:
            print(f"{name} is not installed and is not measured", file=sys.stderr)
            continue
        jobs["rendezvous, one way"][name] = peer(0)
        jobs["buffer of 128"][name] = peer(128)
    return jobs


# What the project promises: ours at least so many times as good as the other.
PROMISED = {
    ("rendezvous, one way", QUEUE): 1.2,
    ("rendezvous, there and back", QUEUE): 1.2,
    ("buffer of 128", QUEUE): 0.9,
    ("select of two ready", QUEUE): 4.0,
    (f"select among {MANY:,}, against among {FEW}", f"among {FEW}"): 1 / 1.5,
}


def measure(jobs: dict[str, dict[str, Job]]) -> dict[str, dict[str, float]]:
    best: dict[str, dict[str, float]] = {name: {} for name in jobs}
    for _ in range(ROUNDS):
        for name, sides in jobs.items():
            for side, job in sides.items():
                best[name][side] = min(job(), best[name].get(side, float("inf")))
    return best


def rows(best: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    return [
        {
            "job": job,
            "against": side,
            "ours_us": sides[US] * 1e6,
            "theirs_us": seconds * 1e6,
            "ratio": seconds / sides[US],
            "promised": PROMISED.get((job, side), 1.0),
        }
        for job, sides in best.items()
        for side, seconds in sides.items()
        if side != US
    ]


def main() -> int:
    table = rows(measure(contenders()))
    print("| job | against | ours, µs | theirs, µs | ratio | promised |\n|---|---|---|---|---|---|")
    for row in table:
        times = f"{row['ours_us']:.2f} | {row['theirs_us']:.2f} | {row['ratio']:.2f}"
        print(f"| {row['job']} | {row['against']} | {times} | {row['promised']:.2f} |")
    missed = [row for row in table if row["ratio"] < row["promised"]]
    for row in missed:
        print(f"MISSED: {row['job']} against {row['against']}: {row['ratio']:.2f}, promised {row['promised']:.2f}")
    path = Path("results")
    path.mkdir(exist_ok=True)
    about = {"python": platform.python_version(), "machine": platform.machine(), "rounds": ROUNDS, "rows": table}
    (path / "channels.json").write_text(json.dumps(about, indent=2) + "\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
