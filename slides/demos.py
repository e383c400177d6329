"""What the deck shows running: each demo is a real run on this machine, sampled for a live view.

`record` stores its states for the replays, `serve` streams them when the speaker presses the button: both see the same.
"""

import asyncio
import hashlib
import math
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any

import numpy as np

from asyncpatterns import Actor, ActorRef, ActorSystem, Batcher, Child, Supervisor
from asyncpatterns.chatbot import MODEL_DIR, encode, load_keras_model, quiet_tensorflow, sample_requests
from asyncpatterns.lessons.workarounds import channel_hop, microseconds, redis_hop
from asyncpatterns.live import BatcherTap, State
from asyncpatterns.live.panels import tree_state
from asyncpatterns.live.race import Lane, Race

Sample = Callable[[], State]


class Demo:
    """A run that can be watched: `running()` starts it, gives a function that samples it, and surely ends it."""

    def __init__(self, name: str, seconds: float, setup: str, prepare: Callable[[], object],
                 start: Callable[[], Any]) -> None:
        self.name, self.seconds, self.setup, self.prepare, self._start = name, seconds, setup, prepare, start

    def __repr__(self) -> str:
        return f"<Demo {self.name!r}, {self.seconds:g} s>"

    async def frames(self, per_second: float, stop: Callable[[], bool] = lambda: False) -> AsyncGenerator[
            tuple[float, State], None]:
        """(seconds since the start, state), until the time is up or `stop()` says so; nothing is left running then."""
        loop = asyncio.get_running_loop()
        async with self._start() as sample:
            began = loop.time()
            while (t := loop.time() - began) <= self.seconds and not stop():
                yield t, sample()
                await asyncio.sleep(max(began + (math.floor(t * per_second) + 1) / per_second - loop.time(), 0.001))


@cache
def _items() -> list[Any]:
    return [{"tokens": row[np.newaxis]} for row in encode(sample_requests(256))]


@cache
def _compiled() -> Any:
    from asyncpatterns.serving import TensorFlowModel

    model = TensorFlowModel(MODEL_DIR)
    model.warm_up()
    return model


@cache
def _keras() -> Any:
    model = load_keras_model()
    for rows in (1, 8):
        model.predict(np.zeros((rows, 24), np.int32), verbose=0)
    return model


def _predict_one(item: dict[str, Any]) -> Any:
    return _keras().predict(item["tokens"], verbose=0)


def _compiled_one(item: dict[str, Any]) -> Any:
    return _compiled().run(item)


def _predict_many(items: list[dict[str, Any]]) -> list[Any]:
    outputs = _keras().predict(np.concatenate([item["tokens"] for item in items]), batch_size=1024, verbose=0)
    return list(outputs["intent"])


