"""The REST surface, whole but for the sockets: routes, statuses, sentences, and nobody hurt by a neighbour."""

import asyncio
import json

import pytest

from asyncpatterns.serving.app import ServingApp
from asyncpatterns.serving.deployment import Deployment
from asyncpatterns.testing import run

from .fakes import AddingModel, call

PREDICT = "/v1/models/sums:predict"


def with_app(scenario, *, max_body=1000, **batching):
    """Runs `scenario(app, model)` in virtual time over a deployment of the adding model."""
    async def main():
        model = AddingModel()
        deployment = Deployment(model, name="sums", **batching)
        async with deployment:
            return await scenario(ServingApp(deployment, max_body=max_body), model)
    return run(main)


def rows(*pairs):
    return json.dumps({"instances": list(pairs)}).encode()


def test_a_prediction_answers_row_by_row():
    async def scenario(app, model):
        return await call(app, "POST", PREDICT, rows([1, 2], [3, 4]))
    status, headers, answer = with_app(scenario)
    assert (status, answer) == (200, {"predictions": [3, 7]})
    assert headers[b"content-length"] == b"21"


def test_requests_that_arrive_together_share_a_batch_and_get_their_own_answers():
    async def scenario(app, model):
        replies = await asyncio.gather(*(call(app, "POST", PREDICT, rows([n, 100])) for n in range(20)))
        return replies, model.batches
    replies, batches = with_app(scenario, workers=1)
    assert [answer["predictions"] for _, _, answer in replies] == [[n + 100] for n in range(20)]
    assert len(batches) < 20 and sum(batches) == 20


def test_a_version_may_be_named():
    async def scenario(app, model):
        return [await call(app, "POST", f"/v1/models/sums/versions/{version}:predict", rows([1, 2]))
                for version in (3, 4)]
    right, wrong = with_app(scenario)
    assert right[0] == 200
    assert wrong[0] == 404 and "version 3 is served" in wrong[2]["error"]


@pytest.mark.parametrize(("method", "path", "body", "status", "says"), [
    ("POST", PREDICT, b"not json", 400, "not JSON"),
    ("POST", PREDICT, b"", 400, "not JSON"),
    ("POST", PREDICT, rows(), 400, "at least one row"),
    ("POST", PREDICT, rows([1, 2, 3]), 400, "the shape [any, 2]"),
    ("POST", PREDICT, rows(["a", "b"]), 400, "expected integers"),
    ("POST", PREDICT, b'{"instances": [[1, 2]], "signature_name": "other"}', 400, "name: 'other' not found"),
    ("POST", PREDICT, b'{"instances": [[1, 2]], "signature_name": 7}', 400, "expected one of"),
    ("POST", PREDICT, b'{"instances": [[1, 2]], "signature_name": ["a"]}', 400, "expected one of"),
    ("POST", PREDICT, b"x" * 1001, 413, "at most 1,000 bytes"),
    ("POST", "/v1/models/other:predict", rows([1, 2]), 404, "serves 'sums'"),
    ("GET", "/v1/models/other", b"", 404, "serves 'sums'"),
    ("GET", "/nowhere", b"", 404, "try GET /v1/models/sums"),
    ("GET", f"/v1/models/sums/versions/{'9' * 5000}", b"", 404, "try GET /v1/models/sums"),
    ("GET", PREDICT, b"", 405, "takes POST"),
    ("DELETE", "/v1/models/sums", b"", 405, "does not take DELETE"),
])
def test_bad_input_gets_a_4xx_with_a_sentence_and_the_server_lives_on(method, path, body, status, says):
    async def scenario(app, model):
        return await call(app, method, path, body), await call(app, "POST", PREDICT, rows([1, 2]))
    bad, good = with_app(scenario)
    assert bad[0] == status and says in bad[2]["error"]
    assert good[2] == {"predictions": [3]}


def test_who_uses_the_wrong_method_reads_which_is_right():
    async def scenario(app, _):
        wrong = ("GET", PREDICT), ("DELETE", "/v1/models/sums"), ("PUT", "/v1/models/sums/metadata")
        return [(await call(app, method, path))[1][b"allow"] for method, path in wrong]
    assert with_app(scenario) == [b"POST", b"GET, HEAD", b"GET, HEAD"]


def test_a_body_that_is_too_large_is_refused_before_it_is_whole():
    async def scenario(app, model):
        return await call(app, "POST", PREDICT, chunks=[b"x" * 600] * 1000)
    assert with_app(scenario)[0] == 413


