"""The batcher against a bare future, against direct calls of the model, and against what one would use instead.

    python -m benchmarks batching [--seconds 1.0] [--rounds 3] [--no-model]

Everything is measured side by side in one run: in each round every contender has its turn, and the best of its rounds
counts. The model is the chatbot's, with one TensorFlow thread for each batch and two batches at once, or two threads
and one; loops are closed, with so many clients that each waits for its answer. Two programs from PyPI, `batched` and
`async-batcher`, are measured when they can be imported, and named as missing when not; the batching kernel of
TensorFlow, which TensorFlow Serving uses, comes with TensorFlow.
"""

import argparse
import asyncio
import gc
import importlib.util
import itertools
import json
import os
import platform
import queue
import random
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from asyncpatterns import Batcher

CALLERS = 1_024
KERNEL_CALLERS = 256
FREE_CALLERS, FREE_CALLS = 1_000, 25

AS_MANY = f"with {KERNEL_CALLERS} callers, Batcher"

Call = Callable[[Any], Awaitable[Any]]


class Rate(NamedTuple):
    """Rows a second, and seconds of a request."""

    rows: float
    p50: float = 0.0
    p99: float = 0.0


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


# --- overhead: a function that costs nothing ---


async def bare_futures() -> float:
    """A future made, resolved in the next tick, and awaited by its caller: the least that an answer can cost."""
    loop = asyncio.get_running_loop()
    pending: list[asyncio.Future[None]] = []

    def resolve() -> None:
        for future in pending:
            future.set_result(None)
        pending.clear()

    async def caller() -> None:
        for _ in range(FREE_CALLS):
            future = loop.create_future()
            if not pending:
                loop.call_soon(resolve)
            pending.append(future)
            await future
    return await timed(caller)


async def timed(caller: Callable[[], Coroutine[Any, Any, None]]) -> float:
    tasks = [asyncio.create_task(caller()) for _ in range(FREE_CALLERS)]
    gc.collect()
    start = time.perf_counter()
    await asyncio.gather(*tasks)
    return (time.perf_counter() - start) / (FREE_CALLERS * FREE_CALLS)


async def per_call(call: Call) -> float:
    async def caller() -> None:
        for number in range(FREE_CALLS):
            await call(number)
    return await timed(caller)


async def free_batcher(function: Callable[[list[Any]], Any], **options: Any) -> float:
    async with Batcher(function, **options) as batcher:
        return await per_call(batcher)


def plain(items: list[Any]) -> list[Any]:
    return items


async def on_loop(items: list[Any]) -> list[Any]:
    return items


def free_contenders() -> dict[str, Callable[[], Awaitable[float]]]:
    contenders: dict[str, Callable[[], Awaitable[float]]] = {
        "bare future": bare_futures,
        "Batcher, async def, 64": lambda: free_batcher(on_loop),
        "Batcher, async def, 1,024": lambda: free_batcher(on_loop, max_batch_size=1024),
        "Batcher, thread, 64": lambda: free_batcher(plain),
        "Batcher, thread, 1,024": lambda: free_batcher(plain, max_batch_size=1024),
    }
    for name, make in peers(plain).items():
        contenders[f"{name}, 256"] = lambda make=make: with_peer(make(256, 1.0), per_call)
    return contenders


# --- peers ---


def missing() -> list[str]:
    return [name for name in ("batched", "async_batcher") if importlib.util.find_spec(name) is None]


def peers(function: Callable[[list[Any]], Any]) -> dict[str, Callable[[int, float], Any]]:
    """Name -> maker of (call, end) from a batch size and how many milliseconds it may wait."""
    made: dict[str, Callable[[int, float], Any]] = {}
    if importlib.util.find_spec("batched"):
        def make_batched(size: int, wait: float) -> Any:
            from batched.aio import dynamically
            call = dynamically(function, batch_size=size, timeout_ms=wait)
            return call, None
        made["batched"] = make_batched
    if importlib.util.find_spec("async_batcher"):
        def make_async_batcher(size: int, wait: float) -> Any:
            from async_batcher.batcher import AsyncBatcher

            class Ours(AsyncBatcher):  # type: ignore[misc, type-arg]
                def process_batch(self, batch: list[Any]) -> Any:
                    return function(batch)
            batcher = Ours(max_batch_size=size, max_queue_time=wait / 1000, concurrency=2,
                           executor=ThreadPoolExecutor(2))
            return batcher.process, lambda: batcher.stop(force=True)
        made["async-batcher"] = make_async_batcher
    return made


async def with_peer(made: Any, measure: Callable[[Call], Awaitable[Any]]) -> Any:
    call, end = made
    try:
        return await measure(call)
    finally:
        if end is not None:
            await end()


# --- the model ---


