"""Cancellation as Go does it: close one channel, and everybody who listens to it knows.

A closed channel is always ready to receive, for any number of readers at the same time: so closing it is a broadcast.

    python examples/done_channel.py
"""

import asyncio
import random

from asyncpatterns import Channel, go, select


async def worker(name: int, jobs: Channel[int], results: Channel[tuple[int, int]], done: Channel[None]) -> str:
    while True:
        index, job, _ = await select(done.receive(), jobs.receive(), priority=True)
        if index == 0:
            return f"worker {name} goes home"
        await asyncio.sleep(random.uniform(0.01, 0.02))
        if (await select(results.send((job, job * job)), done.receive())).index == 1:
            return f"worker {name} goes home with a result in the pocket"


async def until_enough(wanted: int, workers: int = 4) -> tuple[list[tuple[int, int]], list[str]]:
    """So many results, and the farewells of the workers, who all stop although there is more to do."""
    jobs: Channel[int] = Channel(1_000)
    results: Channel[tuple[int, int]] = Channel()
    done: Channel[None] = Channel(name="done")
    for job in range(1_000):
        jobs.send_nowait(job)
    tasks = [go(worker(name, jobs, results, done)) for name in range(workers)]
    squares = [await results.receive() for _ in range(wanted)]
    done.close()
    return squares, [await task for task in tasks]


if __name__ == "__main__":
    squares, farewells = asyncio.run(until_enough(10))
    print(*squares, *farewells, sep="\n")
