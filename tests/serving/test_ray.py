"""On a real Ray cluster of three nodes: the same answers, and a killed node costs at most the turn in flight."""

import asyncio
import contextlib
import json
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("ray", reason="Ray is not installed; these tests want pip install -r requirements-cluster.txt")

from ray.exceptions import ActorDiedError
from ray.serve.exceptions import RayServeException

from asyncpatterns import Overloaded
from asyncpatterns.chatbot import MODEL_DIR, Chat, MeaningModel, encode, sample_requests
from asyncpatterns.chatbot.chat import conversation_class
from asyncpatterns.lessons.cluster import busiest_node, on_three_nodes
from asyncpatterns.load import HTTPClient, closed_loop
from asyncpatterns.serving import TensorFlowModel
from asyncpatterns.serving.app import ServingApp
from asyncpatterns.serving.deployment import Deployment
from asyncpatterns.serving.front import Unavailable
from asyncpatterns.serving.processes import ServerProcess
from asyncpatterns.serving.ray import LocalCluster, RayDeployment, RayModel, application, ray, serve, spread
from asyncpatterns.testing import run
from tests.serving.test_remote import DESCRIBED

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

PREDICT = "/v1/models/intent:predict"
TOKENS = encode(sample_requests(64))
BODIES = [json.dumps({"instances": [row.tolist()]}).encode() for row in TOKENS]


@pytest.fixture
def cluster():
    with LocalCluster(3) as made:
        yield made


def test_a_deployment_answers_as_a_direct_call_and_survives_the_death_of_a_node(cluster):
    direct = TensorFlowModel(MODEL_DIR, threads=1).run({"tokens": TOKENS})

    async def main():
        async with ServingApp(RayDeployment(MODEL_DIR, name="intent", replicas=2)) as app:
            await same_answers(app, direct)
            await same_words(app)
            seen = await under_load(app, cluster)
            await same_answers(app, direct)
            assert await asyncio.to_thread(running) == 1, "the other one's node is dead"
            return seen, app.deployment.current.model.retried

    seen, retried = asyncio.run(main())
    print(seen, retried)
    assert set(seen["statuses"]) <= {200, 503} and seen["without Retry-After"] == 0
    assert seen["statuses"][200] > 1_000 and seen["longest"] < 15


async def same_answers(app, direct):
    answers = await asyncio.gather(*(app.answer("POST", PREDICT, body) for body in BODIES))
    for number, answer in enumerate(answers):
        assert answer.status == 200, answer.body
        [row] = json.loads(answer.body)["predictions"]
        for name, array in direct.items():
            np.testing.assert_allclose(row[name], array[number], rtol=1e-4, atol=1e-5)


async def same_words(app):
    bad = await app.answer("POST", PREDICT, b'{"instances": [[1, 2, 3]]}')
    assert bad.status == 400 and b"24" in bad.body
    assert (await app.answer("POST", "/v1/models/other:predict", BODIES[0])).status == 404
    metadata = json.loads((await app.answer("GET", "/v1/models/intent/metadata", b"")).body)
    assert "serving_default" in metadata["metadata"]["signature_def"]["signature_def"]
    assert b"AVAILABLE" in (await app.answer("GET", "/v1/models/intent", b"")).body


async def under_load(app, cluster, seconds=12.0, kill_at=3.0):
    async def killer():
        await asyncio.sleep(kill_at)
        await asyncio.to_thread(cluster.kill, cluster.nodes[0])

    _, seen = await asyncio.gather(killer(), crowd(app, 16, seconds))
    return seen


async def crowd(app, clients, seconds):
    """What clients get who ask again and again, and wait a little when they are refused."""
    seen = {"statuses": Counter(), "longest": 0.0, "without Retry-After": 0, "refusals": set()}
    end = time.monotonic() + seconds

    async def client(number):
        while time.monotonic() < end:
            began = time.monotonic()
            answer = await app.answer("POST", PREDICT, BODIES[number % 64])
            seen["longest"] = max(seen["longest"], time.monotonic() - began)
            seen["statuses"][answer.status] += 1
            if answer.status != 200:
                seen["refusals"].add(answer.body)
                seen["without Retry-After"] += int(dict(answer.headers).get(b"retry-after", b"0")) < 1
                await asyncio.sleep(0.05)

    await asyncio.gather(*map(client, range(clients)))
    return seen


