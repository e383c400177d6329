"""Beyond one machine: the same batcher in Ray Serve's replicas, and the same virtual actors on a Ray cluster.

A call between two processes of Ray costs about a millisecond of processor time, as much as this kit's model needs for
a batch of eight. So it is treated as one treats the model: what gathers while one call is under way shares the next.

This is the only module that imports Ray; `pip install -r requirements-cluster.txt`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import itertools
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from asyncpatterns import Actor, Batcher, Overloaded, go
from asyncpatterns.batching.call import Call

from .app import ServingApp
from .deployment import Deployment
from .front import HostLost, SpreadActors, Unavailable
from .host import Host, Opens
from .metrics import COUNTERS, GAUGES
from .remote import RemoteModel, Tensors
from .scaling import QUEUE_DELAY, Recent, note_delays
from .shared import Outcome, SharedStore, StoreLink, Turn
from .tensorflow_model import TensorFlowModel, latest_version, rows_of
from .versions import powers_of_two

# Read when Ray Serve is imported. Without the first every call goes through a thread of its own on both sides; with it,
# but without the second, each replica serves HTTP, too, and takes half a minute to stop.
SETTINGS = {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0"}
for setting, value in {**SETTINGS, "RAY_USAGE_STATS_ENABLED": "0"}.items():
    os.environ.setdefault(setting, value)

try:
    import ray
    from ray import serve
    from ray.exceptions import RayError, RayTaskError
    from ray.serve.exceptions import RayServeException
    from ray.util.metrics import Counter, Gauge
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as missing:
    raise ImportError("Ray is not installed. It is needed for several machines only: "
                      "pip install -r requirements-cluster.txt") from missing

Answered = tuple[dict[str, np.ndarray] | None, Exception | None]
A_LITTLE = 2 ** 20          # bytes of memory: what asks for nothing at all is put wherever Ray likes
LEAST_PAUSE, REPORT = 0.05, 1.0         # seconds: before a second try, and between two reports to Ray's metrics


def connect(address: str | None = None) -> None:
    """Joins the Ray cluster at `address`; without one the cluster that runs on this machine, or one that it starts."""
    if ray.is_initialized():
        return
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "warning"}
    try:
        ray.init(address or "auto", **quiet)
    except ConnectionError:
        if address is not None:
            raise
        ray.init(include_dashboard=False, **quiet)


class LocalCluster:
    """A Ray cluster of several nodes on this one machine, on which a node can be killed: for trials and for tests.

    A context manager. The head node, where this program, the stores and Ray's own control are, has no room for
    replicas; the others have room for `cpus` each. They share the cores that the machine has. Leaving ends all of it.
    """

    def __init__(self, nodes: int = 3, *, cpus: int = 1, memory: int = 80 * 2 ** 20) -> None:
        self.count, self.cpus, self.memory = nodes, cpus, memory

    def __enter__(self) -> LocalCluster:
        from ray.cluster_utils import Cluster

        self._cluster = _patiently(functools.partial(Cluster, initialize_head=True, head_node_args={
            "num_cpus": 0, "object_store_memory": self.memory, "include_dashboard": False}))
        try:
            self._nodes: dict[str, Any] = {}
            for _ in range(self.count - 1):
                self.add()
            ray.init(address=self._cluster.address, log_to_driver=False, logging_level="error")
        except BaseException:
            self.__exit__()
            raise
        return self

    def add(self) -> str:
        """Starts one more node and returns its id. Ray wants this in the main thread."""
        node = _patiently(functools.partial(self._cluster.add_node, num_cpus=self.cpus,
                                            object_store_memory=self.memory))
        self._nodes[node.node_id] = node
        return node.node_id

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(Exception):
            serve.shutdown()
        ray.shutdown()
        self._cluster.shutdown()

    @property
    def address(self) -> str:
        """What other programs give to `connect`."""
        return self._cluster.address

    @property
    def nodes(self) -> tuple[str, ...]:
        """The ids of the nodes beside the head that are alive."""
        return tuple(self._nodes)

    def kill(self, node: str) -> None:
        """Kills all processes of a node at once, as a pulled plug would."""
        self._cluster.remove_node(self._nodes.pop(node), allow_graceful=False)


def _patiently(start: Callable[[], Any], tries: int = 3) -> Any:
    """What `start` returns. On a busy machine the half minute that Ray gives itself may be too short."""
    try:
        return start()
    except Exception:
        if tries == 1:
            raise
        return _patiently(start, tries - 1)


# --- the model ---

class Replica:
    """What Ray Serve starts on some node: the model, loaded and warmed up, and a batcher in front of it."""

    def __init__(self, model_dir: str, name: str, loading: dict[str, Any], batching: dict[str, Any]) -> None:
        self.model = TensorFlowModel(model_dir, **loading)
        self.model.warm_up(batching.get("sizes") or powers_of_two(batching["max_batch_size"]))
        self.name, self.batching = name, batching
        self.batchers: dict[str, tuple[TensorFlowModel, Batcher]] = {}
        self.delays, self.before = Recent(), Recent()
        self.reports = Reports(name, self.model.version)

    def describe(self) -> dict[str, Any]:
        """What a gateway has to know of the model."""
        model = self.model
        return {"version": model.version, "signatures": model.signatures, "default": model.signature.name,
                "padding": model.padding, "metadata": model.metadata()}

    async def predict(self, signature: str, tensors: Tensors, waited: float = 0.0) -> Answered:
        """One request of some rows, which share batches with those of others; `waited` is how long requests wait
        before they come here.
        """
        self.before.note(asyncio.get_running_loop().time(), waited)
        model, batcher = self.batchers.get(signature) or self._batcher(signature)
        try:
            return await batcher(tensors, key=model.key(tensors)), None
        except Exception as error:
            return None, error

    async def record_autoscaling_stats(self) -> dict[str, float]:
        now = asyncio.get_running_loop().time()
        return {QUEUE_DELAY: self.delays.at(now) + self.before.at(now)}

    def _batcher(self, signature: str) -> tuple[TensorFlowModel, Batcher]:
        model = self.model if signature == self.model.signature.name else self.model.with_signature(signature)
        batcher = Batcher(model, rows=rows_of, name=f"{self.name}/{signature}", **self.batching)
        self.batchers[signature] = model, batcher
        go(note_delays(batcher, self.delays), name=f"delays of {batcher!r}")
        go(self.reports.follow(signature, batcher), name=f"metrics of {batcher!r}")
        return self.batchers[signature]


class Reports:
    """The statistics of batchers as Ray's metrics: `ray_asyncpatterns_…`, one series for each replica."""

    def __init__(self, name: str, version: int) -> None:
        keys = ("model", "version", "signature")
        self.tags = {"model": name, "version": str(version)}
        self.counters = {name: Counter(f"asyncpatterns_{name}", text, keys) for name, text in COUNTERS.items()}
        self.gauges = {name: Gauge(f"asyncpatterns_{name}", text, keys) for name, text in GAUGES.items()}
        self.delay = Gauge("asyncpatterns_queue_delay_seconds", "From arrival to start, p90 of recent ones.", keys)

    async def follow(self, signature: str, batcher: Batcher) -> None:
        tags, seen = {**self.tags, "signature": signature}, dict.fromkeys(COUNTERS, 0)
        while True:
            await asyncio.sleep(REPORT)
            facts = batcher.statistics()
            for name, counter in self.counters.items():
                if grown := getattr(facts, name) - seen[name]:
                    counter.inc(grown, tags)
                    seen[name] += grown
            for name, gauge in self.gauges.items():
                gauge.set(getattr(facts, name), tags)
            self.delay.set(facts.queue_delay.p90, tags)


