"""The batched deployment on Ray beside plain Ray Serve, and what it costs to cross a process.

    python -m benchmarks cluster [--seconds 4] [--rounds 3] [--clients 64] [--wait 0.001] [--proxy haproxy] [--record]

Needs Ray (requirements-cluster.txt). Everything runs on one local cluster of three nodes, in one run, in turns: the
chatbot's model in two replicas for each contender, one TensorFlow thread each, and one-row JSON requests over HTTP
from this process. *plain* is Ray Serve as its documentation advises for speed: HAProxy in front (`--proxy python` for
the usual one), RAY_SERVE_THROUGHPUT_OPTIMIZED, and `@serve.batch` with batches of 64 and a wait of `--wait` seconds.
*ours* is what `python -m asyncpatterns.serving --on ray` starts.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import platform
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from asyncpatterns.lessons.hops import Hops, hop_in_process, hop_over_http, timed
from asyncpatterns.load import HTTPClient, closed_loop

Ask = Callable[[int], Awaitable[Any]]


# --- what it costs to cross a process ---

async def measure_hops(calls: int) -> Hops:
    """Seconds of one question and its answer: one after the other, and with 64 on their way."""
    import ray

    from asyncpatterns.serving.ray import connect

    class Echo:
        async def echo(self, message: Any) -> Any:
            return message

    connect()
    actor = ray.remote(Echo).options(num_cpus=0, max_concurrency=1000, scheduling_strategy="SPREAD").remote()

    def ask(number: Any) -> Any:
        return actor.echo.remote(number)

    batch = list(range(64))
    found = {"Ray call, another process": (await timed(ask, calls, 1), await timed(ask, calls, 64))}
    shared = await timed(lambda _: ask(batch), calls // 4, 1) / 64
    found["Ray call shared by 64"] = shared, shared
    ray.kill(actor)
    return Hops({"actor in the same process": await hop_in_process(), "HTTP, another process": await hop_over_http(),
                 **found})


# --- the race ---

def plain_application(model_dir: Any, wait: float) -> Any:
    """Ray Serve with `@serve.batch`, written with the care that a rival deserves."""
    import numpy as np
    import orjson
    from ray import serve
    from starlette.requests import Request
    from starlette.responses import Response

    class Plain:
        def __init__(self, model_dir: str) -> None:
            from asyncpatterns.serving import TensorFlowModel

            self.model = TensorFlowModel(model_dir, threads=1)
            self.model.warm_up()

        @serve.batch(max_batch_size=64, batch_wait_timeout_s=wait)
        async def batch(self, items: list[Any]) -> list[Any]:
            return await asyncio.to_thread(self.model, items)

        async def __call__(self, request: Request) -> Response:
            rows = orjson.loads(await request.body())["instances"]
            outputs = await self.batch({"tokens": np.array(rows, np.int32)})
            answers = [{name: array[number] for name, array in outputs.items()} for number in range(len(rows))]
            return Response(orjson.dumps({"predictions": answers}, option=orjson.OPT_SERIALIZE_NUMPY),
                            media_type="application/json")

    deployment = serve.deployment(Plain).options(num_replicas=2, max_ongoing_requests=1000,
                                                 ray_actor_options={"num_cpus": 1})
    return deployment.bind(os.fspath(model_dir))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.asynccontextmanager
async def contenders(wait: float, ours: bool = True, plain: bool = True) -> AsyncIterator[dict[str, Ask]]:
    import ray
    from ray import serve

    from asyncpatterns.chatbot import MODEL_DIR, encode, sample_requests
    from asyncpatterns.serving.processes import ServerProcess

    bodies = [json.dumps({"instances": [row.tolist()]}).encode() for row in encode(sample_requests(256))]
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        addresses = {}
        if plain:
            await asyncio.to_thread(serve.start, http_options={"port": port, "location": "HeadOnly"})
            await asyncio.to_thread(serve.run, plain_application(MODEL_DIR, wait), name="plain", route_prefix="/plain")
            addresses["plain"] = "127.0.0.1", port, "/plain"
        if ours:
            server = await stack.enter_async_context(ServerProcess(
                "-m", "asyncpatterns.serving", os.fspath(MODEL_DIR), "--on", "ray", "--replicas", "2", "--port", "0",
                "--address", ray.get_runtime_context().gcs_address))
            addresses["ours"] = server.host, server.port, server.path
        asks = {}
        for name, (host, number, path) in addresses.items():
            client = await stack.enter_async_context(HTTPClient(host, number))
            asks[name] = lambda n, client=client, path=path: client.post(path, bodies[n % len(bodies)])
        yield asks


async def race(options: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    async with contenders(options.wait) as asks:
        answers = {name: json.loads((await ask(7)).body)["predictions"][0] for name, ask in asks.items()}
        assert answers["ours"] == answers["plain"], "the contenders do not answer the same"
        for ask in asks.values():
            await closed_loop(ask, clients=options.clients, duration=2)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in asks}
        for turn in range(options.rounds):
            for name in sorted(asks, reverse=bool(turn % 2)):
                gc.collect()
                report = await closed_loop(asks[name], clients=options.clients, duration=options.seconds)
                found[name].append({"answered": report.answered, "p50": report.p50, "p99": report.p99,
                                    "errors": report.errors.total()})
                print(f"{name:8}{report}", flush=True)
    return found


def show_race(found: dict[str, list[dict[str, float]]], clients: int) -> None:
    print(f"\nclosed loop, {clients} clients, one-row JSON requests, two replicas each; best of {len(found['ours'])}")
    best = {name: {"answered": max(run["answered"] for run in runs), "p99": min(run["p99"] for run in runs),
                   "p50": min(run["p50"] for run in runs)} for name, runs in found.items()}
    for name, run in best.items():
        print(f"{name:8}{run['answered']:>9,.0f} answers/s   p50 {1e3 * run['p50']:7.1f} ms   "
              f"p99 {1e3 * run['p99']:7.1f} ms")
    ours, plain = best["ours"], best["plain"]
    print(f"ours: {ours['answered'] / plain['answered']:.1f} × the answers/s, a p99 {plain['p99'] / ours['p99']:.1f} "
          f"times lower")


def keep(hops: Hops, version: str) -> None:
    from asyncpatterns.lessons.cluster import on_three_nodes, record

    setup = f"three nodes of Ray {version} on one machine with {os.cpu_count()} cores"
    story = asyncio.run(on_three_nodes())
    print(story)
    record(story, {name: hops.seconds[name] for name in hops.seconds if name.startswith("Ray")}, setup)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks cluster", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--calls", type=int, default=1_280, help="of each kind of hop")
    parser.add_argument("--record", action="store_true", help="kill a node, too, and keep what chapter 14 shows")
    parser.add_argument("--wait", type=float, default=0.001, help="batch_wait_timeout_s of the rival")
    parser.add_argument("--proxy", choices=("haproxy", "python"), default="haproxy", help="the rival's")
    options = parser.parse_args()
    os.environ["RAY_SERVE_ENABLE_HA_PROXY"] = str(int(options.proxy == "haproxy"))      # read when Ray is imported
    try:
        from asyncpatterns.serving.ray import LocalCluster, ray
    except ImportError as error:
        print(f"not measured: {error}")
        return 0
    with LocalCluster(3, cpus=2):
        hops = asyncio.run(measure_hops(options.calls))
        print(hops)
        found = asyncio.run(race(options))
        show_race(found, options.clients)
    if options.record:
        keep(hops, ray.__version__)
    results = {"python": platform.python_version(), "ray": ray.__version__, "cores": os.cpu_count(),
               "clients": options.clients, "proxy": options.proxy, "wait": options.wait, "hops": hops.seconds,
               "race": found}
    Path("results").mkdir(exist_ok=True)
    Path("results/cluster.json").write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    main()
