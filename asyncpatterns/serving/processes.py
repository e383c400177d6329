"""Deployments as processes of their own: started, waited for until they serve, and surely stopped."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any

ADDRESS = re.compile(r"http://([\d.]+):(\d+)(/\S+)")


class ServerDied(RuntimeError):
    """A server process ended before it served; the text holds the last lines it wrote."""


class ServerProcess:
    """`async with ServerProcess("-m", "asyncpatterns.serving", MODEL_DIR, "--port", "0") as server:`

    Runs this Python with the given arguments, waits until the process prints the address it serves, and stops it when
    the block is left, also by an exception or a cancellation: SIGTERM first, so that it can answer what it admitted,
    SIGKILL after `grace` seconds. Inside the block `host`, `port` and `path` say where it listens and `line` is the
    whole announcement. Raises `ServerDied` when the process ends instead, `TimeoutError` after `timeout` seconds.

    With `humble` it gives way to processes of normal priority. A load generator that shares the cores with what it
    measures needs that to keep its schedule.
    """

    def __init__(self, *arguments: str, timeout: float = 120.0, grace: float = 10.0, humble: bool = False) -> None:
        self.arguments, self.timeout, self.grace, self.humble = arguments, timeout, grace, humble
        self.host, self.port, self.path, self.line = "", 0, "", ""
        self._output: deque[str] = deque(maxlen=30)

    def __repr__(self) -> str:
        state = f"serving {self.host}:{self.port}{self.path}" if self.port else "not serving"
        return f"<ServerProcess {' '.join(self.arguments)}: {state}>"

    @property
    def pid(self) -> int:
        return self._process.pid

    async def __aenter__(self) -> ServerProcess:
        command, options = _humble_command() if self.humble else ([], {})
        self._process = await asyncio.create_subprocess_exec(
            *command, sys.executable, *self.arguments, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, **options)
        try:
            async with asyncio.timeout(self.timeout):
                await self._read_announcement()
        except BaseException:
            await self.stop()
            raise
        self._drain = asyncio.create_task(self._keep_reading(), name=f"output of {self.arguments}")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        await self.stop()
        await self._drain

    async def wait(self) -> int:
        """The exit status of the process, once it has ended; negative for a signal."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ends the process and waits for its end; harmless when it has ended. A cancellation kills it at once."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(self.grace):
                await self._process.wait()
        except (TimeoutError, asyncio.CancelledError) as error:
            self._process.kill()
            await self._process.wait()
            if isinstance(error, asyncio.CancelledError):
                raise

    async def _read_announcement(self) -> None:
        while line := await self._read_line():
            if match := ADDRESS.search(line):
                self.host, self.port, self.path = match[1], int(match[2]), match[3]
                self.line = line
                return
        status = await self._process.wait()
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        raise ServerDied(f"{' '.join(self.arguments)} ended with {how} before it served:\n{''.join(self._output)}")

    async def _read_line(self) -> str:
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode(errors="replace")
        self._output.append(line)
        return line.rstrip() if line.strip() or not line else " "

    async def _keep_reading(self) -> None:
        while await self._read_line():                  # a full pipe would block the server
            pass


def _humble_command() -> tuple[list[str], dict[str, Any]]:
    """What to put before a command, and how to start it, so that all its threads have a lower priority."""
    if sys.platform == "win32":
        return [], {"creationflags": subprocess.BELOW_NORMAL_PRIORITY_CLASS}
    nice = shutil.which("nice")
    return ([nice, "-n", "5"] if nice else []), {}


def batched_arguments(model_dir: object, *options: str) -> Sequence[str]:
    return ["-m", "asyncpatterns.serving", str(model_dir), "--port", "0", *options]


def rudimentary_arguments(model: object, *options: str) -> Sequence[str]:
    return ["-m", "asyncpatterns.serving.rudimentary", str(model), "--port", "0", *options]