def application(model_dir: str | os.PathLike[str], *, name: str = "model", replicas: int = 1,
                max_replicas: int | None = None, target_delay: float = 0.05, cpus: float = 1.0,
                threads: int | None = None, padding: Any = None, max_batch_size: int = 64, **batching: Any) -> Any:
    """A Ray Serve application of `replicas` replicas of MODEL_DIR, each with a `Batcher`; for `serve.run`.

    With `max_replicas` their number follows the queue delay: between `replicas` and that many, so that requests wait
    `target_delay` seconds. Every replica takes `cpus` cores, all of them for one batch at a time unless `threads` or
    `workers` says otherwise; `padding` is the model's, further keyword arguments are its batcher's. Raises
    `FileNotFoundError` where there is no model: MODEL_DIR has to be there on every node.
    """
    latest_version(model_dir)
    batching = {"max_batch_size": max_batch_size, **batching}
    number: dict[str, Any] = {"num_replicas": replicas}
    if max_replicas is not None:
        policy = {"policy_function": "asyncpatterns.serving.scaling.QueueDelayPolicy",
                  "policy_kwargs": {"target": target_delay}}
        number = {"autoscaling_config": {"min_replicas": replicas, "initial_replicas": replicas,
                                         "max_replicas": max_replicas, "policy": policy, "metrics_interval_s": 1.0,
                                         "look_back_period_s": 5.0, "upscale_delay_s": 3.0, "downscale_delay_s": 60.0}}
    deployment = serve.deployment(Replica).options(
        name=name, ray_actor_options={"num_cpus": cpus, "runtime_env": {"env_vars": SETTINGS}},
        max_ongoing_requests=1000, health_check_period_s=2.0, health_check_timeout_s=5.0, **number)
    loading = {"threads": threads or max(1, int(cpus)), "padding": padding}
    return deployment.bind(os.fspath(model_dir), name, loading, batching)