class Model:
    """The chatbot's model: a row of tokens in, its intent out. `threads`: cores that one batch may use."""

    def __init__(self, threads: int) -> None:
        import numpy

        from asyncpatterns.chatbot.model import MODEL_DIR
        from asyncpatterns.serving.tensorflow_model import TensorFlowModel

        self.stack, self.model, self.threads = numpy.stack, TensorFlowModel(MODEL_DIR, threads=threads), threads
        self.name = self.model.signature.inputs and next(iter(self.model.signature.inputs))
        random = numpy.random.default_rng(0)
        self.rows = [row for row in random.integers(1, 200, size=(64, 24)).astype("int32")]  # noqa: C416
        self.model.warm_up((1, 8, 16, 32, 64, 128, 256))

    def run(self, batch: Any) -> Any:
        return next(iter(self.model.run({self.name: batch}).values()))

    def __call__(self, items: list[Any]) -> list[Any]:
        return list(self.run(self.stack(items)))


def direct(model: Model, size: int, workers: int, seconds: float) -> Rate:
    """`workers` threads that call the model with ready batches as fast as they can."""
    batch = model.stack([model.rows[i % len(model.rows)] for i in range(size)])
    end, done = time.perf_counter() + seconds, [0] * workers

    def work(number: int) -> None:
        while time.perf_counter() < end:
            model.run(batch)
            done[number] += size
    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Rate(sum(done) / (time.perf_counter() - start))


async def closed_loop(call: Call, rows: list[Any], callers: int, seconds: float) -> Rate:
    latencies: list[float] = []
    clock = time.perf_counter
    end = clock() + seconds

    async def caller(number: int) -> None:
        row = rows[number % len(rows)]
        while (start := clock()) < end:
            await call(row)
            latencies.append(clock() - start)
    start = clock()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    return Rate(len(latencies) / (clock() - start), quantile(latencies, 0.5), quantile(latencies, 0.99))


def ours(model: Model, workers: int, size: int, callers: int = CALLERS) -> Callable[[float], Rate]:
    async def measure(seconds: float) -> Rate:
        async with Batcher(model, max_batch_size=size, workers=workers, max_queue=4 * callers) as batcher:
            return await closed_loop(batcher, model.rows, callers, seconds)
    return lambda seconds: asyncio.run(measure(seconds))


def a_peer(make: Callable[[int, float], Any], model: Model, size: int, wait: float) -> Callable[[float], Rate]:
    async def measure(seconds: float) -> Rate:
        return await with_peer(make(size, wait), lambda call: closed_loop(call, model.rows, CALLERS, seconds))
    return lambda seconds: asyncio.run(measure(seconds))


class Kernel:
    """TensorFlow's own batching, called from many Python threads. Each setting has a queue of its own by its name."""

    def __init__(self, model: Model, size: int, wait_us: int, threads: int) -> None:
        import tensorflow as tf

        from asyncpatterns.chatbot.model import MODEL_DIR

        loaded = tf.saved_model.load(str(MODEL_DIR / "1"))
        signature = loaded.signatures["serving_default"]
        name = next(iter(signature.structured_input_signature[1]))

        with tf.name_scope(f"kernel_{size}_{wait_us}_{threads}"):
            @tf.nondifferentiable_batch_function(threads, size, wait_us, max_enqueued_batches=1000)
            def batched(tokens: Any) -> Any:
                return next(iter(signature(**{name: tokens}).values()))

            @tf.function(input_signature=[tf.TensorSpec((1, 24), tf.int32)])
            def one(tokens: Any) -> Any:
                return batched(tokens)
            self.one, self.kept = one.get_concrete_function(), loaded
        self.rows = [tf.constant(row[None]) for row in model.rows]

    def __call__(self, seconds: float) -> Rate:
        latencies: list[list[float]] = [[] for _ in range(KERNEL_CALLERS)]
        end = time.perf_counter() + seconds

        def work(number: int) -> None:
            row, mine = self.rows[number % len(self.rows)], latencies[number]
            while (start := time.perf_counter()) < end:
                self.one(row)
                mine.append(time.perf_counter() - start)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(KERNEL_CALLERS)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        every = list(itertools.chain(*latencies))
        return Rate(len(every) / (time.perf_counter() - start), quantile(every, 0.5), quantile(every, 0.99))


class Hop:
    """The least that a thread of one's own can cost: it is woken, calls, and tells the loop."""

    def __init__(self, function: Callable[[list[Any]], Any]) -> None:
        self.loop, self.calls = asyncio.get_running_loop(), queue.SimpleQueue[Any]()
        threading.Thread(target=self.work, args=(function,)).start()

    def work(self, function: Callable[[list[Any]], Any]) -> None:
        while (call := self.calls.get()) is not None:
            future, items = call
            self.loop.call_soon_threadsafe(future.set_result, function(items))

    def __call__(self, items: list[Any]) -> asyncio.Future[Any]:
        future = self.loop.create_future()
        self.calls.put((future, items))
        return future


async def lone(model: Model, calls: int) -> dict[str, float]:
    """Median seconds of one row on an otherwise idle loop, in one way after the other, taken in turn."""
    row, clock, loop = model.rows[0], time.perf_counter, asyncio.get_running_loop()
    took: dict[str, list[float]] = {}

    async def direct(items: list[Any]) -> None:
        model(items)
    hop = Hop(model)
    with ThreadPoolExecutor(1) as pool:
        async with Batcher(model) as batcher:
            ways: dict[str, Call] = {"direct": direct, "a bare hop to a thread and back": hop,
                                     "run_in_executor": lambda items: loop.run_in_executor(pool, model, items),
                                     "Batcher": lambda items: batcher(items[0])}
            for number in range(calls):
                for name in random.Random(number).sample(list(ways), len(ways)):
                    start = clock()
                    await ways[name]([row])
                    took.setdefault(name, []).append(clock() - start)
    hop.calls.put(None)
    return {name: statistics.median(took[name]) for name in ways}