def test_who_is_refused_by_a_crowded_replica_is_told_when_to_come_back(cluster):
    """The gateway here has room for all; it is the replica, with room for one row, that refuses."""
    async def main():
        crowded = application(MODEL_DIR, name="intent", max_queue=1, max_batch_size=4)
        handle = await asyncio.to_thread(serve.run, crowded, name="intent", route_prefix=None)
        model = RayModel(handle, await handle.describe.remote())
        gateway = Deployment(model, name="intent", workers=16, max_batch_size=2, max_queue=256)
        async with ServingApp(gateway) as app:
            return await crowd(app, 64, 3.0)

    seen = asyncio.run(main())
    print(seen)
    assert set(seen["statuses"]) == {200, 503} and seen["without Retry-After"] == 0
    assert all(b"overloaded: " in body and b"where 1 may; try again in" in body for body in seen["refusals"])
    assert seen["longest"] < 5


def test_who_is_refused_since_all_replicas_died_is_told_so_until_there_is_one_again(cluster):
    """And three replicas where there is room for two: they serve, and do not wait for the third."""
    async def main():
        async with ServingApp(RayDeployment(MODEL_DIR, name="intent", replicas=3, patience=1.0)) as app:
            before = await crowd(app, 16, 1.0)
            killing = [asyncio.to_thread(cluster.kill, node) for node in cluster.nodes]
            dying, *_ = await asyncio.gather(crowd(app, 16, 10.0), *killing)
            cluster.add()
            async with asyncio.timeout(90):
                while 200 not in (after := await crowd(app, 1, 1.0))["statuses"]:
                    pass
            return before, dying, after

    before, dying, after = asyncio.run(main())
    print(before, dying, after, sep="\n")
    assert set(before["statuses"]) == {200}
    assert dying["statuses"][503] > 16 and set(dying["statuses"]) <= {200, 503}
    for seen in (dying, after):
        assert seen["without Retry-After"] == 0 and seen["longest"] < 5
        assert all(b"try again in 1 s" in body for body in seen["refusals"])


class Handle:
    """Stands for Ray Serve's: each call meets the next of some fates; the last one is everybody's after it."""

    def __init__(self, *fates):
        self.fates, self.predict = list(fates), self

    async def remote(self, *_):
        fate = self.fates.pop(0) if len(self.fates) > 1 else self.fates[0]
        if isinstance(fate, Exception):
            raise fate
        await asyncio.sleep(0.01 if fate else 1_000)
        return fate


def asked(*fates):
    """What came of one request, after how many seconds and tries."""
    async def main():
        model, loop = RayModel(Handle(*fates), DESCRIBED, patience=3.0), asyncio.get_running_loop()
        try:
            came = await model.run({"x": TOKENS[:1]})
        except Exception as error:
            came = error
        return came, loop.time(), model.retried
    return run(main)


def test_a_prediction_is_made_again_when_its_replica_dies():
    came, seconds, retried = asked(ActorDiedError(), RayServeException("no replica"), ({"sum": 1}, None))
    assert (came, retried) == ({"sum": 1}, 2) and seconds < 0.2


@pytest.mark.parametrize("fate", [ActorDiedError(), None], ids=["dies", "hangs"])
def test_after_its_patience_the_gateway_refuses(fate):
    came, seconds, _ = asked(fate)
    assert isinstance(came, Unavailable) and came.retry_after == 1.0 and seconds <= 3.0


def test_what_the_replica_says_is_not_asked_again():
    came, _, retried = asked((None, Overloaded(0.7, 3, 3)))
    assert isinstance(came, Overloaded) and (came.retry_after, retried) == (0.7, 0)


def test_a_model_that_cannot_be_loaded_is_said_to_be_the_reason_and_nothing_is_left_deployed(cluster, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"no model at all")

    async def main():
        with pytest.raises(RuntimeError, match="saved_model"):
            async with RayDeployment(tmp_path, name="broken"):
                raise AssertionError("it serves")
        assert "broken" not in (await asyncio.to_thread(serve.status)).applications

    asyncio.run(main())


def test_the_promise_and_the_room_are_the_gateways():
    deployment = RayDeployment(MODEL_DIR, replicas=3, in_flight=2, slo=0.2, max_queue=100, max_batch_size=32)
    assert deployment.batching == {"max_batch_size": 32, "max_queue": 100, "slo": 0.2, "workers": 6}