class RayModel(RemoteModel):
    """A model that runs in replicas somewhere on the cluster.

    When the replica that was asked dies meanwhile, or no longer answers, another one is asked: a prediction changes
    nothing, so it may be made twice. `Unavailable`, which over HTTP is a 503 with `Retry-After`, is raised after
    `patience` seconds without an answer.
    """

    def __init__(self, handle: Any, described: Mapping[str, Any], *, patience: float = 10.0) -> None:
        super().__init__(described)
        self.handle, self.patience = handle, patience
        self.delays = Recent()
        self.retried = 0

    async def run(self, tensors: Tensors) -> dict[str, np.ndarray]:
        """Raises what the model raised, `Overloaded` when the replica has no room, or `Unavailable`."""
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + self.patience, LEAST_PAUSE
        while True:
            try:
                outputs, error = await self._ask_a_replica(tensors, end - loop.time())
            except RayTaskError:
                raise
            except (RayError, RayServeException, TimeoutError):
                if loop.time() + pause >= end:
                    raise Unavailable(1.0) from None
            else:
                if error is not None:
                    raise error
                assert outputs is not None
                return outputs
            self.retried += 1
            await asyncio.sleep(pause)
            pause *= 2

    async def _ask_a_replica(self, tensors: Tensors, seconds: float) -> Answered:
        waited = self.delays.at(asyncio.get_running_loop().time())
        response = self.handle.predict.remote(self.signature.name, tensors, waited)
        async with asyncio.timeout(max(seconds, 0.001)):
            return await response


