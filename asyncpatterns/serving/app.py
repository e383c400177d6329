"""TensorFlow Serving's REST API as an ASGI application: run it by itself, or mount it in a program of your own.

Plain ASGI and no framework, because it was measured: a framework's routing and serialising cost more here than the
model does in a batch. Whatever a client sends, the answer is a status and a JSON object; only overload is a 503.

`ServingApp.answer` is the whole surface as a function of method, path and body; `__call__` is its ASGI face, and
`serving.http` serves it without one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, NamedTuple, Protocol

import orjson

from asyncpatterns import Batcher, BatcherClosed, DeadlineExceeded, Overloaded
from asyncpatterns.batching.call import Call

from . import protocol
from .errors import BodyTooLarge, InvalidInput, UnknownName
from .metrics import prometheus

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON: Headers = [(b"content-type", b"application/json")]
TEXT: Headers = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
CLOSE = (b"connection", b"close")
READ, ASK = (b"allow", b"GET, HEAD"), (b"allow", b"POST")
MODEL_PATH = re.compile(r"/v1/models/(?P<name>[^/:]+)(/versions/(?P<version>[0-9]{1,19})|/labels/(?P<label>[^/:]+))?"
                        r"(?P<what>:\w+|/metadata)?$")
log = logging.getLogger(__name__)


class Served(Protocol):
    """What the application needs of a deployment; `Deployment` and `Versions` have it."""

    name: str

    @property
    def version(self) -> int: ...
    @property
    def ready(self) -> bool: ...
    @property
    def batchers(self) -> Mapping[str, Batcher]: ...

    async def __aenter__(self) -> Any: ...
    async def __aexit__(self, *exc_info: object) -> None: ...
    async def predict(self, body: bytes, version: int | None = None) -> bytes: ...
    def submit(self, body: bytes, version: int | None = None) -> tuple[Mapping[str, Any], Call]: ...
    def status(self, version: int | None = None) -> Any: ...
    def metadata(self, version: int | None = None) -> Any: ...


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Headers = JSON


class Cancellable(Protocol):
    def cancel(self) -> Any: ...


class ClientLeft(Exception):
    """The connection closed before the request was whole."""


class ServingApp:
    """`POST /v1/models/NAME[/versions/N]:predict`, `GET /v1/models/NAME[/versions/N][/metadata]`, `GET /metrics`,
    `/healthz` (this process lives) and `/readyz` (and a model can be asked).

    An ASGI application. It starts and drains its deployment with ASGI's lifespan events. A program that mounts it and
    does not pass them on (Starlette and FastAPI do not) enters `async with app:` in its own lifespan. `max_body`
    bounds a request's body in bytes.
    """

    def __init__(self, deployment: Served, *, max_body: int = 4 * 1024 * 1024) -> None:
        self.deployment, self.max_body = deployment, max_body
        self.answers: Counter[int] = Counter()          # by status
        self.stopping = False
        self._predict = f"/v1/models/{deployment.name}:predict"

    def __repr__(self) -> str:
        return f"<ServingApp {self.deployment!r}: {self.answers.total():,} answers>"

    async def __aenter__(self) -> ServingApp:
        await self.deployment.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.stopping = True
        await self.deployment.__aexit__(*exc_info)

    # --- ASGI ---

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":              # a handshake that is closed is refused with 403
            await send({"type": "websocket.close", "code": 1000})
        else:
            raise ValueError(f"expected an http or lifespan connection; got {scope['type']!r}")

    async def _http(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            answer = await self._asgi_answer(scope, receive)
        except ClientLeft:
            return
        headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body if scope["method"] != "HEAD" else b""})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.__aenter__()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})

    async def _asgi_answer(self, scope: MutableMapping[str, Any], receive: Receive) -> Answer:
        path, mounted_at = scope["path"], scope.get("root_path", "")
        if mounted_at and path.startswith(mounted_at):
            path = path[len(mounted_at):]
        try:
            body = await self._body(scope, receive) if scope["method"] not in ("GET", "HEAD") else b""
        except BodyTooLarge as error:
            return self.refusal(413, str(error), close=True)
        return await self.answer(scope["method"], path, body)

    async def _body(self, scope: MutableMapping[str, Any], receive: Receive) -> bytes:
        length = next((value for key, value in scope["headers"] if key == b"content-length"), b"")
        self._check_size(int(length) if length.isdigit() else 0)
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            self._check_size(size)
            more = message.get("more_body", False)
        return b"".join(parts)

    def _check_size(self, size: int) -> None:
        if size > self.max_body:
            raise BodyTooLarge(too_large(self.max_body, size))

    # --- the surface ---

    async def answer(self, method: str, path: str, body: bytes) -> Answer:
        """The answer to a request whose body is whole and no longer than `max_body`; `path` is without its query.

        Never raises but when it is cancelled, which takes the request out of its batcher's queue.
        """
        try:
            if method == "POST" and path == self._predict:
                answer = Answer(200, await self.deployment.predict(body))
            else:
                answer = await self._route(method, path, body)
        except Exception as error:
            answer = _failure(error)
        self.answers[answer.status] += 1
        return answer

    def start(self, method: str, path: str, body: bytes, then: Callable[[Answer], object]) -> Cancellable:
        """As `answer`, for a server that has many requests at once: a prediction costs no task. `then` gets the answer,
        never before this has returned, and not at all when what is returned has been cancelled.
        """
        if method == "POST" and path == self._predict:
            return self._start_prediction(body, then)
        task = asyncio.get_running_loop().create_task(self.answer(method, path, body))
        task.add_done_callback(lambda task: None if task.cancelled() else then(task.result()))
        return task

    def _start_prediction(self, body: bytes, then: Callable[[Answer], object]) -> Cancellable:
        try:
            request, call = self.deployment.submit(body)
        except Exception as error:
            answer = _failure(error)
            self.answers[answer.status] += 1
            return asyncio.get_running_loop().call_soon(then, answer)
        call.add_done_callback(partial(self._end, request, then))
        return call

    def _end(self, request: Mapping[str, Any], then: Callable[[Answer], object], call: Call) -> None:
        try:
            answer = Answer(200, protocol.answer(request, call.result()))
        except asyncio.CancelledError:
            return
        except Exception as error:
            answer = _failure(error)
        self.answers[answer.status] += 1
        then(answer)

    def refusal(self, status: int, sentence: str, *, close: bool = False) -> Answer:
        """An answer that needed no look at the model; `close` says that the connection ends with it."""
        self.answers[status] += 1
        return Answer(status, protocol.error(sentence), [*JSON, CLOSE] if close else JSON)

    async def _route(self, method: str, path: str, body: bytes) -> Answer:
        reading = method in ("GET", "HEAD")
        if path == "/metrics" and reading:
            return Answer(200, prometheus(self).encode(), TEXT)
        if path in ("/healthz", "/readyz") and reading:
            return self._health(path)
        version, what = self._find(path)
        if what == ":predict":
            if method == "POST":
                return Answer(200, await self.deployment.predict(body, version))
            return Answer(405, protocol.error(f"{path} takes POST with a JSON body; got {method}"), [*JSON, ASK])
        if what not in (None, "/metadata"):
            raise UnknownName(f"{what} is not served here; what is: :predict")
        if not reading:
            sentence = f"{path} does not take {method}; predictions are POST …:predict"
            return Answer(405, protocol.error(sentence), [*JSON, READ])
        answer = self.deployment.metadata(version) if what else self.deployment.status(version)
        return Answer(200, orjson.dumps(answer, option=orjson.OPT_INDENT_2))

    def _health(self, path: str) -> Answer:
        if path == "/healthz" or (self.deployment.ready and not self.stopping):
            return Answer(200, b'{"status": "ok"}')
        return Answer(503, protocol.error("stopping" if self.stopping else "no model is loaded yet"))

    def _find(self, path: str) -> tuple[int | None, str | None]:
        """(version, what) that `path` asks for; raises `UnknownName`."""
        match, name = MODEL_PATH.match(path), self.deployment.name
        if match is None:
            raise UnknownName(f"nothing at {path:.200}; try GET /v1/models/{name}")
        version = int(match["version"]) if match["version"] else None
        if match["name"] != name:
            raise UnknownName(f"{_not_found(match['name'][:200], version, match['what'])}; this server serves {name!r}")
        if match["label"]:
            raise UnknownName(f"Unrecognized servable version label: {match['label']:.200}; this server has no labels")
        return version, match["what"]


def too_large(limit: int, size: int) -> str:
    return f"expected a body of at most {limit:,} bytes; this one has {size:,} or more"


def _not_found(name: str, version: int | None, what: str | None) -> str:
    """What TensorFlow Serving says of a model that it does not have."""
    if what is None:
        return f"Could not find {'any versions' if version is None else f'version {version}'} of model {name}"
    wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return f"Servable not found for request: {wanted}"


def _failure(error: Exception) -> Answer:
    if isinstance(error, InvalidInput | UnknownName | Overloaded | DeadlineExceeded | BatcherClosed):
        return _refusal_of(error)
    log.error("a request failed inside the model", exc_info=error)
    return Answer(500, protocol.error("the model failed on this request; the server's log has the details"))


def _refusal_of(error: Exception) -> Answer:
    if isinstance(error, InvalidInput):
        return Answer(400, protocol.error(str(error)))
    if isinstance(error, UnknownName):
        return Answer(404, protocol.error(str(error)))
    if isinstance(error, Overloaded):
        if error.retry_after == math.inf:               # more rows than will ever be let in
            return Answer(413, protocol.error(f"expected at most {error.room:,.0f} rows in one request"))
        wait = max(1, math.ceil(error.retry_after))
        return Answer(503, protocol.error(f"overloaded: {error}"), [*JSON, (b"retry-after", b"%d" % wait)])
    return Answer(503, protocol.error(str(error)), [*JSON, (b"retry-after", b"1")])