def test_a_request_that_breaks_the_model_fails_alone():
    async def scenario(app, model):
        return await asyncio.gather(*(call(app, "POST", PREDICT, rows([n, 1])) for n in range(20)))
    replies = with_app(scenario, workers=1)
    assert [status for status, _, _ in replies] == [500 if n == 12 else 200 for n in range(20)]


def started(app, *requests):
    """What `app.start` passes on for each request, in order, and nothing before it has returned."""
    answers = []
    begun = [app.start(*request, answers.append) for request in requests]
    assert not answers
    return answers, begun


def test_what_was_started_answers_as_what_is_awaited():
    requests = [("POST", PREDICT, rows([1, 2])), ("POST", PREDICT, b"{"), ("POST", PREDICT, rows([6, 7])),
                ("GET", "/v1/models/sums", b""), ("POST", "/nowhere", b"")]

    async def scenario(app, model):
        answers, _ = started(app, *requests)
        await asyncio.sleep(1)
        awaited = [await app.answer(*request) for request in requests]
        return answers, awaited, app.answers
    answers, awaited, counts = with_app(scenario)
    assert sorted(answers) == sorted(awaited)
    assert counts == {200: 4, 400: 2, 404: 2, 500: 2}


def test_what_was_started_and_cancelled_never_answers_and_leaves_the_queue():
    async def scenario(app, model):
        answers, begun = started(app, *[("POST", PREDICT, rows([n, 100])) for n in range(4)], ("GET", "/metrics", b""),
                                 ("POST", PREDICT, b"{"))
        for work in begun[1:]:
            work.cancel()
        await asyncio.sleep(1)
        return answers, model.batches
    answers, batches = with_app(scenario)
    assert [answer.body for answer in answers] == [b'{"predictions":[100]}'] and batches == [1]


def test_overload_is_a_503_that_says_when_to_come_back():
    async def scenario(app, model):
        return await asyncio.gather(*(call(app, "POST", PREDICT, rows([n, 1])) for n in range(20)))
    replies = with_app(scenario, max_queue=4, max_batch_size=2, workers=1)
    refused = [(headers, answer) for status, headers, answer in replies if status == 503]
    assert refused and all(int(headers[b"retry-after"]) >= 1 and "overloaded" in answer["error"]
                           for headers, answer in refused)
    assert all(status in (200, 503) for status, _, _ in replies)


def test_a_client_that_leaves_in_the_middle_of_its_body_gets_no_answer():
    async def scenario(app, model):
        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            raise AssertionError("answered a client that left")

        await app({"type": "http", "method": "POST", "path": PREDICT, "headers": []}, receive, send)
        return model.batches
    assert with_app(scenario) == []


def test_status_and_metadata_are_tensorflow_servings():
    async def scenario(app, model):
        return [await call(app, "GET", f"/v1/models/sums{what}") for what in ("", "/metadata", "/versions/3")]
    status, metadata, version = with_app(scenario)
    assert status[2] == version[2] == {"model_version_status": [
        {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}]}
    assert metadata[2]["model_spec"] == {"name": "sums", "signature_name": "", "version": "3"}
    assert "serving_default" in metadata[2]["metadata"]["signature_def"]["signature_def"]


def test_a_deployment_without_a_size_takes_batches_as_large_as_the_largest_allowed():
    async def scenario(app, model):
        await asyncio.gather(*(call(app, "POST", PREDICT, rows([n, 100])) for n in range(150)))
        return model.batches
    assert 100 in with_app(scenario, workers=1, sizes=(1, 100))


def test_the_metrics_count_every_request():
    async def scenario(app, model):
        for n in (1, 12):
            await call(app, "POST", PREDICT, rows([n, 1]))
        return await call(app, "GET", "/metrics")
    text = with_app(scenario)[2]
    label = '{model="sums",version="3",signature="serving_default"}'
    assert f"asyncpatterns_admitted_total{label} 2" in text
    assert f"asyncpatterns_answered_total{label} 1" in text and f"asyncpatterns_failed_total{label} 1" in text


def test_lifespan_starts_and_drains_the_deployment():
    async def main():
        app = ServingApp(Deployment(AddingModel(), name="sums"))
        events, sent = asyncio.Queue(), []

        async def send(message):
            sent.append(message["type"])

        events.put_nowait({"type": "lifespan.startup"})
        serving = asyncio.create_task(app({"type": "lifespan"}, events.get, send))
        await asyncio.sleep(0.01)
        answer = await call(app, "POST", PREDICT, rows([1, 2]))
        events.put_nowait({"type": "lifespan.shutdown"})
        await serving
        late = await call(app, "POST", PREDICT, rows([1, 2]))
        return answer, sent, late
    answer, sent, late = run(main)
    assert answer[0] == 200 and sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert late[0] == 503