class RayDeployment:
    """MODEL_DIR on a Ray cluster, to be given to a `ServingApp`: entering deploys it, leaving takes it down again.

    The gateway, which is whatever process this is in, gathers the requests that arrive while calls are under way: at
    most `in_flight` for each replica, and with 2 it does not idle meanwhile, but there are more calls to pay for. Its
    `slo` is the whole way's, to a replica and back. At most `max_queue` rows wait in it, and as many again in each
    replica; unless said, 64 batches here and 16 there. Further `options` are those of `application`.
    """

    current: Deployment

    def __init__(self, model_dir: str | os.PathLike[str], *, name: str = "model", patience: float = 10.0,
                 in_flight: int = 1, slo: float | None = None, **options: Any) -> None:
        self.name, self.patience = name, patience
        size = options.get("max_batch_size", 64)
        self.batching = {"max_batch_size": size, "max_queue": options.get("max_queue") or 64 * size, "slo": slo,
                         "workers": in_flight * (options.get("max_replicas") or options.get("replicas") or 1)}
        self.application = application(model_dir, name=name, **options)

    def __repr__(self) -> str:
        return f"<RayDeployment of {self.current!r}>" if self.ready else f"<RayDeployment {self.name!r}, not deployed>"

    async def __aenter__(self) -> RayDeployment:
        handle = await asyncio.to_thread(self._run)
        try:
            await self._until_one_runs()
        except BaseException:
            await asyncio.to_thread(serve.delete, self.name)
            raise
        model = RayModel(handle, await handle.describe.remote(), patience=self.patience)
        self.current = Deployment(model, name=self.name, **self.batching)       # type: ignore[arg-type]
        await self.current.__aenter__()
        for batcher in self.current.batchers.values():
            go(note_delays(batcher, model.delays), name="delays of the gateway")
        return self

    def _run(self) -> Any:
        serve.start(proxy_location="Disabled")
        target = serve.RunTarget(self.application, name=self.name, route_prefix=None)
        [handle] = serve.run_many([target], wait_for_applications_running=False)
        return handle

    async def _until_one_runs(self) -> None:
        """The others may find room later. Raises `RuntimeError` with Ray's words when none can be started."""
        while True:
            found = (await asyncio.to_thread(serve.status)).applications[self.name]
            if any(deployment.replica_states.get("RUNNING") for deployment in found.deployments.values()):
                return
            if found.status == "DEPLOY_FAILED":
                why = (found.message, *(deployment.message for deployment in found.deployments.values()))
                raise RuntimeError("\n".join(filter(None, why)))
            await asyncio.sleep(0.1)

    async def __aexit__(self, *exc_info: object) -> None:
        await self.current.__aexit__(*exc_info)
        await asyncio.to_thread(serve.delete, self.name)

    @property
    def version(self) -> int:
        return self.current.version

    @property
    def ready(self) -> bool:
        return hasattr(self, "current") and self.current.ready

    @property
    def batchers(self) -> Mapping[str, Batcher]:
        return self.current.batchers

    async def predict(self, body: bytes, version: int | None = None) -> bytes:
        return await self.current.predict(body, version)

    def submit(self, body: bytes, version: int | None = None) -> tuple[Mapping[str, Any], Call]:
        return self.current.submit(body, version)

    def status(self, version: int | None = None) -> Any:
        return self.current.status(version)

    def metadata(self, version: int | None = None) -> Any:
        return self.current.metadata(version)


def main(options: argparse.Namespace, batching: Mapping[str, Any]) -> ServingApp:
    """What `python -m asyncpatterns.serving MODEL_DIR --on ray` serves."""
    connect(options.address)
    wanted, there = options.replicas * batching["cpus"], ray.cluster_resources().get("CPU", 0.0)
    if wanted > there:
        print(f"{options.replicas} replicas want {wanted} cores, and the cluster has {there:.0f} just now: "
              "those that find no room will start when there is some", flush=True)
    deployment = RayDeployment(os.path.abspath(options.model_dir), name=options.name, replicas=options.replicas,
                               max_replicas=options.max_replicas, target_delay=options.target_delay,
                               max_batch_size=options.max_batch_size, **batching)
    return ServingApp(deployment, max_body=options.max_body)


# --- the conversations ---

class HostActor:
    """A `Host` in a process of its own. Ray starts it again, on another node if need be, when it dies."""

    def __init__(self, actors: type[Actor] | Opens, store: Any, options: dict[str, Any]) -> None:
        self._make = functools.partial(Host, actors, StoreLink(functools.partial(call, store.do)), **options)
        self._opening: asyncio.Task[Host] | None = None

    async def _host(self) -> Host:
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> Host:
        host = self._make()
        await host.open()
        return host

    async def post(self, front: str, turns: Sequence[Turn]) -> None:
        await (await self._host()).post(front, turns)

    async def collect(self, front: str) -> list[tuple[str, Outcome]]:
        return await (await self._host()).collect(front)

    async def ready(self) -> str:
        return await (await self._host()).ready()

    async def live(self) -> int:
        return await (await self._host()).live()

    async def close(self) -> None:
        await (await self._host()).close()

    def node(self) -> str:
        return ray.get_runtime_context().get_node_id()


