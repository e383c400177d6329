"""A TensorFlow SavedModel as the function of a batcher.

Invariants:
- What `__call__` gets has been through `check`: arrays of the signature's types and shapes, rows first.
- A model owns its graph and its session; two models, or two versions of one, share no variables.
- Answers are arrays of the rows asked for, in the order asked.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import inspect
import os
import time
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InvalidInput, UnknownName
from .loading import load, pick_threads, read_signature
from .padding import cut_back, stack
from .quiet import import_tensorflow
from .signature import Signature

Tensors = Mapping[str, np.ndarray]
# What TensorFlow raises for values that a model cannot work with; everything else is the model's own failure.
THE_REQUESTS_FAULT = ("InvalidArgumentError", "OutOfRangeError", "UnimplementedError", "ResourceExhaustedError")


def versions_in(folder: Path) -> dict[int, Path]:
    """Every numbered folder in `folder` that holds a SavedModel; zeros in front of a number mean nothing."""
    return {int(path.parent.name): path.parent for path in folder.glob("*/saved_model.pb")
            if path.parent.name.isdecimal()}


def latest_version(model_dir: str | os.PathLike[str]) -> tuple[int, Path]:
    """The newest numbered version in `model_dir`, or (1, `model_dir`) when that is a SavedModel itself.

    Raises `FileNotFoundError` that says what was looked for.
    """
    return find_version(model_dir, None)


def find_version(model_dir: str | os.PathLike[str], version: int | None) -> tuple[int, Path]:
    """`version` of what is in `model_dir`, the newest if it is None; raises `FileNotFoundError`."""
    folder = Path(model_dir)
    if (folder / "saved_model.pb").exists():
        return version or 1, folder
    versions = versions_in(folder)
    if not versions:
        raise FileNotFoundError(f"{folder}: expected saved_model.pb, or numbered folders that hold one")
    if version is not None and version not in versions:
        raise FileNotFoundError(f"{folder}: expected version {version} among {sorted(versions)}")
    number = max(versions) if version is None else version
    return number, versions[number]


class TensorFlowModel:
    """Loads a SavedModel and runs it on one batch at a time per calling thread.

    `model(items)` takes a list of requests (input name → array of k rows), runs them as one batch and returns a list
    of answers (output name → array of the same k rows) in the same order: what a `Batcher` calls. It may be called
    from several threads at once. Requests that cannot be put below each other (they differ in another dimension than
    the first, or the signature has no rows) run one after the other, so that each is answered as if it were alone.

    `model_dir` is a SavedModel or a folder of numbered versions of one; `version` chooses, the newest unless said.
    `threads` is how many cores one batch may use; `pick_threads` unless said otherwise.
    `padding` is a value that fills up rows of different lengths where the signature leaves a dimension open; such
    requests then share a batch, and open output dimensions are cut back. Without it nothing is ever padded: a model
    that does not know about padding would answer something else.
    Raises `FileNotFoundError` without a SavedModel in `model_dir` and `UnknownName` for a signature it has not.
    """

    def __init__(self, model_dir: str | os.PathLike[str], *, signature: str = "serving_default",
                 version: int | None = None, threads: int | None = None, padding: Any = None) -> None:
        self.version, self.path = find_version(model_dir, version)
        self.threads, self.padding = threads or pick_threads()[1], padding
        self.times: list[tuple[int, float]] = []
        self._tf = import_tensorflow()
        self._refusals = tuple(getattr(self._tf.errors, name) for name in THE_REQUESTS_FAULT)
        self._loaded = load(self.path, self.threads)
        self.signatures = {name: read_signature(self._tf, name, proto)
                           for name, proto in self._loaded.signatures.items()}
        self._choose(signature if signature in self.signatures or len(self.signatures) != 1
                     else next(iter(self.signatures)))

    def _choose(self, signature: str) -> None:
        self.signature = self.find_signature(signature)
        self._run = self._loaded.callable(self.signature)
        self._together = self.signature.batchable

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
        other._choose(name)
        return other

    def check(self, tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """`tensors` as arrays that the model accepts; raises `InvalidInput`. See `Signature.check`."""
        return self.signature.check(tensors, padding=self.padding)

    def key(self, tensors: Tensors) -> Hashable:
        """What a `Batcher` is given as `key`: requests with different keys could not share a call."""
        if not self._together or len(set(map(_rows, tensors.values()))) > 1:
            return object()                             # nobody's but its own
        if self.padding is not None or not self.signature.open_ended:
            return None
        return tuple(array.shape[1:] for array in tensors.values())

    def run(self, tensors: Tensors) -> dict[str, np.ndarray]:
        """One batch: arrays in, arrays out. Raises `InvalidInput` when the model refuses a value in it."""
        try:
            results = self._run(*[tensors[name] for name in self.signature.inputs])
        except self._refusals as error:
            raise InvalidInput(f"the model refuses this input: {_reason(error.message)}") from None
        return dict(zip(self.signature.outputs, results, strict=True))

    def __call__(self, items: Sequence[Tensors]) -> list[dict[str, np.ndarray]]:
        if len(items) == 1:
            return [self.run(items[0])]
        if not self._together:
            return [self.run(item) for item in items]
        try:
            batch = {name: np.concatenate([item[name] for item in items]) for name in self.signature.inputs}
        except ValueError:                              # they differ in another dimension than the first
            return self._padded(items) if self.padding is not None else [self.run(item) for item in items]
        return self._split(self.run(batch), items)

    def _padded(self, items: Sequence[Tensors]) -> list[dict[str, np.ndarray]]:
        batch = {}
        for name, spec in self.signature.inputs.items():
            arrays = [item[name] for item in items]
            if len({array.ndim for array in arrays}) > 1:
                return [self.run(item) for item in items]
            batch[name] = stack(arrays, spec.filler(self.padding))
        answers = self._split(self.run(batch), items)
        return [cut_back(answer, self.signature.outputs, item, batch)
                for answer, item in zip(answers, items, strict=True)]

    def _split(self, outputs: dict[str, np.ndarray], items: Sequence[Tensors]) -> list[dict[str, np.ndarray]]:
        rows = [rows_of(item) for item in items]
        total = sum(rows)
        if all(array.ndim and len(array) == total for array in outputs.values()):
            return split(outputs, rows)
        self._together = False      # its signature promised rows, and its answers have none
        return [self.run(item) for item in items]

    def warm_up(self, sizes: Sequence[int] = (1, 2, 4, 8, 16, 32, 64)) -> None:
        """Runs each batch size a few times, so that no request pays for first-time work; then shields the model from
        the garbage collector, which otherwise walks TensorFlow's objects for up to 200 ms in the middle of serving.

        The rows are zeros and empty strings; a model that refuses those is warmed up by its first requests. `times`
        then has (rows, seconds) of every run but the first of its size.
        """
        self.times = []
        with contextlib.suppress(InvalidInput, self._tf.errors.OpError):
            for size in sizes if self._together else (1,):
                batch = {name: spec.blank(size) for name, spec in self.signature.inputs.items()}
                self.run(batch)
                self.times += [(size, self._seconds(batch)) for _ in range(2)]
        gc.collect()
        gc.freeze()

    def _seconds(self, batch: Tensors) -> float:
        began = time.perf_counter()
        self.run(batch)
        return time.perf_counter() - began

    def metadata(self) -> dict[str, Any]:
        """The signatures in the form of TensorFlow Serving's metadata answer."""
        return {name: proto_as_json(proto) for name, proto in self._loaded.signatures.items()}

    def close(self) -> None:
        """Frees the session and its threads; calls that are running end first."""
        self._loaded.close()


