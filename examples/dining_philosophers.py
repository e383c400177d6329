"""Dijkstra's philosophers: a fork is a channel that holds it, or does not.

Each takes both forks at once or neither: whoever gets one and cannot have the other soon lays it back.

    python examples/dining_philosophers.py
"""

import asyncio
from collections import Counter

from asyncpatterns import Channel, go

NAMES = ("Aristotle", "Bacon", "Confucius", "Descartes", "Epicurus")


def lay_a_fork() -> Channel[str]:
    place: Channel[str] = Channel(1)
    place.send_nowait("fork")
    return place


async def philosopher(name: str, left: Channel[str], right: Channel[str], meals: Counter[str]) -> None:
    patience = 0.1 + 0.01 * NAMES.index(name)       # all equal, and all would give up together, for ever
    while True:
        fork = await left.receive()
        try:
            other = await right.receive(timeout=patience)
        except TimeoutError:
            await left.send(fork)
            continue
        meals[name] += 1
        await asyncio.sleep(0.1)                    # eats
        await left.send(fork)
        await right.send(other)
        await asyncio.sleep(0.1)                    # thinks


async def dinner(seconds: float) -> Counter[str]:
    forks = [lay_a_fork() for _ in NAMES]
    meals: Counter[str] = Counter()
    seats = [
        go(philosopher(name, forks[seat], forks[(seat + 1) % len(NAMES)], meals)) for seat, name in enumerate(NAMES)
    ]
    await asyncio.sleep(seconds)
    for seat in seats:
        seat.cancel()
    return meals


if __name__ == "__main__":
    for name, number in asyncio.run(dinner(seconds=3)).items():
        print(f"{name:10} ate {number} times")
