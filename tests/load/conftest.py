"""Targets that the tests load, and a way to block a loop whose clock is virtual."""

import asyncio
from types import SimpleNamespace

import pytest


def block(seconds: float) -> None:
    """What time.sleep does to a real loop: time passes, and nothing else can run."""
    loop = asyncio.get_running_loop()
    loop._jump(loop.time() + seconds)


def takes(seconds: float):
    async def target(number: int) -> None:
        await asyncio.sleep(seconds)
    return target


class Queue:
    """A server that answers one request at a time, in order, each in `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.lock = seconds, asyncio.Lock()

    async def __call__(self, number: int) -> None:
        async with self.lock:
            await asyncio.sleep(self.seconds)


@pytest.fixture
def targets():
    return SimpleNamespace(block=block, takes=takes, Queue=Queue)
