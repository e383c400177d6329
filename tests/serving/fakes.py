"""A model without TensorFlow, and an ASGI client without sockets."""

import json
from collections.abc import Sequence

import numpy as np

from asyncpatterns.serving import Signature, TensorSpec, UnknownName

PAIR = TensorSpec("pair", np.dtype("int32"), (None, 2))
TOTAL = TensorSpec("total", np.dtype("int32"), (None,))


class AddingModel:
    """Adds the two numbers of each row; remembers how many rows each batch had. A sum of 13 breaks its batch."""

    version, threads, padding, times = 3, 1, None, ()

    def __init__(self):
        self.signature = Signature("serving_default", {"pair": PAIR}, {"total": TOTAL})
        self.signatures = {"serving_default": self.signature}
        self.batches = []

    def with_signature(self, name):
        raise UnknownName(f"no signature {name!r}; this model has {sorted(self.signatures)}")

    def key(self, item):
        return None

    def metadata(self):
        return {"serving_default": {"method_name": self.signature.method}}

    async def __call__(self, items: Sequence):
        totals = [item["pair"].sum(axis=1) for item in items]
        self.batches.append(sum(map(len, totals)))
        if any(13 in total for total in totals):
            raise ZeroDivisionError("thirteen")
        return [{"total": total} for total in totals]


async def call(app, method, path, body=b"", *, headers=(), chunks=None):
    """(status, headers, decoded body) of one request to an ASGI application."""
    parts = list(chunks) if chunks is not None else [body]
    sent = []

    async def receive():
        if not parts:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message):
        sent.append(message)

    length = [] if chunks is not None else [(b"content-length", str(len(body)).encode())]
    await app({"type": "http", "method": method, "path": path, "headers": [*length, *headers]}, receive, send)
    if not sent:
        return None
    text = sent[1]["body"]
    start = sent[0]
    names = dict(start["headers"])
    return start["status"], names, json.loads(text) if names[b"content-type"] == b"application/json" else text.decode()
