"""Starts the deployments, warms them up and drives them: alone, closed loop, open loop at rising rates.

All servers run from the start and sit idle while another is driven: an idle one costs nothing, and the runs of one
kind lie close together in time, so that a noisy neighbour hits all of them alike.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from asyncpatterns.load import Report, closed_loop, open_loop
from asyncpatterns.load.http import HTTPClient
from asyncpatterns.serving.processes import ServerProcess

from .ladder import CLIENTS, CONTESTANTS, PATIENCE, Contestant, Ladder, Step
from .requests import Exam

ROUNDS = 2              # of the runs whose ratios are quoted, interleaved


class Driver:
    """One deployment under test: its process, a client for it, and the replies of the run."""

    def __init__(self, contestant: Contestant, server: ServerProcess, client: HTTPClient, exam: Exam) -> None:
        self.contestant, self.server, self.client, self.exam = contestant, server, client, exam
        self.replies: list[tuple[int, bytes]] = []

    async def ask(self, number: int) -> None:
        index = number % len(self.exam)
        reply = await self.client.post(self.server.path, self.exam.bodies[index])
        self.replies.append((index, reply.body))

    async def step(self, kind: str, rate: float | None, run: Any) -> Step:
        """Awaits `run`, then checks every reply; checking afterwards keeps it out of the measurement."""
        self.replies.clear()
        before = await self._counts()
        report: Report = await run
        batches, answered = (after - then for after, then in zip(await self._counts(), before, strict=True))
        step = Step(self.contestant.key, kind, rate, report, answered / batches if batches else 1.0)
        step.wrong, step.checked = self.exam.wrong(self.replies), len(self.replies)
        return step

    async def _counts(self) -> tuple[float, float]:
        """(batches, answered) so far; (0, 0) for a deployment that does not batch."""
        if self.contestant.key != "batched":
            return 0, 0
        text = (await self.client.get("/metrics")).body.decode()
        batches, answered = (sum(map(float, re.findall(rf"^asyncpatterns_{name}_total{{.*}} (\S+)$", text, re.M)))
                             for name in ("batches", "answered"))
        return batches, answered


async def drive(exam: Exam, rates: Sequence[float], seconds: float, seed: int, bar: Any) -> Ladder:
    """The whole demo; `bar` is a tqdm bar. Leaves no process behind, however it ends."""
    ladder = Ladder()
    async with AsyncExitStack() as stack:
        bar.set_description_str("starting three servers")
        drivers = await start_all(exam, stack)
        plan = [(kind, rate, driver) for kind, rate in _plan(rates) for driver in drivers]
        bar.reset(total=len(plan))
        for kind, rate, driver in plan:
            bar.set_description_str(f"{driver.contestant.title}, {f'{rate:,.0f}/s' if rate else kind}")
            if not ladder.is_past_its_limit(driver.contestant.key):
                ladder.steps.append(await _step(driver, kind, rate, seconds, seed))
            bar.update()
    return ladder


def _plan(rates: Sequence[float]) -> list[tuple[str, float | None]]:
    return [("alone", None)] * ROUNDS + [("closed", None)] * ROUNDS + [("open", rate) for rate in sorted(rates)]


async def _step(driver: Driver, kind: str, rate: float | None, seconds: float, seed: int) -> Step:
    """One run; a void one, whose generator was held up, is repeated once."""
    step = await _run(driver, kind, rate, seconds, seed)
    return await _run(driver, kind, rate, seconds, seed) if step.report.void else step


async def _run(driver: Driver, kind: str, rate: float | None, seconds: float, seed: int) -> Step:
    if kind == "open":
        driver.client.timeout = PATIENCE
        return await driver.step(kind, rate, open_loop(driver.ask, rate=rate, duration=seconds, seed=seed))
    driver.client.timeout = None            # a closed loop waits for its answers, however long they take
    clients = 1 if kind == "alone" else CLIENTS
    return await driver.step(kind, None, closed_loop(driver.ask, clients=clients, duration=seconds, grace=30.0))


def _server(contestant: Contestant) -> ServerProcess:
    return ServerProcess(*contestant.arguments, humble=True)


async def start_all(exam: Exam, stack: AsyncExitStack) -> list[Driver]:
    """Starts every contestant's process and warms it up with traffic; the stack stops them."""
    async with asyncio.TaskGroup() as group:
        starts = [group.create_task(stack.enter_async_context(_server(contestant)))
                  for contestant in CONTESTANTS]
    drivers = []
    for contestant, server in zip(CONTESTANTS, (start.result() for start in starts), strict=True):
        client = await stack.enter_async_context(HTTPClient(server.host, server.port, limit=512))
        drivers.append(Driver(contestant, server, client, exam))
    for driver in drivers:
        await closed_loop(driver.ask, clients=1, duration=0.5)
        await closed_loop(driver.ask, clients=CLIENTS, duration=0.5, grace=30.0)
    return drivers
