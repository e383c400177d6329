"""An HTTP/1.1 server for one `ServingApp`: httptools' parser over asyncio's sockets, and limits for its clients.

Beside uvicorn, which serves the same application as ASGI, because it was measured (benchmarks/README.md): a request
costs a quarter less of the event loop, and uvicorn has no limit for a client that sends its request a byte a minute.

Invariants
    1. A connection answers its requests one at a time, in the order they came; while one is being answered and others
       wait, nothing more is read from it.
    2. At every moment a connection waits for exactly one thing and `deadline` says until when: the client (for a whole
       request, for the next one, to read its answer, to go away), or the model, which has no deadline here.
    3. What belongs to a request is bounded: `max_header` and `max_body` bytes before it is whole, a socket's read and
       `WRITE_BUFFER` after.
    4. A request whose client is gone is cancelled, so that it leaves the queue. A client that has said its last byte
       is gone, as with Go's server: nothing tells one that only closed its own direction from one that left.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import unquote

import httptools

from .app import JSON, Answer, Cancellable, ServingApp, too_large

WRITE_BUFFER = 256 * 1024
LINGER = 2.0                    # seconds in which a refused client may finish sending, so that it reads why
A_MOMENT = 0.05                 # seconds for what clients have sent already and we have not read yet
WAITING_ROOM = 128              # connections
DISCARD = 64 * 1024 * 1024      # bytes that it may send meanwhile
REASONS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSES, GOES_ON, STAYS = range(3)     # what becomes of a connection; STAYS: to be said, for a client of HTTP/1.0
SAYS = {CLOSES: b"connection: close\r\n\r\n", GOES_ON: b"\r\n", STAYS: b"connection: keep-alive\r\n\r\n"}
Request = tuple[str, str, bytes, int]       # method, path, body, what becomes of the connection


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one server. Times are in seconds, sizes in bytes.

    `request_timeout`: from a request's first byte to its last, and for reading an answer; `keep_alive`: between two
    requests; `max_header`: the request line and all headers; `max_connections`: one more is told to come back (503).
    """

    max_connections: int = 1024
    max_header: int = 16 * 1024
    request_timeout: float = 10.0
    keep_alive: float = 75.0


