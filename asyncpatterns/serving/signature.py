"""A model's signature as plain data, and the check of a request's tensors against it.

Nothing here needs TensorFlow: a spec is a name, a NumPy dtype and a shape. Everything that reaches the model has gone
through `Signature.check`, so that a request that cannot be run is refused before it can share a batch with others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InvalidInput

KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "iuf", "c": "iufc"}       # which kinds of numbers may become which
WORDS = {"b": "booleans", "i": "integers", "u": "unsigned integers", "f": "numbers", "c": "complex numbers"}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model: `shape` counts the batch dimension and has None where any size will do."""

    name: str
    dtype: np.dtype[Any]                     # object for strings, which are bytes to TensorFlow
    shape: tuple[int | None, ...] | None     # None: any rank
    tensor: str = ""                         # its name inside the graph

    def __str__(self) -> str:
        sizes = "?" if self.shape is None else ",".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} {self.type_name}[{sizes}]"

    @property
    def type_name(self) -> str:
        return "string" if self.dtype.kind == "O" else self.dtype.name

    def blank(self, rows: int) -> np.ndarray:
        """`rows` rows of zeros or empty strings; a dimension of any size has size 1."""
        shape = (rows, *(1 if size is None else size for size in (self.shape or (None,))[1:]))
        return np.full(shape, b"", dtype=object) if self.dtype.kind == "O" else np.zeros(shape, self.dtype)

    def check(self, value: Any) -> np.ndarray:
        """The array for `value`, a nested list or an array of one row or more.

        Raises `InvalidInput` that names this input, what came and what was expected.
        """
        array = self._strings(value) if self.dtype.kind == "O" else self._numbers(value)
        self._check_shape(array)
        return array

    def _numbers(self, value: Any) -> np.ndarray:
        try:
            array = np.asarray(value)
        except (ValueError, OverflowError):
            raise self._refusal("rows of different lengths") from None
        if array.dtype == self.dtype:
            return array
        if array.dtype.kind not in KINDS[self.dtype.kind] and array.size:
            raise self._refusal(_what_is(array))
        return self._converted(array)

    def _converted(self, array: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            converted = array.astype(self.dtype)
        if self.dtype.kind in "iu" and not np.array_equal(converted, array):
            raise self._refusal(f"a number that {self.dtype.name} cannot hold")
        return converted

    def _strings(self, value: Any) -> np.ndarray:
        if isinstance(value, np.ndarray) and value.dtype.kind == "O":
            return value
        nested = self._as_bytes(value)
        array = np.empty(_nested_shape(nested), dtype=object)
        try:
            array[...] = nested
        except ValueError:
            raise self._refusal("rows of different lengths") from None
        return array

    def _as_bytes(self, value: Any) -> Any:
        if isinstance(value, list | tuple | np.ndarray):
            return [self._as_bytes(item) for item in value]
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, bytes):
            return value
        raise self._refusal(f"{_what_is(np.asarray(value, dtype=object))} among the strings")

    def _check_shape(self, array: np.ndarray) -> None:
        if self.shape is None:
            return
        fits = array.ndim == len(self.shape) and all(
            want is None or want == got for want, got in zip(self.shape, array.shape, strict=True))
        if not fits:
            raise self._refusal(f"the shape {list(array.shape)}")

    def _refusal(self, came: str) -> InvalidInput:
        if self.shape is None:
            shape = "any shape"
        else:
            shape = f"the shape [{', '.join('any' if size is None else str(size) for size in self.shape)}]"
        what = "strings" if self.dtype.kind == "O" else f"{WORDS[self.dtype.kind]} ({self.dtype.name})"
        return InvalidInput(f"input {self.name!r}: expected {what} of {shape}, rows first; got {came}")


@dataclass(frozen=True, slots=True)
class Signature:
    """A named way to call a model: which tensors go in and which come out."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method: str = "tensorflow/serving/predict"

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.inputs.values()))} → {', '.join(map(str, self.outputs.values()))}"

    def check(self, tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """`tensors` (input name → rows) as arrays that this signature accepts, all of the same number of rows.

        Raises `InvalidInput` for a missing or unknown input, a wrong type or shape, no rows, or unequal rows.
        """
        if tensors.keys() != self.inputs.keys():
            raise InvalidInput(f"expected the inputs {sorted(self.inputs)}; got {sorted(tensors)}")
        arrays = {name: spec.check(tensors[name]) for name, spec in self.inputs.items()}
        rows = {array.shape[0] if array.ndim else 0 for array in arrays.values()}
        if rows == {0}:
            raise InvalidInput("expected at least one row; got none")
        if len(rows) > 1:
            sizes = {name: array.shape[0] for name, array in arrays.items()}
            raise InvalidInput(f"expected the same number of rows in every input; got {sizes}")
        return arrays


def decode_base64(value: Any) -> Any:
    """`value` with every `{"b64": "…"}` in it replaced by the bytes it stands for."""
    if isinstance(value, dict):
        if value.keys() == {"b64"}:
            return _from_base64(value["b64"])
        return {key: decode_base64(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode_base64(item) for item in value]
    return value


def _from_base64(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise InvalidInput(f'expected {{"b64": "…"}} with base64 text; got {text!r:.60}') from None


def _nested_shape(value: Any) -> tuple[int, ...]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _what_is(array: np.ndarray) -> str:
    if array.dtype.kind == "O":
        first = next((item for item in array.flat if not isinstance(item, int | float)), None)
        if first is None:
            return "null" if None in array.flat else "a number too large for any type"
        return f"a {type(first).__name__}"
    return {"U": "strings", "S": "bytes", "b": "booleans", "f": "numbers with a fraction"}.get(
        array.dtype.kind, array.dtype.name)
