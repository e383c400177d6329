"""TensorFlow Serving's REST API, as pure functions between JSON and tensors.

The words are TensorFlow Serving's: a request holds either `instances` (row format: a list with one entry a row) or
`inputs` (column format: a tensor, or an object of tensors); the answer holds `predictions` or `outputs` accordingly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from .errors import InvalidInput
from .signature import Signature, decode_base64

ROWS, COLUMNS = "instances", "inputs"


def parse(body: bytes) -> dict[str, Any]:
    """The request as an object with `instances` or `inputs`; raises `InvalidInput` for anything else."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"expected a JSON object; the body is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise InvalidInput(f"expected a JSON object; got {_json_type(request)}")
    if (ROWS in request) == (COLUMNS in request):
        raise InvalidInput(f'expected either "{ROWS}" (a list of rows) or "{COLUMNS}" (columns); got {sorted(request)}')
    if b'"b64"' in body:
        return decode_base64(request)
    return request


def tensors(request: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """The request's tensors, checked; raises `InvalidInput`."""
    named = _from_rows(request[ROWS], signature) if ROWS in request else _from_columns(request[COLUMNS], signature)
    return signature.check(named)


def answer(request: Mapping[str, Any], outputs: Mapping[str, np.ndarray]) -> bytes:
    """The answer's JSON in the request's own format."""
    if ROWS in request:
        return orjson.dumps({"predictions": _to_rows(outputs)}, option=orjson.OPT_SERIALIZE_NUMPY)
    columns = {name: _jsonable(name, array) for name, array in outputs.items()}
    value = next(iter(columns.values())) if len(columns) == 1 else columns
    return orjson.dumps({"outputs": value}, option=orjson.OPT_SERIALIZE_NUMPY)


def error(sentence: str) -> bytes:
    return orjson.dumps({"error": sentence})


def _from_rows(rows: Any, signature: Signature) -> dict[str, Any]:
    if not isinstance(rows, list):
        raise InvalidInput(f'"{ROWS}": expected a list with one entry a row; got {_json_type(rows)}')
    if not rows:
        raise InvalidInput(f'"{ROWS}": expected at least one row; got an empty list')
    if not isinstance(rows[0], dict):
        return _sole_input(rows, signature)
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != rows[0].keys():
            raise InvalidInput(f'"{ROWS}"[{index}]: expected an object with {sorted(rows[0])}, like the first row')
    return {name: [row[name] for row in rows] for name in rows[0]}


def _from_columns(columns: Any, signature: Signature) -> dict[str, Any]:
    return columns if isinstance(columns, dict) else _sole_input(columns, signature)


def _sole_input(value: Any, signature: Signature) -> dict[str, Any]:
    if len(signature.inputs) != 1:
        raise InvalidInput(f"expected an object that names the inputs {sorted(signature.inputs)}; got unnamed values")
    return {next(iter(signature.inputs)): value}


def _to_rows(outputs: Mapping[str, np.ndarray]) -> Any:
    columns = {name: _jsonable(name, array) for name, array in outputs.items()}
    if len(columns) == 1:
        return next(iter(columns.values()))
    count = len(next(iter(columns.values())))
    return [{name: column[row] for name, column in columns.items()} for row in range(count)]


def _jsonable(name: str, array: np.ndarray) -> Any:
    if array.dtype.kind != "O":
        return np.ascontiguousarray(array)
    return _texts(array.tolist(), as_base64=name.endswith("_bytes"))


def _texts(value: Any, as_base64: bool) -> Any:
    import base64

    if isinstance(value, list):
        return [_texts(item, as_base64) for item in value]
    return {"b64": base64.b64encode(value).decode()} if as_base64 else value.decode(errors="replace")


def _json_type(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}.get(
        type(value), "a number")