class HTTPServer:
    """`async with HTTPServer(app, listener) as server:` serves `app` on the listening socket.

    Leaving the block takes no new connections, answers every request that has begun to arrive (of those behind another
    one on their connection: that is whole), the last with `Connection: close`, and returns when all connections are
    closed, or after `grace` seconds, when it cuts them.
    """

    def __init__(self, app: ServingApp, listener: socket.socket, *, limits: Limits | None = None,
                 grace: float = 30.0) -> None:
        self.app, self.listener, self.limits, self.grace = app, listener, limits or Limits(), grace
        self.connections: set[Connection] = set()
        self.refused = 0
        self.stopping = False
        self._sweeper: asyncio.TimerHandle | None = None
        self._empty: asyncio.Future[None] | None = None
        self._date = (0, b"")

    def __repr__(self) -> str:
        state = "stopping, " if self.stopping else ""
        return f"<HTTPServer {state}{len(self.connections)}/{self.limits.max_connections} connections>"

    async def __aenter__(self) -> HTTPServer:
        self.loop = asyncio.get_running_loop()
        self._server = await self.loop.create_server(lambda: Connection(self), sock=self.listener, backlog=2048)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        self.stopping = self.app.stopping = True
        self._server.close()
        await asyncio.sleep(A_MOMENT)
        for connection in list(self.connections):
            connection.stop()
        if self.connections:
            self._empty = self.loop.create_future()
            await asyncio.wait([self._empty], timeout=self.grace)
        for connection in list(self.connections):
            connection.transport.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def welcome(self, connection: Connection) -> bool:
        """Whether there is room for one more. Some that find none stay for the moment in which they are told so."""
        room = len(self.connections) < self.limits.max_connections and not self.stopping
        self.refused += not room
        if room or len(self.connections) < self.limits.max_connections + WAITING_ROOM:
            self.connections.add(connection)
            if self._sweeper is None:
                self._sweeper = self.loop.call_later(1.0, self._sweep)
        else:
            connection.transport.abort()
        return room

    def farewell(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if not self.connections and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    def _sweep(self) -> None:
        """Once a second, while there are connections at all, those go that have overstayed."""
        now = self.loop.time()
        for connection in [each for each in self.connections if each.deadline <= now]:
            connection.overdue()
        self._sweeper = self.loop.call_later(1.0, self._sweep) if self.connections else None

    def head(self, answer: Answer, then: int) -> bytes:
        """The status line and the headers of `answer`; `then`: what becomes of the connection."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, b"date: " + formatdate(now, usegmt=True).encode() + b"\r\n")
        if answer.headers is JSON:
            headers = b"content-type: application/json\r\n"
        else:
            headers = b"".join(b"%b: %b\r\n" % header for header in answer.headers if header[0] != b"connection")
        return b"%b%b%bcontent-length: %d\r\n%b" % (REASONS[answer.status], self._date[1], headers,
                                                    len(answer.body), SAYS[then])


class Connection(asyncio.Protocol):
    """One client's connection; the methods named `on_…` are called by the parser."""

    __slots__ = ("answering", "body", "broken", "closing", "deadline", "expects", "fields", "header", "parser",
                 "paused", "pending", "reading", "received", "refusal", "server", "stays", "transport", "url")

    transport: asyncio.Transport

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.parser = httptools.HttpRequestParser(self)
        self.pending: deque[Request] = deque()
        self.answering: Cancellable | None = None       # what ends the work on the request that is being answered
        self.refusal: tuple[int, str] | None = None     # the last answer, when those before it have been given
        self.deadline = math.inf
        self.reading = True
        self.broken = self.closing = self.paused = self.expects = self.stays = False
        self.header: float = 0
        self.received = self.fields = 0
        self.url = b""
        self.body: list[bytes] = []

    # --- called by the transport ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport      # type: ignore[assignment]
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self._wait_for_client(self.server.limits.request_timeout)
        if not self.server.welcome(self):
            self._refuse(503, "overloaded: too many connections; try again in a second")

    def data_received(self, data: bytes) -> None:
        if self.broken or self.refusal:
            self._discard(len(data))
            return
        self.header += len(data)        # until the headers are complete
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._refuse(400, f"expected an HTTP/1.1 request; got something else: {error}")
        if self.url and not self.broken:
            self._check_header(self.header)

    def _discard(self, size: int) -> None:
        self.received += size
        if self.received > DISCARD:
            self.transport.abort()

    def pause_writing(self) -> None:
        self.paused = True
        self._wait_for_client(self.server.limits.request_timeout)

    def resume_writing(self) -> None:
        self.paused = False
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self.broken = True
        self.pending.clear()
        if self.answering is not None:
            self.answering.cancel()
        self.server.farewell(self)

    # --- called by the parser ---

    def on_message_begin(self) -> None:
        self.url, self.body, self.received, self.fields = b"", [], 0, 0
        self.expects = self.stays = False
        self._wait_for_client(self.server.limits.request_timeout)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        length = len(name)
        self.fields += length + len(value) + 4      # what came in one piece with a body, or with other requests
        if length == 14 and name.lower() == b"content-length":
            self._check_size(int(value))
        elif length == 6 and name.lower() == b"expect":
            self.expects = value.lower() == b"100-continue" and self.parser.get_http_version() != "1.0"
        elif length == 10 and name.lower() == b"connection":
            self.stays = value.lower() == b"keep-alive" and self.parser.get_http_version() == "1.0"
        elif length == 16 and name.lower() == b"content-encoding" and value.lower() != b"identity":
            self._refuse(415, f"expected a body that is not encoded; got {value.decode('latin-1')!r:.60}")

    def on_headers_complete(self) -> None:
        self.header = -math.inf         # what comes now is the body's, and counted there
        self._check_header(self.fields + len(self.url))
        if self.parser.should_upgrade():
            self._refuse(400, "expected HTTP/1.1; this server changes to no other protocol")
        if self.expects and not self.broken:
            self.transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        self.received += len(body)
        self._check_size(self.received)
        if not self.broken and not self.refusal:
            self.body.append(body)

    def on_message_complete(self) -> None:
        self.header = 0
        if self.broken or self.refusal:
            return
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        method = self.parser.get_method().decode("latin-1")
        then = (STAYS if self.stays else GOES_ON) if self.parser.should_keep_alive() else CLOSES
        self.pending.append((method, _path(self.url), body, then))
        self.url, self.body = b"", []
        if self.answering is None:
            self._next()
        elif self.reading:
            self.transport.pause_reading()
            self.reading = False

    def _check_header(self, size: float) -> None:
        if size > self.server.limits.max_header:
            self._refuse(431, f"expected at most {self.server.limits.max_header:,} bytes of headers")

    def _check_size(self, size: int) -> None:
        if size > self.server.app.max_body:
            self._refuse(413, too_large(self.server.app.max_body, size))

    # --- answering ---

    def _next(self) -> None:
        """The next request, if one is whole and its predecessor's answer is on its way; or else what comes then."""
        if self.answering is not None or self.paused or self.broken:
            return
        if self.pending:
            self.deadline = math.inf
            method, path, body, then = self.pending.popleft()
            self.answering = self.server.app.start(method, path, body, partial(self._respond, method, then))
        elif self.refusal and not self.closing:
            self._refuse(*self.refusal)
        elif self.closing or (self.server.stopping and not self.url):
            self.transport.close()
        else:
            self._read_on()

    def _read_on(self) -> None:
        limits = self.server.limits
        self._wait_for_client(limits.request_timeout if self.url else limits.keep_alive)
        if not self.reading:
            self.transport.resume_reading()
            self.reading = True

    def _respond(self, method: str, then: int, answer: Answer) -> None:
        self.answering = None
        if self.broken:
            return
        then = CLOSES if self.server.stopping and not self.pending else then
        head = self.server.head(answer, then)
        self.transport.write(head if method == "HEAD" else head + answer.body)
        if then == CLOSES:
            self.closing = True
            self.pending.clear()
        self._next()

    # --- the client's time is over ---

    def _wait_for_client(self, seconds: float) -> None:
        if self.answering is None or self.paused:
            self.deadline = self.server.loop.time() + seconds

    def overdue(self) -> None:
        """The deadline has passed: whoever is in the middle of a request is told, the others know."""
        if self.url and not self.broken and not self.paused:
            wait = self.server.limits.request_timeout
            self._refuse(408, f"expected the whole request within {wait:g} s of its first byte")
        elif self.broken or self.paused:
            self.transport.abort()
        else:
            self.transport.close()

    def stop(self) -> None:
        """The server stops: a client between two requests is let go, every other gets its answer first."""
        if self.broken or not (self.answering or self.url or self.pending or self.paused):
            self.transport.close()

    def _refuse(self, status: int, sentence: str) -> None:
        """Says why, closes this side, and reads on for a moment without looking: a client that is still sending
        would otherwise get a reset in place of the answer."""
        if self.broken:
            return
        if self.answering is not None or self.pending:
            self.refusal = self.refusal or (status, sentence)
            return
        self.broken, self.received = True, 0
        answer = self.server.app.refusal(status, sentence)
        if status == 503:
            answer = answer._replace(headers=[*JSON, (b"retry-after", b"1")])
        self.transport.write(self.server.head(answer, CLOSES) + answer.body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.deadline = self.server.loop.time() + LINGER


def _path(url: bytes) -> str:
    """The decoded path in a request's target, which may be a whole address; without the query."""
    if not url.startswith(b"/"):
        try:
            url = httptools.parse_url(url).path or b"/"
        except httptools.HttpParserInvalidURLError:
            return url.decode("latin-1")
    path = url.partition(b"?")[0].decode("latin-1")
    return unquote(path) if "%" in path else path


Loop = Callable[[], asyncio.AbstractEventLoop]


def loop_factory() -> Loop | None:
    """uvloop's event loops where they are installed, which is wherever there are any."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Any = uvloop.new_event_loop
    return factory
