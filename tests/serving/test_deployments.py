"""The three deployments as a client sees them: real processes, real sockets, the chatbot's real model."""

import asyncio
import json

import numpy as np
import pytest

from asyncpatterns.chatbot import KERAS_FILE, MODEL_DIR, encode, sample_requests
from asyncpatterns.load.http import HTTPClient, HTTPStatus
from asyncpatterns.serving import TensorFlowModel
from asyncpatterns.serving.processes import ServerProcess, batched_arguments, rudimentary_arguments

pytestmark = pytest.mark.slow

ARGUMENTS = {"predict": rudimentary_arguments(KERAS_FILE), "compiled": rudimentary_arguments(MODEL_DIR),
             "batched": batched_arguments(MODEL_DIR)}
BAD = {"not JSON": b"{oops", "wrong shape": b'{"instances": [[1, 2, 3]]}', "empty": b'{"instances": []}',
       "wrong type": json.dumps({"instances": [["a"] * 24]}).encode(), "no body": b"",
       "a token that the model has not": json.dumps({"instances": [[2 ** 31 - 1] * 24]}).encode(),
       "10 MB": b'{"instances": [[' + b"1," * 5_000_000 + b"1]]}"}


@pytest.fixture(scope="module")
def exam():
    """(tokens, what a direct call says) for some sentences."""
    tokens = encode(sample_requests(40, seed=1))
    model = TensorFlowModel(MODEL_DIR)
    yield tokens, model.run({"tokens": tokens})
    model.close()


def body(tokens):
    return json.dumps({"instances": tokens.tolist()}).encode()


def serve(kind, scenario):
    """Runs `scenario(client, path)` against a deployment in a process of its own."""
    async def main():
        async with ServerProcess(*ARGUMENTS[kind]) as server, HTTPClient(server.host, server.port) as client:
            return await scenario(client, server.path)
    return asyncio.run(main())


def equal(reply, expected, rows):
    predictions = json.loads(reply.body)["predictions"]
    return all(np.allclose([row[name] for row in predictions], values[rows], atol=1e-3)
               for name, values in expected.items())


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_every_deployment_answers_what_a_direct_call_says(kind, exam):
    tokens, expected = exam

    async def scenario(client, path):
        replies = await asyncio.gather(*(client.post(path, body(tokens[row:row + 1])) for row in range(len(tokens))))
        several = await client.post(path, body(tokens))
        return replies, several
    replies, several = serve(kind, scenario)
    assert all(equal(reply, expected, slice(row, row + 1)) for row, reply in enumerate(replies))
    assert equal(several, expected, slice(None))


@pytest.mark.parametrize("kind", ["compiled", "batched"])
def test_bad_input_gets_a_4xx_with_a_sentence_and_other_clients_see_nothing_of_it(kind, exam):
    tokens, expected = exam

    async def refusal(client, path, content):
        with pytest.raises(HTTPStatus) as caught:
            await client.post(path, content)
        return caught.value

    async def scenario(client, path):
        good = asyncio.gather(*(client.post(path, body(tokens[row:row + 1])) for row in range(40)))
        bad = await asyncio.gather(*(refusal(client, path, content) for content in BAD.values()))
        bad.append(await refusal(client, "/v1/models/unknown:predict", body(tokens[:1])))
        return await good, bad, await client.post(path, body(tokens[:1]))
    good, bad, after = serve(kind, scenario)
    assert all(equal(reply, expected, slice(row, row + 1)) for row, reply in enumerate(good))
    assert equal(after, expected, slice(0, 1))
    assert [error.status for error in bad if not 400 <= error.status < 500] == []
    assert all(len(error.body) > 20 for error in bad)


def test_what_was_expected_is_said_in_the_refusal():
    async def scenario(client, path):
        sentences = {}
        for name, content in BAD.items():
            try:
                await client.post(path, content)
            except HTTPStatus as error:
                sentences[name] = json.loads(error.body)["error"]
        return sentences
    sentences = serve("batched", scenario)
    assert sentences.keys() == BAD.keys()
    for name, sentence in sentences.items():
        assert "expected" in sentence or name.startswith("a token"), (name, sentence)


def test_a_stopping_server_answers_what_it_admitted(exam):
    tokens, expected = exam

    async def main():
        async with ServerProcess(*ARGUMENTS["batched"]) as server, HTTPClient(server.host, server.port) as client:
            await client.open(40)
            replies = [asyncio.create_task(client.post(server.path, body(tokens[row:row + 1]))) for row in range(40)]
            await asyncio.wait(replies, return_when=asyncio.FIRST_COMPLETED)
            await server.stop()
            return await asyncio.gather(*replies, return_exceptions=True), await server.wait()
    replies, status = asyncio.run(main())
    answered = [(row, reply) for row, reply in enumerate(replies) if not isinstance(reply, Exception)]
    refused = [reply for reply in replies if isinstance(reply, Exception)]
    assert answered and all(equal(reply, expected, slice(row, row + 1)) for row, reply in answered)
    assert all(isinstance(reply, ConnectionError) or getattr(reply, "status", 0) == 503 for reply in refused)
    assert status == 0
