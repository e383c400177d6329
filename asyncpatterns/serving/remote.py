"""A model in other processes, with the surface of a `TensorFlowModel`: what a gateway puts behind its batcher.

A call between two processes has a large fixed price, as a call of a model has. So what gathers while one call is under
way shares the next: the rows of all requests travel as one request, and its answer is cut.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from asyncpatterns import BatcherClosed, DeadlineExceeded, Overloaded

from .signature import Signature
from .tensorflow_model import rows_of, split

Tensors = Mapping[str, np.ndarray]


class RemoteModel:
    """What is `described` by its `version`, `signatures`, the name of the `default` one, `padding` and `metadata`.

    A subclass says in `run` how one request gets to a process that has the model, and what comes back.
    """

    threads = 1

    def __init__(self, described: Mapping[str, Any]) -> None:
        self.version: int = described["version"]
        self.signatures: dict[str, Signature] = described["signatures"]
        self.signature = self.signatures[described["default"]]
        self.padding = described["padding"]         # rows of different lengths travel apart, and are padded there
        self._metadata = described["metadata"]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} version {self.version} ({self.signature})>"

    def with_signature(self, name: str) -> Self:
        other = copy.copy(self)
        other.signature = self.signatures[name]
        return other

    def metadata(self) -> dict[str, Any]:
        return self._metadata

    def key(self, tensors: Tensors) -> Hashable:
        """What a `Batcher` is given as `key`: only requests that can be put below each other travel together."""
        if not self.signature.batchable or len({len(array) if array.ndim else 1 for array in tensors.values()}) > 1:
            return object()
        return tuple(array.shape[1:] for array in tensors.values())

    async def __call__(self, items: Sequence[Tensors]) -> list[Any]:
        try:
            return await self._results(items)
        except (Overloaded, DeadlineExceeded, BatcherClosed) as error:
            return [error] * len(items)         # nobody's fault: there is nothing to bisect, everyone gets a copy

    async def _results(self, items: Sequence[Tensors]) -> list[Any]:
        if len(items) == 1:
            return [await self.run(items[0])]
        rows = [rows_of(item) for item in items]
        outputs = await self.run({name: np.concatenate([item[name] for item in items]) for name in items[0]})
        if all(array.ndim and len(array) == sum(rows) for array in outputs.values()):
            return split(outputs, rows)
        return [await self.run(item) for item in items]         # its answers have no rows

    async def run(self, tensors: Tensors) -> dict[str, np.ndarray]:
        """The model's outputs for one request; raises what the model raised, or `Overloaded`."""
        raise NotImplementedError
