"""A model's signature as plain data, and the check of a request's tensors against it.

Nothing here needs TensorFlow: a spec is a name, a NumPy dtype and a shape. Everything that reaches the model has gone
through `Signature.check`, so that a request that cannot be run is refused before it can share a batch with others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np

from .errors import InvalidInput

KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "iuf", "c": "iufc"}       # which kinds of numbers may become which
MOST_DIMENSIONS, MOST_VALUES = 32, 4e6         # of what a few ragged rows may be filled up to
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
        """`rows` rows of zeros or empty strings; another dimension of any size has size 1."""
        sizes = (None,) if self.shape is None else self.shape
        shape = [1 if size is None else size for size in sizes]
        if self.has_rows:
            shape[0] = rows
        return np.full(shape, self.zero, self.dtype)

    @property
    def zero(self) -> Any:
        return b"" if self.dtype.kind == "O" else self.dtype.type(0)

    @property
    def has_rows(self) -> bool:
        """Whether its first dimension is one of any size, along which requests can be put below each other."""
        return self.shape is None or (len(self.shape) > 0 and self.shape[0] is None)

    def check(self, value: Any, padding: Any = None) -> np.ndarray:
        """The array for `value`, a nested list or an array. `padding` fills rows up that are of different lengths.

        Raises `InvalidInput` that names this input, what came and what was expected.
        """
        array = self._strings(value, padding) if self.dtype.kind == "O" else self._numbers(value, padding)
        self._check_shape(array)
        return array

    def _numbers(self, value: Any, padding: Any) -> np.ndarray:
        try:
            array = np.asarray(value)
        except (ValueError, OverflowError):
            if padding is None:
                raise self._refusal("rows of different lengths") from None
            array = np.asarray(self._filled(value, padding))
        if array.dtype == self.dtype:
            return array
        if array.dtype.kind not in KINDS.get(self.dtype.kind, "iuf") and array.size:
            raise self._refusal(_what_is(array))
        return self._converted(array)

    def _converted(self, array: np.ndarray) -> np.ndarray:
        if self.dtype.kind in "iu":
            converted = array.astype(self.dtype)
            if not _same(converted, array):
                raise self._refusal(f"a number that {self.dtype.name} cannot hold")
            return converted
        with np.errstate(all="ignore"):
            return array.astype(self.dtype)

    def _strings(self, value: Any, padding: Any) -> np.ndarray:
        if isinstance(value, np.ndarray) and value.dtype.kind == "O":
            return value
        nested = self._as_bytes(value)
        if padding is not None:
            nested = self._filled(nested, padding)
        try:
            array = np.empty(_nested_shape(nested), dtype=object)
            array[...] = nested
        except ValueError:
            raise self._refusal("rows of different lengths") from None
        return array

    def _filled(self, nested: Any, padding: Any) -> Any:
        shape = _longest(nested)
        if len(shape) > MOST_DIMENSIONS or np.prod(shape, dtype=float) > MOST_VALUES:
            raise self._refusal(f"rows whose longest would make the shape {list(shape)}")
        return _fill_up(nested, shape, self.filler(padding))

    def filler(self, padding: Any) -> Any:
        """`padding` where it is of this input's kind; else a zero or an empty string."""
        return padding if isinstance(padding, bytes | str) == (self.dtype.kind == "O") else self.zero

    def _as_bytes(self, value: Any) -> Any:
        if isinstance(value, list | tuple | np.ndarray):
            return [self._as_bytes(item) for item in value]
        if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
        if isinstance(value, bytes):
            return value
        raise self._refusal(f"{_what_is_one(value)} among the strings")

    def _check_shape(self, array: np.ndarray) -> None:
        if self.shape is None or (self.has_rows and array.ndim and array.shape[1:] == self.shape[1:]):
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
        what = "strings" if self.dtype.kind == "O" else f"{WORDS.get(self.dtype.kind, 'numbers')} ({self.dtype.name})"
        rows = ", rows first" if self.has_rows else ""
        return InvalidInput(f"input {self.name!r}: expected {what} of {shape}{rows}; got {came}")


