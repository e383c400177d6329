"""The runs behind the growing picture: the same requests against each construction of the talk.

Each stage is a small program of the library, run on the virtual clock with a model whose call costs `BASE` seconds and
`EACH` more for every row. Nothing is drawn by hand: change the library, and the picture changes.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import cache

from asyncpatterns import Actor, ActorSystem, Batcher, Channel, Overloaded
from asyncpatterns.testing import run

from .timeline import Call, Request, Story

COUNT, GAP, BASE, EACH, SPAN = 28, 0.0018, 0.008, 0.00025, 0.24
MACHINES = 3
COST = f"a call of the model costs {BASE * 1e3:.0f} ms + {EACH * 1e3:.2f} ms a row"
USERS = ("Ana", "Ben", "Chidi", "Dilek", "Eva", "Farid", "Gia", "Hugo", "Ines", "Jun")
LAYERS = {"rest": (), "asyncio": ("loop",), "channel": ("loop", "channel"), "actor": ("loop", "channel", "actor"),
          "batch": ("loop", "channel", "actor"), "users": ("loop", "channel", "actor"),
          "machines": ("loop", "channel", "actor")}
STAGES = tuple(LAYERS)


class Model:
    """A model of which only the cost is real: notes who was in which call."""

    def __init__(self, log: "Log", machine: int = 0) -> None:
        self.log, self.machine = log, machine

    async def __call__(self, items: Sequence[Request]) -> list[Request]:
        loop = asyncio.get_running_loop()
        call = Call(loop.time() - self.log.began, 0.0, len(items), self.machine)
        self.log.calls.append(call)
        number = len(self.log.calls) - 1
        for item in items:
            item.started, item.call = call.started, number
        await asyncio.sleep(BASE + EACH * len(items))
        call.done = loop.time() - self.log.began
        return list(items)


class Log:
    """The requests and the calls of one run; sends the requests at their moments."""

    def __init__(self, count: int = COUNT, gap: float = GAP) -> None:
        draw = random.Random(7)
        self.requests: list[Request] = []
        self.calls: list[Call] = []
        moment = 0.0
        for row in range(count):
            moment += gap * (0.3 + 1.4 * draw.random())
            self.requests.append(Request(moment, row))
        self.began = 0.0

    async def send(self, answer: Callable[[Request], Awaitable[object]]) -> None:
        self.began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for request in self.requests:
                await asyncio.sleep(max(self.began + request.arrived - asyncio.get_running_loop().time(), 0))
                group.create_task(self._one(request, answer))

    async def _one(self, request: Request, answer: Callable[[Request], Awaitable[object]]) -> None:
        await answer(request)
        request.done = asyncio.get_running_loop().time() - self.began


async def one_at_a_time(log: Log) -> None:
    """REST, and asyncio alone: whoever comes takes the model when it is free, first come, first served."""
    model, turn = Model(log), asyncio.Lock()

    async def answer(request: Request) -> None:
        async with turn:
            await model([request])

    await log.send(answer)


async def through_a_channel(log: Log) -> None:
    model = Model(log)
    jobs: Channel[tuple[Request, asyncio.Future[None]]] = Channel(capacity=100, name="jobs")

    async def worker() -> None:
        async for request, reply in jobs:
            await model([request])
            reply.set_result(None)

    async def answer(request: Request) -> None:
        reply: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await jobs.send((request, reply))
        await reply

    async with asyncio.TaskGroup() as group:
        group.create_task(worker())
        await log.send(answer)
        jobs.close()


class ModelActor(Actor):
    def __init__(self, model: Model) -> None:
        self.model = model

    async def receive(self, request: Request) -> Request:
        return (await self.model([request]))[0]


async def asked_of_an_actor(log: Log) -> None:
    async with ActorSystem("talk") as system:
        model = system.spawn(ModelActor, Model(log), name="model")
        await log.send(model.ask)


async def in_batches(log: Log) -> None:
    async with Batcher(Model(log), max_batch_size=64) as batcher:
        await log.send(batcher)


class Conversation(Actor):
    def __init__(self, key: str, batcher: Batcher) -> None:
        self.key, self.batcher = key, batcher

    async def receive(self, request: Request) -> None:
        await self.batcher(request)


async def a_pipeline_per_user(log: Log) -> None:
    for number, request in enumerate(log.requests):
        request.row = number % len(USERS)
    async with Batcher(Model(log), max_batch_size=64) as batcher, ActorSystem("talk") as system:
        users = {row: system.spawn(Conversation, name, batcher, name=name) for row, name in enumerate(USERS)}
        await log.send(lambda request: users[request.row].ask(request))


async def on_three_machines(log: Log) -> None:
    batchers = [Batcher(Model(log, machine), max_batch_size=64) for machine in range(MACHINES)]

    next_one = itertools.cycle(batchers)

    async def answer(request: Request) -> None:
        await next(next_one)(request)

    for number, request in enumerate(log.requests):
        request.row = number % (COUNT + COUNT // 2)
    await log.send(answer)
    for batcher in batchers:
        await batcher.drain()


async def offer(batcher: Batcher, rate: float, count: int = 3_000) -> str:
    """Sends `count` requests at `rate` a second, and says in a line what became of them."""
    loop = asyncio.get_running_loop()
    took: list[float] = []

    async def one() -> None:
        began = loop.time()
        with contextlib.suppress(Overloaded):
            await batcher("hello")
            took.append(loop.time() - began)

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(one())
            await asyncio.sleep(1 / rate)
    return (f"{rate:,}/s: {len(took):,} answered, the slowest after {max(took) * 1e3:.0f} ms; "
            f"{count - len(took):,} refused")


RUNS = {"rest": one_at_a_time, "asyncio": one_at_a_time, "channel": through_a_channel, "actor": asked_of_an_actor,
        "batch": in_batches, "users": a_pipeline_per_user, "machines": on_three_machines}


@cache
def story(stage: str) -> Story:
    """What happens in `stage`, one of `STAGES`."""
    machines = MACHINES if stage == "machines" else 1
    log = Log(COUNT * machines, GAP / machines)
    run(lambda: RUNS[stage](log))
    title = f"{len(log.requests)} requests, one every {GAP / machines * 1e3:.1f} ms on average; {COST}"
    return Story(title=title, requests=log.requests, calls=log.calls, span=SPAN, layers=frozenset(LAYERS[stage]),
                 rows=USERS if stage == "users" else (), machines=machines)
