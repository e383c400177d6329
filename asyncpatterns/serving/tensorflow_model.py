"""A TensorFlow SavedModel as the function of a batcher.

Invariants:
- What `__call__` gets has been through `check`: arrays of the signature's types and shapes, rows first.
- A model owns its graph and its session; two models, or two versions of one, share no variables.
- Answers are arrays of the rows asked for, in the order asked.
"""

from __future__ import annotations

import copy
import gc
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InvalidInput, UnknownName
from .loading import load, read_signature
from .quiet import import_tensorflow
from .signature import Signature

Tensors = Mapping[str, np.ndarray]


def latest_version(model_dir: str | os.PathLike[str]) -> tuple[int, Path]:
    """The newest numbered version in `model_dir`, or (1, `model_dir`) when that is a SavedModel itself.

    Raises `FileNotFoundError` that says what was looked for.
    """
    folder = Path(model_dir)
    if (folder / "saved_model.pb").exists():
        return 1, folder
    versions = [int(path.parent.name) for path in folder.glob("*/saved_model.pb") if path.parent.name.isdigit()]
    if not versions:
        raise FileNotFoundError(f"{folder}: expected saved_model.pb, or numbered folders that hold one")
    return max(versions), folder / str(max(versions))


class TensorFlowModel:
    """Loads a SavedModel and runs it on one batch at a time per calling thread.

    `model(items)` takes a list of requests (input name → array of k rows), runs them as one batch and returns a list
    of answers (output name → array of the same k rows) in the same order: what a `Batcher` calls. It may be called
    from several threads at once.

    `threads` is how many cores one batch may use; 1 unless said otherwise, because a batch per core beats all cores
    on one batch (41,000 rows/s against 17,500 on two cores, small transformer, batches of 64).
    Raises `FileNotFoundError` without a SavedModel in `model_dir` and `UnknownName` for a signature it has not.
    """

    def __init__(self, model_dir: str | os.PathLike[str], *, signature: str = "serving_default",
                 threads: int = 1) -> None:
        self.version, self.path = latest_version(model_dir)
        self.threads = threads
        self._tf = import_tensorflow()
        self._loaded = load(self.path, threads)
        self.signatures = {name: read_signature(self._tf, name, proto)
                           for name, proto in self._loaded.signatures.items()}
        self.signature = self.find_signature(signature)
        self._run = self._loaded.callable(self.signature)

    def __repr__(self) -> str:
        cores = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"<TensorFlowModel {self.path.name} ({self.signature}), {cores} a batch>"

    def find_signature(self, name: str) -> Signature:
        if name not in self.signatures:
            raise UnknownName(f"no signature {name!r}; this model has {sorted(self.signatures)}")
        return self.signatures[name]

    def with_signature(self, name: str) -> TensorFlowModel:
        """The same loaded model, called by another of its signatures; raises `UnknownName`."""
        other = copy.copy(self)
        other.signature = self.find_signature(name)
        other._run = self._loaded.callable(other.signature)
        return other

    def check(self, tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """`tensors` as arrays that the model accepts; raises `InvalidInput`. See `Signature.check`."""
        return self.signature.check(tensors)

    def run(self, tensors: Tensors) -> dict[str, np.ndarray]:
        """One batch: arrays in, arrays out. Raises `InvalidInput` when the model refuses a value in it."""
        try:
            results = self._run(*(tensors[name] for name in self.signature.inputs))
        except self._tf.errors.InvalidArgumentError as error:
            raise InvalidInput(f"the model refuses this input: {_reason(error.message)}") from None
        return dict(zip(self.signature.outputs, results, strict=True))

    def __call__(self, items: Sequence[Tensors]) -> list[dict[str, np.ndarray]]:
        if len(items) == 1:
            return [self.run(items[0])]
        batch = {name: np.concatenate([item[name] for item in items]) for name in self.signature.inputs}
        return split(self.run(batch), [rows_of(item) for item in items])

    def warm_up(self, sizes: Sequence[int] = (1, 2, 4, 8, 16, 32, 64)) -> None:
        """Runs each batch size a few times, so that no request pays for first-time work; then shields the model from
        the garbage collector, which otherwise walks TensorFlow's objects for up to 200 ms in the middle of serving."""
        for size in sizes:
            batch = {name: spec.blank(size) for name, spec in self.signature.inputs.items()}
            for _ in range(3):
                self.run(batch)
        gc.collect()
        gc.freeze()

    def metadata(self) -> dict[str, Any]:
        """The signatures in the form of TensorFlow Serving's metadata answer."""
        from google.protobuf.json_format import MessageToDict

        return {name: MessageToDict(proto, preserving_proto_field_name=True)
                for name, proto in self._loaded.signatures.items()}

    def close(self) -> None:
        """Frees the session and its threads; calls that are running end first."""
        self._loaded.close()


def rows_of(item: Tensors) -> int:
    """How many rows a request has; what `Batcher(rows=…)` wants."""
    return len(next(iter(item.values())))


def split(outputs: Tensors, rows: Sequence[int]) -> list[dict[str, np.ndarray]]:
    """The batch's outputs cut into answers of `rows[0]`, `rows[1]`, … rows; views, not copies."""
    answers, start = [], 0
    for count in rows:
        answers.append({name: array[start:start + count] for name, array in outputs.items()})
        start += count
    return answers


def _reason(message: str) -> str:
    """The line of TensorFlow's message that speaks of the data, not of the graph."""
    lines = [line.strip() for line in message.splitlines()]
    return next((line for line in lines if line and not line.endswith(":") and "{{node" not in line), message[:200])
