"""Nothing that a client sends stops the server or hurts another client's request; 10,000 of it: `fuzz.py` by hand."""

import asyncio
import json
import socket

import numpy as np
import pytest

from asyncpatterns.serving import Signature, TensorSpec
from asyncpatterns.serving.app import ServingApp
from asyncpatterns.serving.deployment import Deployment
from asyncpatterns.serving.http import HTTPServer, Limits, loop_factory

from .fakes import AddingModel
from .fuzz import fuzz


class Tokens(AddingModel):
    """Takes what the chatbot's model takes; answers with the sum of a row."""

    def __init__(self):
        super().__init__()
        tokens = TensorSpec("tokens", np.dtype("int32"), (None, 24))
        self.signature = Signature("serving_default", {"tokens": tokens}, {"total": next(iter(
            self.signature.outputs.values()))})
        self.signatures = {"serving_default": self.signature}

    async def __call__(self, items):
        return [{"total": item["tokens"].sum(axis=1)} for item in items]


@pytest.mark.parametrize("seed", range(3))
def test_malformed_requests_hurt_nobody(seed):
    async def main():
        app, listener = ServingApp(Deployment(Tokens(), name="intent")), socket.create_server(("127.0.0.1", 0))
        good = json.dumps({"instances": [list(range(24))]}).encode()
        async with app, HTTPServer(app, listener, limits=Limits(request_timeout=2.0), grace=5.0) as server:
            async with asyncio.timeout(60):
                outcome = await fuzz(*listener.getsockname(), "/v1/models/intent:predict", good,
                                     lambda content: json.loads(content) == {"predictions": [276]}, 400, seed)
            await asyncio.sleep(0.1)
            return outcome, len(server.connections)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        outcome, connections = runner.run(main())
    assert outcome.wrong == [] and outcome.server_errors == {} and outcome.good > 20
    assert len(outcome.kinds) > 12 and outcome.statuses[400] > 50 and connections < 40