def model_contenders(one: Model, two: Model) -> dict[str, Callable[[float], Rate]]:
    contenders: dict[str, Callable[[float], Rate]] = {}
    for model, workers in ((one, 2), (two, 1)):
        threads = f"{workers} × {model.threads} TensorFlow thread{'s' if model.threads > 1 else ''}"
        for size in (32, 64, 128, 256):
            contenders[f"direct, {threads}, {size}"] = lambda s, m=model, n=size, w=workers: direct(m, n, w, s)
            contenders[f"Batcher, {threads}, {size}"] = ours(model, workers, size)
    for name, make in peers(one).items():
        for size, wait in ((64, 1.0), (256, 1.0), (256, 5.0)):
            contenders[f"{name}, {size}, {wait:g} ms"] = a_peer(make, one, size, wait)
    contenders[f"{AS_MANY}, 2 × 1 TensorFlow thread, 64"] = ours(one, 2, 64, KERNEL_CALLERS)
    for size, wait_us, threads in ((64, 1000, 2), (128, 2000, 2), (256, 5000, 2)):
        contenders[f"TensorFlow's kernel, {size}, {wait_us / 1000:g} ms, {threads} threads"] = Kernel(
            one, size, wait_us, threads)
    return contenders


# --- the run ---


def best_of(found: dict[str, list[Rate]], prefix: str) -> tuple[str, Rate]:
    best = {name: max(rates, key=lambda rate: rate.rows) for name, rates in found.items() if name.startswith(prefix)}
    name = max(best, key=lambda name: best[name].rows)
    return name, best[name]


def measure_overhead(rounds: int) -> dict[str, float]:
    contenders = free_contenders()
    found: dict[str, float] = {}
    for _ in range(rounds):
        for name, measure in contenders.items():
            found[name] = min(found.get(name, 1e9), asyncio.run(measure()))  # type: ignore[arg-type]
    bare = found["bare future"]
    print(f"\n{FREE_CALLERS:,} callers of a function that costs nothing")
    print(f"{'':40}{'µs a call':>10}{'× bare':>8}")
    for name, seconds in found.items():
        print(f"{name:40}{1e6 * seconds:>10.2f}{seconds / bare:>8.2f}")
    return {name: 1e6 * seconds for name, seconds in found.items()}


def measure_model(rounds: int, seconds: float) -> dict[str, Any]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    one, two = Model(1), Model(2)
    contenders = model_contenders(one, two)
    found: dict[str, list[Rate]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            gc.collect()
            found[name].append(measure(seconds))
    print(f"\n{CALLERS:,} callers of the chatbot's model ({KERNEL_CALLERS} for the kernel, each a thread), closed loop")
    print(f"{'':46}{'rows/s':>9}{'p50 ms':>9}{'p99 ms':>9}")
    for name, rates in found.items():
        best = max(rates, key=lambda rate: rate.rows)
        print(f"{name:46}{best.rows:>9,.0f}{1e3 * best.p50:>9.1f}{1e3 * best.p99:>9.1f}")
    result: dict[str, Any] = {"rates": {name: [rate._asdict() for rate in rates] for name, rates in found.items()}}
    _, straight = best_of(found, "direct")
    which, mine = best_of(found, "Batcher")
    print(f"\nbest: {which}: {mine.rows / straight.rows:.2f} of the best direct calls")
    _, as_many = best_of(found, AS_MANY)
    for peer, our in (("TensorFlow's kernel", as_many), ("batched", mine), ("async-batcher", mine)):
        if any(name.startswith(peer) for name in found):
            name, theirs = best_of(found, peer)
            print(f"{our.rows / theirs.rows:.1f} × the rows/s of {name}, {theirs.p99 / our.p99:.1f} × quicker at p99")
    alone = {f"{model.threads} TensorFlow thread(s)": asyncio.run(lone(model, 500)) for model in (one, two)}
    for threads, times in alone.items():
        print(f"\na lone request, {threads}")
        for name, took in times.items():
            print(f"{name:46}{1e3 * took:>9.2f} ms{took / times['direct']:>9.2f}")
    return {**result, "lone": alone}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks batching", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement of the model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-model", action="store_true", help="overhead only; needs no TensorFlow")
    options = parser.parse_args()
    results: dict[str, Any] = {"python": platform.python_version(), "cores": os.cpu_count(),
                               "overhead_us": measure_overhead(3 * options.rounds)}
    if absent := missing():
        print(f"not measured, because not installed: {', '.join(absent)}")
    if not options.no_model:
        results["model"] = measure_model(options.rounds, options.seconds)
    Path("results").mkdir(exist_ok=True)
    Path("results/batching.json").write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    main()
