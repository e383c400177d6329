"""The batched deployment: one model behind one batcher for each of its signatures that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from asyncpatterns import Batcher

from . import protocol
from .errors import UnknownName
from .loading import usable_cores
from .tensorflow_model import TensorFlowModel, rows_of


class Deployment:
    """Answers requests of TensorFlow Serving's REST API from batches.

    An asynchronous context manager: leaving the block refuses new requests and answers the admitted ones. A request's
    rows stay together in one batch. Keyword arguments other than `name` and `max_batch_size` go to the `Batcher`;
    unless they say otherwise there is one worker a core, since one core a batch beats all cores on one batch.
    """

    def __init__(self, model: TensorFlowModel, *, name: str = "model", max_batch_size: int = 64,
                 **batching: Any) -> None:
        batching.setdefault("workers", max(1, usable_cores() // model.threads))
        self.model, self.name = model, name
        self.batching = {"max_batch_size": max_batch_size, **batching}
        self.batchers: dict[str, Batcher] = {}
        self._models = {model.signature.name: model}
        self._stack = AsyncExitStack()

    def __repr__(self) -> str:
        policy = ", ".join(f"{key}={value!r}" for key, value in self.batching.items())
        return f"<Deployment {self.name!r} version {self.model.version}: {self.model.signature}; {policy}>"

    async def __aenter__(self) -> Deployment:
        await self._batcher(self.model.signature.name)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def predict(self, body: bytes) -> bytes:
        """The answer's JSON for a request's JSON.

        Raises `InvalidInput` or `UnknownName` with a sentence for the client, `Overloaded` and `DeadlineExceeded` as
        the batcher does. Cancelling it takes the request out of the queue and hurts nobody else.
        """
        request = protocol.parse(body)
        signature = self._signature_of(request)
        batcher = self.batchers.get(signature) or await self._batcher(signature)
        outputs = await batcher(protocol.tensors(request, self._models[signature].signature))
        return protocol.answer(request, outputs)

    def _signature_of(self, request: Mapping[str, Any]) -> str:
        signature = request.get("signature_name") or self.model.signature.name
        if not isinstance(signature, str):
            raise UnknownName(f'"signature_name": expected one of {sorted(self.model.signatures)}; got {signature!r}')
        return signature

    async def _batcher(self, signature: str) -> Batcher:
        if signature not in self._models:
            self._models[signature] = self.model.with_signature(signature)
        batcher = Batcher(self._models[signature], rows=rows_of, name=f"{self.name}/{signature}", **self.batching)
        self.batchers[signature] = batcher
        return await self._stack.enter_async_context(batcher)

    def status(self) -> Mapping[str, Any]:
        """What `GET /v1/models/NAME` answers."""
        state = {"version": str(self.model.version), "state": "AVAILABLE",
                 "status": {"error_code": "OK", "error_message": ""}}
        return {"model_version_status": [state]}

    def metadata(self) -> Mapping[str, Any]:
        """What `GET /v1/models/NAME/metadata` answers."""
        spec = {"name": self.name, "signature_name": "", "version": str(self.model.version)}
        return {"model_spec": spec, "metadata": {"signature_def": {"signature_def": self.model.metadata()}}}