def model_fingerprint() -> str:
    """Of the model that the demos run: a recording of another one is out of date."""
    files = sorted(path for path in MODEL_DIR.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _prepare_models() -> None:
    quiet_tensorflow()
    _items(), _compiled(), _keras()


@asynccontextmanager
async def _task(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


# --- the race ---

RATES = ((0.0, 20.0), (2.5, 200.0), (5.0, 1_000.0), (8.0, 3_000.0))       # (second, requests/s from then on)
RACE_SECONDS = 11.5


@asynccontextmanager
async def _race() -> AsyncIterator[Sample]:
    async with Batcher(_compiled(), max_batch_size=64, workers=2) as batcher:
        lanes = [Lane("model.predict", _predict_one), Lane("compiled", _compiled_one), Lane("batched", batcher)]
        race = Race(lanes, _items(), rate=RATES[0][1])
        async with _task(race.run()), _task(_rising(race)):
            yield race.sample


async def _rising(race: Race) -> None:
    for (begin, rate), (end, _) in zip(RATES, (*RATES[1:], (math.inf, 0.0)), strict=True):
        race.rate = rate
        await asyncio.sleep(min(end - begin, 3600))


# --- requests gather ---

GATHER_RATE, GATHER_WINDOW = 90.0, 0.5


@asynccontextmanager
async def _gathering() -> AsyncIterator[Sample]:
    async with Batcher(_predict_many, max_batch_size=64) as batcher:
        tap = BatcherTap(batcher, window=GATHER_WINDOW)
        race = Race([Lane("batched", batcher)], _items(), rate=GATHER_RATE)
        async with tap, _task(race.run()):
            yield tap.gathering


# --- let it crash ---

USERS = ("ana", "ben", "chidi", "dilek", "eva")


class ModelActor(Actor):
    async def receive(self, message: int) -> str:
        await asyncio.sleep(0.01)
        return f"answer {message}"


class Conversation(Actor):
    """A user's conversation, which asks the model; one message in forty finds a bug in it."""

    def __init__(self, user: str, model: ActorRef) -> None:
        self.user, self.model = user, model

    async def receive(self, message: int) -> str:
        answer: str = await self.model.ask(message)
        if message % 40 == 39:
            raise RuntimeError(f"a bug that {self.user} found")
        return answer


@asynccontextmanager
async def _tree() -> AsyncIterator[Sample]:
    async with ActorSystem("chatbot", shutdown=0.1) as system:
        model = system.spawn(ModelActor, name="model")
        users = system.spawn(Supervisor, [Child(user, Conversation, user, model) for user in USERS], name="users",
                             strategy="one_for_one", max_restarts=1000)
        async with _task(_chatter(users)):
            yield lambda: tree_state(system)


async def _chatter(users: Any) -> None:
    draw = random.Random(4)
    for number in range(1_000_000):
        await asyncio.sleep(draw.expovariate(60.0))
        users.children()[draw.choice(USERS)].tell(number)


def _cores() -> str:
    from asyncpatterns.serving.deployment import usable_cores

    return f"{usable_cores()} cores"


def all_demos() -> dict[str, Demo]:
    """By their names; the one that needs no model first, for they are made ready in this order."""
    cores = _cores()
    return {demo.name: demo for demo in (
        Demo("tree", 7.0, "one process; five users write 60 messages/s in all, each asks the model, one in forty "
             "crashes its actor",
             lambda: None, _tree),
        Demo("race", RACE_SECONDS, f"one process, no HTTP, {cores} for all three; open loop, Poisson, "
             f"{', '.join(f'{rate:,.0f}' for _, rate in RATES)} requests/s", _prepare_models, _race),
        Demo("gathering", 4.0, f"the chatbot's model by model.predict inside a Batcher; open loop, "
             f"{GATHER_RATE:.0f} requests/s, {cores}", _prepare_models, _gathering),
    )}


def measure_calls(sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 48, 64), repeat: int = 100) -> dict[str, float]:
    """Seconds of one call, the quickest of `repeat`: the ways of asking for one row, the compiled function by rows."""
    keras, row = _keras(), _items()[0]
    ways: dict[str, Callable[[], object]] = {
        "predict": lambda: keras.predict(row["tokens"], verbose=0), "eager": lambda: keras(row["tokens"])}
    for size in sizes:
        many = {"tokens": np.concatenate([item["tokens"] for item in _items()[:size]])}
        ways[f"compiled_{size}"] = partial(_compiled().run, many)
    python, graph = dict(list(ways.items())[:2]), dict(list(ways.items())[2:])
    return {**_quickest(python, repeat), **_quickest(graph, repeat)}    # apart: Keras leaves threads and caches behind


async def measure_hops(rounds: int = 5) -> dict[str, float]:
    """Seconds that a request and its reply take, without any model: the quickest round.

    There is no "redis" where Redis cannot run.
    """
    took: dict[str, float] = {}
    async with channel_hop() as channel, redis_hop() as redis:
        hops = {"channel": (channel, 5_000)} | ({"redis": (redis, 300)} if redis else {})
        for _ in range(rounds):
            for name, (hop, times) in hops.items():
                took[name] = min(took.get(name, math.inf), await microseconds(hop, times) * 1e-6)
    return took


def _quickest(ways: dict[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """In turns, so that a busy moment of the machine hits all of them alike."""
    rounds = [{name: _took(call) for name, call in ways.items()} for _ in range(repeat + 5)][5:]
    return {name: min(readings[name] for readings in rounds) for name in ways}


def _took(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
