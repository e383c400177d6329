"""The batched deployment: one model behind one batcher for each of its signatures that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from asyncpatterns import Batcher
from asyncpatterns.batching.call import Call
from asyncpatterns.batching.settings import DEFAULT_SIZE

from . import protocol
from .errors import InvalidInput, UnknownName
from .loading import usable_cores
from .tensorflow_model import TensorFlowModel, rows_of

AVAILABLE = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}


class Deployment:
    """Answers requests of TensorFlow Serving's REST API from batches.

    An asynchronous context manager: leaving the block refuses new requests and answers the admitted ones. A request's
    rows stay together in one batch. Keyword arguments other than `name` and `max_batch_size` go to the `Batcher`;
    unless they say otherwise there is one worker a core, since one core a batch beats all cores on one batch.
    """

    def __init__(self, model: TensorFlowModel, *, name: str = "model", max_batch_size: int = DEFAULT_SIZE,
                 **batching: Any) -> None:
        batching.setdefault("workers", max(1, min(8, usable_cores() // model.threads)))
        self.model, self.name = model, name
        self.batching = {"max_batch_size": max_batch_size, **batching}
        self.batchers: dict[str, Batcher] = {}
        self._models = {model.signature.name: model}
        self._stack = AsyncExitStack()

    def __repr__(self) -> str:
        policy = ", ".join(f"{key}={value!r}" for key, value in self.batching.items() if value is not None)
        return f"<Deployment {self.name!r} version {self.version}: {self.model.signature}; {policy}>"

    async def __aenter__(self) -> Deployment:
        self._teach(self._batcher(self.model.signature.name))
        return self

    def _teach(self, batcher: Batcher) -> None:
        """With an `slo` a batcher lets in only a handful until it has measured T(n); a version that takes over in the
        middle of the traffic would refuse the rest, so it is told what was measured before."""
        for rows, seconds in getattr(self.model, "times", ()):
            batcher._engine.time.observe(rows, seconds)
        batcher._engine.retune()

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    @property
    def version(self) -> int:
        return self.model.version

    @property
    def ready(self) -> bool:
        """Whether it takes requests."""
        batcher = self.batchers.get(self.model.signature.name)
        return batcher is not None and not batcher.closed

    async def predict(self, body: bytes, version: int | None = None) -> bytes:
        """The answer's JSON for a request's JSON; `version` is refused unless it is the one that is served.

        Raises `InvalidInput` or `UnknownName` with a sentence for the client, `Overloaded` and `DeadlineExceeded` as
        the batcher does. Cancelling it takes the request out of the queue and hurts nobody else.
        """
        request, call = self.submit(body, version)
        return protocol.answer(request, await call)

    def submit(self, body: bytes, version: int | None = None) -> tuple[Mapping[str, Any], Call]:
        """The first half of `predict`: the request and a call that has been admitted or refused, whose result are its
        outputs. So that whoever has many requests at once needs no task for each.
        """
        if version is not None and version != self.version:
            raise UnknownName(f"Servable not found for request: Specific({self.name}, {version}); {self._served()}")
        request = protocol.parse(body)
        signature = self._signature_of(request)
        batcher = self.batchers.get(signature) or self._batcher(signature)
        model = self._models[signature]
        item = protocol.tensors(request, model.signature, model.padding)
        return request, batcher(item, key=model.key(item))

    def _served(self) -> str:
        return f"version {self.version} is served"

    def _signature_of(self, request: Mapping[str, Any]) -> str:
        signature = request.get("signature_name") or self.model.signature.name
        if not isinstance(signature, str) or signature not in self.model.signatures:
            raise InvalidInput(f"Serving signature name: {signature!r:.100} not found in signature def; "
                               f"expected one of {sorted(self.model.signatures)}")
        return signature

    def _batcher(self, signature: str) -> Batcher:
        if signature not in self._models:
            self._models[signature] = self.model.with_signature(signature)
        batcher = Batcher(self._models[signature], rows=rows_of, name=f"{self.name}/{signature}", **self.batching)
        self.batchers[signature] = batcher
        self._stack.push_async_exit(batcher)
        return batcher

    def status(self, version: int | None = None) -> Mapping[str, Any]:
        """What `GET /v1/models/NAME[/versions/N]` answers; raises `UnknownName` for a version that is not there."""
        self._check_version(version)
        return {"model_version_status": [{"version": str(self.version), **AVAILABLE}]}

    def metadata(self, version: int | None = None) -> Mapping[str, Any]:
        """What `GET /v1/models/NAME[/versions/N]/metadata` answers; raises `UnknownName`."""
        self._check_version(version)
        spec = {"name": self.name, "signature_name": "", "version": str(self.version)}
        return {"model_spec": spec, "metadata": {"signature_def": {"signature_def": self.model.metadata()}}}

    def _check_version(self, version: int | None) -> None:
        if version is not None and version != self.version:
            raise UnknownName(f"Could not find version {version} of model {self.name}; {self._served()}")