def rows_of(item: Tensors) -> int:
    """How many rows a request has; what `Batcher(rows=…)` wants. A request without rows counts as one."""
    for array in item.values():
        return max(1, _rows(array))
    return 1


def _rows(array: np.ndarray) -> int:
    return array.shape[0] if array.ndim else 1


def split(outputs: Tensors, rows: Sequence[int]) -> list[dict[str, np.ndarray]]:
    """The batch's outputs cut into answers of `rows[0]`, `rows[1]`, … rows; views, not copies."""
    answers, start = [], 0
    for count in rows:
        answers.append({name: array[start:start + count] for name, array in outputs.items()})
        start += count
    return answers


def proto_as_json(proto: Any) -> dict[str, Any]:
    """A signature as TensorFlow Serving writes it: the names of the fields as they are, defaults written out."""
    from google.protobuf.json_format import MessageToDict

    written_out = inspect.signature(MessageToDict).parameters
    option = next(name for name in ("always_print_fields_with_no_presence", "including_default_value_fields")
                  if name in written_out)
    fields = MessageToDict(proto, preserving_proto_field_name=True, **{option: True})
    return {name: value for name, value in fields.items() if value or name != "defaults"}


def _reason(message: str) -> str:
    """The line of TensorFlow's message that speaks of the data, not of the graph."""
    lines = [line.strip() for line in message.splitlines()]
    return next((line for line in lines if line and not line.endswith(":") and "{{node" not in line), message[:200])
