"""The rivals of `benchmarks.actors`: the same jobs with a task and a queue for each actor, and with Pykka."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from asyncpatterns import Mailbox

try:
    import pykka
except ImportError:
    pykka = None

SPAWNED = 30_000            # both cost more the more there are already, tasks and queues far more than actors
TOLD = 100_000
RING = 1_000
LAPS = 10
ASKED = 10_000
PYKKA_ACTORS = 1_000        # threads: ten thousand of them are too many for most machines
ROOM = Mailbox(math.inf)    # a burst is larger than the usual mailbox; a Queue() has no bound either

Job = Callable[[], Coroutine[Any, Any, float]]      # returns seconds for one operation


# --- a task and a queue for each actor ---


class QueueActor:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        while True:
            self.handle(await self.queue.get())

    def handle(self, message: Any) -> Any: ...

    def stop(self) -> None:
        self.task.cancel()


class QueuePlain(QueueActor):
    def __init__(self, count: int, done: asyncio.Future[None]) -> None:
        super().__init__()
        self.count = count
        self.done = done

    def handle(self, message: Any) -> None:
        self.count -= 1
        if not self.count:
            self.done.set_result(None)


class QueueAsync(QueuePlain):
    async def run(self) -> None:
        while True:
            await self.handle_async(await self.queue.get())

    async def handle_async(self, message: Any) -> None:
        self.count -= 1
        if not self.count:
            self.done.set_result(None)


class QueueAnswer(QueueActor):
    async def run(self) -> None:
        while True:
            message, reply = await self.queue.get()
            reply.set_result(self.handle(message))

    def handle(self, message: Any) -> Any:
        return message


class QueueAnswerAsync(QueueActor):
    async def run(self) -> None:
        while True:
            message, reply = await self.queue.get()
            reply.set_result(await self.handle_async(message))

    async def handle_async(self, message: Any) -> Any:
        return message


class QueueHop(QueueActor):
    def __init__(self, ring: "list[QueueHop]", done: asyncio.Future[None]) -> None:
        super().__init__()
        self.ring = ring
        self.following = (len(ring) + 1) % RING
        self.done = done

    def handle(self, hops: int) -> None:
        if hops:
            self.ring[self.following].queue.put_nowait(hops - 1)
        else:
            self.done.set_result(None)


class QueueHopAsync(QueueHop):
    async def run(self) -> None:
        while True:
            await self.handle_async(await self.queue.get())

    async def handle_async(self, hops: int) -> None:
        if hops:
            self.ring[self.following].queue.put_nowait(hops - 1)
        else:
            self.done.set_result(None)


async def end(actors: list[Any]) -> None:
    for actor in actors:
        actor.stop()
    await asyncio.gather(*(actor.task for actor in actors), return_exceptions=True)


def queue_spawn() -> Job:
    async def job() -> float:
        started = time.perf_counter()
        actors = [QueueActor() for _ in range(SPAWNED)]
        await asyncio.sleep(0)
        spent = (time.perf_counter() - started) / SPAWNED
        await end(actors)
        return spent

    return job


def queue_tell(cls: type[QueuePlain]) -> Job:
    async def job() -> float:
        done = asyncio.get_running_loop().create_future()
        actor = cls(TOLD, done)
        await asyncio.sleep(0)
        started = time.perf_counter()
        for i in range(TOLD):
            actor.queue.put_nowait(i)
        await done
        spent = (time.perf_counter() - started) / TOLD
        await end([actor])
        return spent

    return job


def queue_ring(cls: type[QueueHop]) -> Job:
    async def job() -> float:
        done = asyncio.get_running_loop().create_future()
        ring: list[QueueHop] = []
        for _ in range(RING):
            ring.append(cls(ring, done))
        await asyncio.sleep(0)
        started = time.perf_counter()
        ring[0].queue.put_nowait(RING * LAPS)
        await done
        spent = (time.perf_counter() - started) / (RING * LAPS)
        await end(ring)
        return spent

    return job


def queue_ask(cls: type[QueueActor]) -> Job:
    async def job() -> float:
        loop = asyncio.get_running_loop()
        actor = cls()
        await asyncio.sleep(0)
        started = time.perf_counter()
        for i in range(ASKED):
            reply = loop.create_future()
            actor.queue.put_nowait((i, reply))
            await reply
        spent = (time.perf_counter() - started) / ASKED
        await end([actor])
        return spent

    return job


# --- Pykka: a thread for each actor ---


def pykka_jobs() -> dict[str, Job]:
    if pykka is None:
        return {}
    class Counting(pykka.ThreadingActor):  # type: ignore[misc]
        def __init__(self, count: int, done: threading.Event) -> None:
            super().__init__()
            self.count = count
            self.done = done

        def on_receive(self, message: Any) -> Any:
            self.count -= 1
            if not self.count:
                self.done.set()
            return message

    class Hop(pykka.ThreadingActor):  # type: ignore[misc]
        next: Any = None

        def __init__(self, done: threading.Event) -> None:
            super().__init__()
            self.done = done

        def on_receive(self, hops: Any) -> None:
            if not isinstance(hops, int):
                self.next = hops
            elif hops:
                self.next.tell(hops - 1)
            else:
                self.done.set()

    async def spawn() -> float:
        started = time.perf_counter()
        for _ in range(PYKKA_ACTORS):
            Counting.start(-1, threading.Event())
        spent = (time.perf_counter() - started) / PYKKA_ACTORS
        pykka.ActorRegistry.stop_all()
        return spent

    async def tell() -> float:
        done = threading.Event()
        ref = Counting.start(TOLD // 10, done)
        started = time.perf_counter()
        for i in range(TOLD // 10):
            ref.tell(i)
        done.wait()
        spent = (time.perf_counter() - started) / (TOLD // 10)
        pykka.ActorRegistry.stop_all()
        return spent

    async def ring() -> float:
        done = threading.Event()
        refs = [Hop.start(done) for _ in range(PYKKA_ACTORS)]
        for ref, following in zip(refs, [*refs[1:], refs[0]], strict=True):
            ref.ask(following)
        started = time.perf_counter()
        refs[0].tell(PYKKA_ACTORS)
        done.wait()
        spent = (time.perf_counter() - started) / PYKKA_ACTORS
        pykka.ActorRegistry.stop_all()
        return spent

    async def ask() -> float:
        ref = Counting.start(-1, threading.Event())
        started = time.perf_counter()
        for i in range(ASKED // 10):
            ref.ask(i)
        spent = (time.perf_counter() - started) / (ASKED // 10)
        pykka.ActorRegistry.stop_all()
        return spent

    jobs = {"spawn": spawn, "tell, plain": tell, "ring, plain": ring, "ask, plain": ask}
    return {**jobs, "tell, async": tell, "ring, async": ring, "ask, async": ask}


QUEUES: dict[str, Job] = {
    "spawn": queue_spawn(),
    "tell, plain": queue_tell(QueuePlain),
    "tell, async": queue_tell(QueueAsync),
    "ring, plain": queue_ring(QueueHop),
    "ring, async": queue_ring(QueueHopAsync),
    "ask, plain": queue_ask(QueueAnswer),
    "ask, async": queue_ask(QueueAnswerAsync),
}