def test_a_killed_node_costs_no_conversation_more_than_the_turn_in_flight():
    story = asyncio.run(on_three_nodes())
    print(story)
    assert (story.lost, story.doubled, story.hung) == (0, 0, 0)
    assert len(story.answers) > 200 and story.retried > 0


@contextlib.asynccontextmanager
async def kes():
    async with Chat(MeaningModel()) as chat:
        yield conversation_class(chat)


def test_the_chatbot_remembers_a_ticket_though_the_node_of_its_user_died(cluster):
    async def main():
        async with spread(kes, name="kes", hosts=3) as users:
            node = await busiest_node(users, cluster.nodes)
            on_it = [name for name, line in users.lines.items() if await line.address.node() == node]
            alice = next(users[f"user-{n}"] for n in range(100) if users.home_of(f"user-{n}") in on_it)
            await alice.ask("I want my money back", timeout=60)
            await alice.ask("KR 503318", timeout=60)
            home = alice.path
            await asyncio.to_thread(cluster.kill, node)
            async with asyncio.timeout(60):         # its processes outlive their node by a second or two
                while alice.path == home:     # noqa: ASYNC110 - it moves when its node is found dead
                    await asyncio.sleep(0.1)
            answer = await alice.ask("because it was two hours late", timeout=60)
            print(home, "->", alice.path, answer)
            assert alice.path != home and "503318" in answer.text

    asyncio.run(main())


def test_the_command_serves_and_the_statistics_are_in_rays_metrics(cluster):
    async def main():
        arguments = ("-m", "asyncpatterns.serving", str(MODEL_DIR), "--on", "ray", "--replicas", "1", "--port", "0",
                     "--address", cluster.address, "--max-queue", "16")
        async with ServerProcess(*arguments, grace=25) as server, HTTPClient(server.host, server.port) as client:
            report = await closed_loop(lambda n: client.post(server.path, BODIES[n % 64]), clients=16, duration=2)
            assert report.answered > 100 and not report.errors
            for _ in range(60):
                if any("asyncpatterns_answered" in text for text in await asyncio.to_thread(metrics)):
                    break
                await asyncio.sleep(0.5)
            said = "\n".join(await asyncio.to_thread(metrics))
            assert 'model="intent"' in said.lower() or "asyncpatterns_answered" in said
            for name in ("admitted", "answered", "batches", "waiting", "queue_delay_seconds"):
                assert f"asyncpatterns_{name}" in said, name
            replies = Counter(await asyncio.to_thread(flood, f"http://{server.host}:{server.port}{server.path}"))
            print(replies)
            assert {status for status, _ in replies} == {200, 503}, "64 clients with 8 rows each, and room for 16"
            assert all(int(retry_after) >= 1 for status, retry_after in replies if status == 503)
            await server.stop()
            assert await server.wait() == 0, "it did not stop by itself"

    asyncio.run(main())


def flood(url, clients=64, times=4):
    """(status, Retry-After) of many requests of eight rows, from all clients at once."""
    body = json.dumps({"instances": TOKENS[:8].tolist()}).encode()

    def ask(_):
        try:
            with urllib.request.urlopen(url, body, timeout=30) as reply:
                return reply.status, None
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.headers["Retry-After"]

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(ask, range(clients * times)))


def metrics():
    """What Prometheus would be told by each node."""
    for node in ray.nodes():
        if node["Alive"]:
            address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
            with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as page:
                yield page.read().decode()


def test_the_number_of_replicas_follows_the_queue_delay(cluster):
    async def main():
        deployment = RayDeployment(MODEL_DIR, name="intent", replicas=1, max_replicas=2, target_delay=0.0005)
        async with ServingApp(deployment) as app:
            async def ask(number):
                answer = await app.answer("POST", PREDICT, BODIES[number % 64])
                assert answer.status == 200
            for _ in range(12):
                await closed_loop(ask, clients=64, duration=3)
                if running() == 2:
                    return
            raise AssertionError(f"{running()} replica after a long time of requests that wait")

    asyncio.run(main())


def running():
    [deployment] = serve.status().applications["intent"].deployments.values()
    return deployment.replica_states.get("RUNNING", 0)
