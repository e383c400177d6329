"""TensorFlow Serving's REST API, as pure functions between JSON and tensors.

The words are TensorFlow Serving's: a request holds either `instances` (row format: a list with one entry a row) or
`inputs` (column format: a tensor, or an object of tensors); the answer holds `predictions` or `outputs` accordingly.
Its JSON may hold the tokens NaN, Infinity and -Infinity, here as there, although the JSON of the standards may not.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from .errors import InvalidInput
from .signature import Signature, decode_base64

ROWS, COLUMNS = "instances", "inputs"
NOT_NUMBERS = (b"NaN", b"Infinity")


def parse(body: bytes) -> dict[str, Any]:
    """The request as an object with `instances` or `inputs`; raises `InvalidInput` for anything else."""
    request = _loads(body)
    if not isinstance(request, dict):
        raise InvalidInput(f"expected a JSON object; got {_json_type(request)}")
    if (ROWS in request) == (COLUMNS in request):
        raise InvalidInput(f'expected either "{ROWS}" (a list of rows) or "{COLUMNS}" (columns); got {_keys(request)}')
    if b"b64" not in body:
        return request
    try:
        return decode_base64(request)
    except RecursionError:
        raise InvalidInput("expected tensors; got lists nested too deeply") from None


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not any(token in body for token in NOT_NUMBERS):
            raise InvalidInput(f"expected a JSON object; the body is not JSON: {error}") from None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"expected a JSON object; the body is not JSON: {error}") from None


def tensors(request: Mapping[str, Any], signature: Signature, padding: Any = None) -> dict[str, np.ndarray]:
    """The request's tensors, checked; raises `InvalidInput`. With `padding`, rows may be of different lengths.

    In column format, as in TensorFlow Serving, the inputs need not have the same number of rows.
    """
    try:
        if ROWS in request:
            return signature.check(_from_rows(request[ROWS], signature), padding=padding)
        return signature.check(_from_columns(request[COLUMNS], signature), padding=padding, aligned=False)
    except RecursionError:
        raise InvalidInput("expected tensors; got lists nested too deeply") from None


def answer(request: Mapping[str, Any], outputs: Mapping[str, np.ndarray]) -> bytes:
    """The answer's JSON in the request's own format."""
    columns = {name: _jsonable(name, array) for name, array in outputs.items()}
    if ROWS in request:
        content = {"predictions": _to_rows(columns)}
    else:
        content = {"outputs": next(iter(columns.values())) if len(columns) == 1 else columns}
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    # To look for one letter costs 0.1 µs in 5 kB, for four 3.4; and most answers have no u.
    return _with_tokens(content) if b"u" in body and b"null" in body else body


def error(sentence: str) -> bytes:
    return orjson.dumps({"error": sentence.encode("utf-8", "replace").decode()})


def _from_rows(rows: Any, signature: Signature) -> Mapping[str, Any]:
    if not isinstance(rows, list):
        raise InvalidInput(f'"{ROWS}": expected a list with one entry a row; got {_json_type(rows)}')
    if not rows:
        raise InvalidInput(f'"{ROWS}": expected at least one row; got an empty list')
    if not isinstance(rows[0], dict):
        return _sole_input(rows, signature)
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != rows[0].keys():
            raise InvalidInput(f'"{ROWS}"[{index}]: expected an object with {_keys(rows[0])}, like the first row')
    return {name: [row[name] for row in rows] for name in rows[0]}


def _from_columns(columns: Any, signature: Signature) -> Mapping[str, Any]:
    return columns if isinstance(columns, dict) else _sole_input(columns, signature)


def _sole_input(value: Any, signature: Signature) -> dict[str, Any]:
    if len(signature.inputs) != 1:
        raise InvalidInput(f"expected an object that names the inputs {sorted(signature.inputs)}; got unnamed values")
    return {next(iter(signature.inputs)): value}


def _to_rows(columns: Mapping[str, Any]) -> Any:
    counts = {len(column) if _has_rows(column) else -1 for column in columns.values()}
    if len(counts) > 1 or -1 in counts:
        raise InvalidInput(f'expected "{COLUMNS}" in the request: the outputs {sorted(columns)} of this model have '
                           "no rows in common, so there are none to answer")
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [{name: column[row] for name, column in columns.items()} for row in range(counts.pop())]


def _has_rows(column: Any) -> bool:
    return column.ndim > 0 if isinstance(column, np.ndarray) else isinstance(column, list)


def _jsonable(name: str, array: np.ndarray) -> Any:
    kind = array.dtype.kind
    if kind in "iufb":
        return array if array.flags.c_contiguous else np.ascontiguousarray(array)
    if kind == "O":
        return _texts(array.tolist(), as_base64=name.endswith("_bytes"))
    if kind == "V":                                     # bfloat16 and its like, which JSON's writer does not know
        return np.ascontiguousarray(array, np.float32)
    raise InvalidInput(f"output {name!r}: {array.dtype.name} has no form in JSON")


def _with_tokens(content: Any) -> bytes:
    """`content` with the tokens NaN, Infinity and -Infinity where orjson can only write null."""
    return json.dumps(content, default=lambda array: array.tolist(), separators=(",", ":")).encode()


def _texts(value: Any, as_base64: bool) -> Any:
    if isinstance(value, list):
        return [_texts(item, as_base64) for item in value]
    if not isinstance(value, bytes):
        value = str(value).encode()
    return {"b64": base64.b64encode(value).decode()} if as_base64 else value.decode(errors="replace")


def _keys(value: Mapping[str, Any]) -> str:
    """The keys of a client's object, shortened: an error is no place for a megabyte."""
    return f"{sorted(value)}" if len(str(sorted(value))) < 200 else f"{len(value)} others"


def _json_type(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a string", bytes: "a string", bool: "a boolean",
            type(None): "null"}.get(type(value), "a number")
