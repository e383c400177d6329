"""What a conversation costs if it gets a thread, or a process, of its own: measured for some, to be multiplied.

Both are given the kindest case: a thread that waits for a queue and has done nothing yet, and a process that has
imported the core of this package, without NumPy and without a model.
"""

import asyncio
import gc
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Final, NamedTuple

CONTAINER_SHIM: Final = 10e6
"""Bytes that a container's runtime keeps for each, beyond the process inside. An order of magnitude, not measured."""
CONTAINER_START: Final = 0.5
"""Seconds to create namespaces, mount layers and start the process. An order of magnitude, not measured."""


class Cost(NamedTuple):
    """Of one: bytes while it waits, and seconds of wall-clock time to have it ready."""

    memory: float
    start: float

    def of(self, count: int) -> str:
        """What so many would cost, in words. Nothing but a multiplication."""
        return f"{count * self.memory / 1e9:,.2f} GB, ready after {count * self.start:,.1f} s"


def thread_cost(count: int = 100) -> Cost:
    """`count` threads that wait for a message each."""
    gc.collect()
    before, start = resident(), time.perf_counter()
    inboxes: list[queue.SimpleQueue[None]] = [queue.SimpleQueue() for _ in range(count)]
    threads = [threading.Thread(target=inbox.get, daemon=True) for inbox in inboxes]
    for thread in threads:
        thread.start()
    took, after = time.perf_counter() - start, resident()
    for inbox in inboxes:
        inbox.put(None)
    for thread in threads:
        thread.join()
    return Cost(max(after - before, 0) / count, took / count)


async def process_cost(count: int = 100, at_once: int = 8) -> Cost:
    """`count` processes that are alive together and wait for a message each."""
    room = asyncio.Semaphore(at_once)
    start = time.perf_counter()
    processes = await asyncio.gather(*(_waiting_process(room) for _ in range(count)))
    took = time.perf_counter() - start
    try:
        memory = sum(private(process.pid) for process in processes)
    finally:
        for process in processes:
            process.kill()
        await asyncio.gather(*(process.wait() for process in processes))
    return Cost(memory / count, took / count)


def container_cost(process: Cost) -> Cost:
    """An estimate: the process, and what a runtime adds to it."""
    return Cost(process.memory + CONTAINER_SHIM, process.start + CONTAINER_START)


async def _waiting_process(room: asyncio.Semaphore) -> asyncio.subprocess.Process:
    code = "import asyncpatterns, sys; print(flush=True); sys.stdin.read()"
    async with room:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        await process.stdout.readline()
    return process


def resident() -> int:
    """Bytes of memory that this process has. Where there is no /proc: the most that it ever had."""
    try:
        fields = Path("/proc/self/statm").read_text().split()
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return int(fields[1]) * _page()


def private(pid: int) -> int:
    """Bytes that a process does not share with others; where the system does not say, 10 MB, a usual figure."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 10_000_000
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private"))


def _page() -> int:
    import resource

    return resource.getpagesize()
