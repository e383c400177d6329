"""The load: closed loops by wrk, a generator in C that costs little itself, where there is one; open loops by ours."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from typing import Any

from asyncpatterns.load import Report, closed_loop, open_loop
from asyncpatterns.load.http import HTTPClient

from .running import Server

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
LUA = "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = [=[{body}]=]\n"


@dataclass(frozen=True)
class Result:
    """One run. `load` is ("closed", connections) or ("open", requests a second); times are in seconds."""

    load: tuple[str, int]
    answered: float
    p50: float
    p99: float
    errors: int
    void: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


async def closed(server: Server, row: str, connections: int, seconds: float) -> Result:
    body = server.contestant.request(row)
    if has_wrk():
        return await _wrk(server.url, body, connections, seconds)
    async with HTTPClient("127.0.0.1", server.port, limit=connections, timeout=None) as client:
        target = client.target(server.contestant.path, body.encode())
        return _result(("closed", connections), await closed_loop(target, clients=connections, duration=seconds))


async def opened(server: Server, row: str, rate: int, seconds: float) -> Result:
    async with HTTPClient("127.0.0.1", server.port, limit=512, timeout=5.0) as client:
        await client.open(64)
        target = client.target(server.contestant.path, server.contestant.request(row).encode())
        return _result(("open", rate), await open_loop(target, rate=rate, duration=seconds, seed=rate))


def _result(load: tuple[str, int], report: Report) -> Result:
    return Result(load, report.answered, report.p50, report.p99, sum(report.errors.values()), bool(report.void))


async def _wrk(url: str, body: str, connections: int, seconds: float) -> Result:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA.format(body=body))
        script.flush()
        options = ("-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "--timeout", "30s")
        process = await asyncio.create_subprocess_exec("wrk", *options, "-s", script.name, url,
                                                       stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
    return parse_wrk(output.decode(), connections)


def parse_wrk(text: str, connections: int) -> Result:
    """What wrk printed, as a result."""
    rate = float(_find(r"Requests/sec:\s+([\d.]+)", text))
    errors = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", text)))
    for line in re.findall(r"Socket errors: (.*)", text):
        errors += sum(map(int, re.findall(r"\d+", line)))
    return Result(("closed", connections), rate, _seconds("50%", text), _seconds("99%", text), errors)


def _seconds(share: str, text: str) -> float:
    """The latency behind `share`, which stands at the beginning of a line of its own."""
    number = _find(rf"^ +{share} +([\d.]+)(?:us|ms|s|m) *$", text)
    return float(number) * UNITS[_find(rf"^ +{share} +[\d.]+(us|ms|s|m) *$", text)]


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise ValueError(f"wrk printed no {pattern!r}:\n{text}")
    return match[1]
