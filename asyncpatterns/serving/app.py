"""TensorFlow Serving's REST API as an ASGI application: run it by itself, or mount it in a program of your own.

Plain ASGI and no framework, because it was measured: a framework's routing and serialising cost more here than the
model does in a batch. Whatever a client sends, the answer is a status and a JSON object; only overload is a 503.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from asyncpatterns import BatcherClosed, DeadlineExceeded, Overloaded

from . import protocol
from .deployment import Deployment
from .errors import BodyTooLarge, InvalidInput, UnknownName
from .metrics import prometheus

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
CLOSE = (b"connection", b"close")
MODEL_PATH = re.compile(r"/v1/models/(?P<name>[^/:]+)(/versions/(?P<version>\d+))?(?P<what>:predict|/metadata)?$")
log = logging.getLogger(__name__)


class ClientLeft(Exception):
    """The connection closed before the request was whole."""


class ServingApp:
    """`POST /v1/models/NAME[/versions/N]:predict`, `GET /v1/models/NAME[/metadata]`, `GET /metrics`, `GET /healthz`.

    The application starts and drains the deployment with ASGI's lifespan events; where it is mounted in a program
    that does not pass them on, enter `async with deployment` there. `max_body` bounds a request's body in bytes.
    """

    def __init__(self, deployment: Deployment, *, max_body: int = 4 * 1024 * 1024) -> None:
        self.deployment, self.max_body = deployment, max_body

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        if scope["type"] != "http":
            raise ValueError(f"expected an http or lifespan connection; got {scope['type']!r}")
        try:
            status, body, headers = await self._answer(scope, receive)
        except ClientLeft:
            return None
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})
        return None

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.deployment:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive) -> Answer:
        try:
            return await self._route(scope, receive)
        except InvalidInput as error:
            return 400, protocol.error(str(error)), [JSON]
        except UnknownName as error:
            return 404, protocol.error(str(error)), [JSON]
        except BodyTooLarge as error:
            return 413, protocol.error(str(error)), [JSON, CLOSE]
        except Overloaded as error:
            wait = str(max(1, math.ceil(error.retry_after))).encode()
            return 503, protocol.error(f"overloaded: {error}"), [JSON, (b"retry-after", wait)]
        except (DeadlineExceeded, BatcherClosed) as error:
            return 503, protocol.error(str(error)), [JSON, (b"retry-after", b"1")]
        except (ClientLeft, MemoryError):
            raise
        except Exception:
            log.exception("a request failed inside the model")
            return 500, protocol.error("the model failed on this request; the server's log has the details"), [JSON]

    async def _route(self, scope: MutableMapping[str, Any], receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        if method == "POST" and path.endswith(":predict"):
            self._find(path)
            return 200, await self.deployment.predict(await self._body(scope, receive)), [JSON]
        if method not in ("GET", "HEAD"):
            self._find(path)
            return 405, protocol.error(f"{path} does not take {method}; predictions are POST …:predict"), [JSON]
        return self._get(path)

    def _get(self, path: str) -> Answer:
        if path == "/metrics":
            return 200, prometheus(self.deployment).encode(), [TEXT]
        if path == "/healthz":
            return 200, b'{"status": "ok"}', [JSON]
        what = self._find(path)
        if what == ":predict":
            return 405, protocol.error(f"{path} takes POST with a JSON body"), [JSON]
        answer = self.deployment.metadata() if what else self.deployment.status()
        return 200, orjson.dumps(answer), [JSON]

    def _find(self, path: str) -> str | None:
        match = MODEL_PATH.match(path)
        if match is None:
            raise UnknownName(f"nothing at {path}; try GET /v1/models/{self.deployment.name}")
        if match["name"] != self.deployment.name:
            raise UnknownName(f"no model {match['name']!r} here; this server serves {self.deployment.name!r}")
        version = self.deployment.model.version
        if match["version"] and int(match["version"]) != version:
            raise UnknownName(f"no version {match['version']} of {self.deployment.name!r}; version {version} is served")
        return match["what"]

    async def _body(self, scope: MutableMapping[str, Any], receive: Receive) -> bytes:
        length = next((int(value) for key, value in scope["headers"] if key == b"content-length"), 0)
        self._check_size(length)
        message = await receive()
        body = message.get("body", b"")
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
            self._check_size(len(body))
        if message["type"] == "http.disconnect":
            raise ClientLeft
        return body

    def _check_size(self, size: int) -> None:
        if size > self.max_body:
            raise BodyTooLarge(f"expected a body of at most {self.max_body:,} bytes; this one has {size:,} or more")