class RayAddress:
    """A `HostActor` as a front reaches it."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor

    async def post(self, front: str, turns: Sequence[Turn]) -> None:
        await call(self.actor.post, front, turns)

    async def collect(self, front: str) -> list[tuple[str, Outcome]]:
        return await call(self.actor.collect, front)

    async def ready(self) -> str:
        return await call(self.actor.ready)

    async def live(self) -> int:
        return await call(self.actor.live)

    async def node(self) -> str:
        """The id of the node on which it is."""
        return await call(self.actor.node)


async def call(method: Any, *arguments: Any) -> Any:
    """Calls a method of a Ray actor; raises `HostLost` when the actor is gone, else what the method raised."""
    try:
        return await method.remote(*arguments)
    except RayTaskError as error:
        raise (error.cause if isinstance(error.cause, Exception) else error) from None
    except RayError as error:
        raise HostLost(str(error).partition("\n")[0]) from None


def places() -> list[NodeAffinitySchedulingStrategy]:
    """A wish for each node that has cores to give, or for every one where none has. Ray's own "SPREAD" put all of three
    hosts on one node in two of six trials.
    """
    alive = [node for node in ray.nodes() if node["Alive"]]
    chosen = [node for node in alive if node["Resources"].get("CPU")] or alive
    return [NodeAffinitySchedulingStrategy(node["NodeID"], soft=True) for node in chosen]


@contextlib.asynccontextmanager
async def spread(actors: type[Actor] | Opens, *, name: str = "actors", hosts: int = 3, idle: float = 300.0,
                 limit: int = 10_000, store: Any = None, cpus: float = 0.0) -> AsyncIterator[SpreadActors]:
    """Virtual actors of one class on `hosts` hosts of the Ray cluster, spread over its nodes.

        async with spread(Conversation, store=functools.partial(SqliteStore, "states.sqlite")) as users:
            reply = await users["alice"].ask("hello")

    `actors` is the class, or a function that opens what all actors of a host share and gives the class (see `Host`).
    `store` is a `MutableMapping` that can be pickled, or a function that makes one: it lives in a process on the node
    that calls this, and only what a function makes, from a file say, survives that process. See `SpreadActors` for what
    a reference promises. Leaving the block ends the hosts.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    if not (store is None or callable(store) or isinstance(store, MutableMapping)):
        raise TypeError(f"store is a MutableMapping or a function that makes one, not {store!r}")
    again = -1 if callable(store) else 0        # one that was started again without its states would forget in silence
    keeper = ray.remote(SharedStore).options(num_cpus=0, max_restarts=again, max_task_retries=again,
                                            max_concurrency=1000, scheduling_strategy=here).remote(store)
    made = {f"{name}-{number}": ray.remote(HostActor).options(
                num_cpus=cpus, memory=A_LITTLE, max_restarts=-1, max_concurrency=1000,
                scheduling_strategy=place).remote(
                actors, keeper, {"name": f"{name}-{number}", "idle": idle, "limit": limit})
            for number, place in zip(range(1, hosts + 1), itertools.cycle(places()), strict=False)}
    addresses = {host: RayAddress(actor) for host, actor in made.items()}
    try:
        await asyncio.gather(*(address.ready() for address in addresses.values()))
        async with SpreadActors(addresses, name=name) as users:
            yield users
        ends = [asyncio.ensure_future(call(actor.close)) for actor in made.values()]
        await asyncio.wait(ends, timeout=5.0)           # one that is just being started again is not waited for
        await asyncio.gather(*(end for end in ends if end.done() or end.cancel()), return_exceptions=True)
    finally:
        for actor in (*made.values(), keeper):
            ray.kill(actor)


__all__ = ["LocalCluster", "Overloaded", "RayDeployment", "RayModel", "Unavailable", "application", "connect", "spread"]
