"""What it costs to ask somebody else: in the same process, in another one over HTTP, in another one through Ray."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asyncpatterns import ActorSystem
from asyncpatterns.load import HTTPClient

RECORDING = Path(__file__).parent / "recordings" / "cluster.json"
Ask = Callable[[int], Awaitable[Any]]

ECHO = """
import asyncio, sys
REPLY = b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok"
class Echo(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(REPLY)
async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@dataclass
class Hops:
    """By name, the seconds of a question and its answer: one after the other, and with 64 on their way."""

    seconds: dict[str, tuple[float, float]]
    setup: str = "measured here, just now"
    setups: dict[str, str] = field(default_factory=dict)        # where one was measured elsewhere

    def __repr__(self) -> str:
        elsewhere = list(dict.fromkeys(self.setups.values()))
        lines = [f"{'a question and its answer':28}{'µs, one by one':>16}{'µs, 64 at once':>16}"]
        for name, (alone, crowded) in self.seconds.items():
            mark = " " + "*" * (elsewhere.index(self.setups[name]) + 1) if name in self.setups else ""
            lines.append(f"{name:28}{1e6 * alone:>16,.1f}{1e6 * crowded:>16,.1f}{mark}")
        return "\n".join([*lines, self.setup, *(f"{'*' * place} {setup}" for place, setup in enumerate(elsewhere, 1))])


async def timed(ask: Ask, calls: int, at_once: int) -> float:
    """Seconds a call, with `at_once` of them on their way."""
    for number in range(20):
        await ask(number)
    turns = max(1, calls // at_once)
    began = time.perf_counter()
    for turn in range(turns):
        await asyncio.gather(*(ask(turn * at_once + number) for number in range(at_once)))
    return (time.perf_counter() - began) / (turns * at_once)


async def hop_in_process(calls: int = 5_000) -> tuple[float, float]:
    """Asking an actor."""
    async with ActorSystem("hops") as system:
        ref = system.spawn(lambda message: message)
        return await timed(ref.ask, calls, 1), await timed(ref.ask, calls, 64)


async def hop_over_http(calls: int = 1_280) -> tuple[float, float]:
    """Asking the least that an HTTP server in another process can be, over connections that stay open."""
    async with _echo() as port, HTTPClient("127.0.0.1", port) as client:
        def ask(_: int) -> Awaitable[Any]:
            return client.post("/", b"{}")
        return await timed(ask, calls, 1), await timed(ask, calls, 64)


@contextlib.asynccontextmanager
async def _echo() -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", ECHO, stdin=asyncio.subprocess.PIPE,
                                                   stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


async def measure_hops() -> Hops:
    """The two that need nothing but Python."""
    return Hops({"actor in the same process": await hop_in_process(), "HTTP, another process": await hop_over_http()})


def with_recorded_ray(hops: Hops) -> Hops:
    """`hops` with the rows of a Ray call, which were recorded where Ray was."""
    kept = recorded()
    for name, (alone, crowded) in kept["hops"].items():
        hops.seconds[name] = alone, crowded
        hops.setups[name] = kept["setup"]
    return hops


def recorded() -> dict[str, Any]:
    """What was seen on a machine with Ray."""
    return json.loads(RECORDING.read_text(encoding="utf-8"))
