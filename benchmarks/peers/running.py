"""A peer's processes: started, waited for until they answer, weighed, and surely gone afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil

from asyncpatterns.load.http import HTTPClient

from .contestants import Contestant

ROOT = Path(__file__).parents[2]


class NotServing(RuntimeError):
    """A peer ended, or did not answer; the text holds the last of what it wrote."""


@contextlib.asynccontextmanager
async def running(contestant: Contestant, python: Path, row: str, patience: float = 90.0) -> AsyncIterator[Server]:
    """`contestant` in processes of its own, once it has answered a request. They are ended when the block is left."""
    port = free_port()
    arguments = [argument.format(port=port) for argument in contestant.arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1",
                   **contestant.environment}
    with tempfile.TemporaryFile() as output:
        server = Server(contestant, _start([str(python), *arguments], environment, output), port, output)
        try:
            await server.wait_until_it_answers(contestant.request(row).encode(), patience)
            yield server
        finally:
            await asyncio.to_thread(server.end)


def _start(command: list[str], environment: dict[str, str], output: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                            stderr=subprocess.STDOUT, start_new_session=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Server:
    def __init__(self, contestant: Contestant, process: subprocess.Popen[bytes], port: int, output: Any) -> None:
        self.contestant, self.process, self.port, self.output = contestant, process, port, output

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.contestant.path}"

    async def wait_until_it_answers(self, body: bytes, patience: float) -> None:
        loop = asyncio.get_running_loop()
        until, said = loop.time() + patience, ""
        async with HTTPClient("127.0.0.1", self.port, timeout=20.0) as client:
            while loop.time() < until and self.process.poll() is None:
                try:
                    await client.post(self.contestant.path, body)
                    return
                except Exception as error:
                    said = repr(error)
                    await asyncio.sleep(0.3)
        self.output.seek(0)
        raise NotServing(f"{said}\n{self.output.read().decode(errors='replace')[-2000:]}")

    def family(self) -> list[psutil.Process]:
        """Its processes, those too that have made themselves independent of it."""
        found = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if process.pid == self.process.pid or os.getsid(process.pid) == self.process.pid:
                    found[process.pid] = process
                    found |= {child.pid: child for child in process.children(recursive=True)}
        return list(found.values())

    def memory(self) -> float:
        """MiB of all its processes; what they share is counted once (PSS), where the system can say so."""
        total = 0
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                facts = process.memory_full_info()
                total += getattr(facts, "pss", facts.uss)
        return total / 2**20

    def end(self) -> None:
        family = self.family()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=8)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait()