@dataclass(frozen=True, slots=True)
class Signature:
    """A named way to call a model: which tensors go in and which come out."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method: str = "tensorflow/serving/predict"
    batchable: bool = field(init=False)     # whether requests can share a call: every input and output has rows
    open_ended: bool = field(init=False)    # whether two requests may differ in more than their number of rows

    def __post_init__(self) -> None:
        inputs, outputs = self.inputs.values(), self.outputs.values()
        object.__setattr__(self, "batchable", all(spec.has_rows for spec in (*inputs, *outputs)))
        object.__setattr__(self, "open_ended", any(spec.shape is None or None in spec.shape[1:] for spec in inputs))

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.inputs.values()))} → {', '.join(map(str, self.outputs.values()))}"

    def check(self, tensors: Mapping[str, Any], *, padding: Any = None, aligned: bool = True) -> dict[str, np.ndarray]:
        """`tensors` (input name → rows) as arrays that this signature accepts.

        Raises `InvalidInput` for a missing or unknown input, a wrong type or shape and, where requests can share a
        call, no rows; with `aligned` also for inputs that differ in their number of rows. `padding` is the value that
        fills up rows of different lengths, which are refused without it.
        """
        if tensors.keys() != self.inputs.keys():
            raise InvalidInput(f"expected the inputs {sorted(self.inputs)}; got {_names(tensors)}")
        arrays = {name: spec.check(tensors[name], padding) for name, spec in self.inputs.items()}
        if self.batchable:
            self._check_rows(arrays, aligned)
        return arrays

    def _check_rows(self, arrays: Mapping[str, np.ndarray], aligned: bool) -> None:
        rows = {array.shape[0] if array.ndim else 0 for array in arrays.values()}
        if rows == {0}:
            raise InvalidInput("expected at least one row; got none")
        if len(rows) > 1 and aligned:
            sizes = {name: array.shape[0] if array.ndim else None for name, array in arrays.items()}
            raise InvalidInput(f"expected the same number of rows in every input; got {sizes}")


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


def _longest(value: Any) -> tuple[int, ...]:
    """The shape that has room for every list in `value`."""
    if not isinstance(value, list):
        return ()
    return (len(value), *_widest([_longest(item) for item in value]))


def _widest(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(max, zip_longest(*shapes, fillvalue=0)))


def _fill_up(value: Any, shape: tuple[int, ...], fill: Any) -> Any:
    if not shape:
        return value
    if not isinstance(value, list):
        return value                                    # a value among lists; the check of shapes will say so
    missing = shape[0] - len(value)
    rows = [_fill_up(item, shape[1:], fill) for item in value]
    return rows + [_fill_up([], shape[1:], fill) if shape[1:] else fill for _ in range(missing)]


def _same(converted: np.ndarray, array: np.ndarray) -> bool:
    """Whether the integers in both are equal. Of a wider type they can be made again; comparing bytes costs a third."""
    if converted.itemsize < array.itemsize:
        return converted.astype(array.dtype).tobytes() == array.tobytes()
    return bool((converted == array).all())


def _names(tensors: Mapping[str, Any]) -> str:
    return f"{sorted(tensors)}" if len(tensors) < 20 else f"{len(tensors)} others"


def _what_is(array: np.ndarray) -> str:
    if array.dtype.kind == "O":
        first = next((item for item in array.flat if not isinstance(item, int | float)), None)
        if first is None:
            return "null" if None in array.flat else "a number too large for any type"
        return f"a {type(first).__name__}"
    return {"U": "strings", "S": "bytes", "b": "booleans",
            "f": "numbers with a fraction or an exponent, or too large ones"}.get(array.dtype.kind, array.dtype.name)


def _what_is_one(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if value is None or isinstance(value, int | float):
        return "null" if value is None else "a number"
    return f"a {type(value).__name__}"
