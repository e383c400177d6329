"""An HTTP/1.1 client for load: keep-alive connections to one address, and little else, lest it be what is measured.

Invariants
    1. A connection carries one request at a time (no pipelining), and is in exactly one place: free, or with the
       request that it carries. `slots` counts the connections that are open or being opened; it never exceeds `limit`.
    2. Whoever finds no free connection and no slot waits in a queue, first come, first served; a freed connection or
       slot goes to the head of it, and if that one was cancelled in the same tick, to the next.
    3. A connection whose reply was not read to the end (timeout, cancellation, not HTTP) is closed, never reused: a
       reply can only reach its own request.
    4. Only this machine, unless `allow_remote` is said: a load generator pointed at a stranger is a weapon.
"""

import asyncio
import ipaddress
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import httptools

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")     # not HEAD: its replies announce a body they lack
_RESET = "the server closed the connection before its reply was complete"


class HTTPStatus(Exception):
    """A reply with a status of 400 or more; `status` is the number, `body` what the server said."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        super().__init__(status, body)
        self.status, self.body = status, body

    def __str__(self) -> str:
        text = self.body[:200].decode("utf-8", "replace").strip()
        return f"HTTP {self.status}: {text}" if text else f"HTTP {self.status}"


class Reply(NamedTuple):
    status: int
    body: bytes


class _Stale(ConnectionResetError):
    """A kept-alive connection was closed before a byte of the reply: the server had given it up while it was idle."""


class HTTPClient:
    """Requests to `http://host:port`, each on a connection that is free, or else new (up to `limit`), or else awaited.

    `timeout` bounds a request in seconds, from the call to the last byte of its reply, waiting for a connection
    included; then `TimeoutError`. A request cancelled or timed out closes its connection. `host` must be this machine,
    unless `allow_remote=True`; anything else raises `ValueError`. Leaving its `async with` block closes all
    connections; a request in flight then gets a `ConnectionError`.
    """

    def __init__(self, host: str, port: int, *, limit: int = 256, timeout: float | None = 30.0,
                 allow_remote: bool = False) -> None:
        if not (allow_remote or _is_this_machine(host)):
            raise ValueError(f"{host!r} is not this machine. A load generator pointed at a stranger is a weapon: "
                             "say allow_remote=True if it is yours")
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ValueError(f"limit is how many connections may be open: an int >= 1, not {limit!r}")
        self.host, self.port, self.limit, self.timeout = host, port, limit, timeout
        self.reconnects = 0
        self._slots = 0
        self._all: set[_Connection] = set()
        self._free: dict[_Connection, None] = {}
        self._queue: deque[asyncio.Future[_Connection | None]] = deque()
        self._heads: dict[Any, bytes] = {}
        self._empty: asyncio.Future[None] | None = None
        self._closed = False

    def __repr__(self) -> str:
        free = len(self._free)
        state = "closed" if self._closed else f"{self._slots - free} busy, {free} free, {len(self._queue)} waiting"
        return f"<HTTPClient {self.host}:{self.port}: {state}, at most {self.limit}>"

    # --- requests ---

    async def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """(status, body) of the reply to a POST of JSON; `HTTPStatus` for a status of 400 or more.

        If the server closes a kept-alive connection without a byte of reply, the request is sent once more on
        another one, and counted in `reconnects`. `ConnectionError` if it cannot be reached, breaks off or
        does not speak HTTP; `TimeoutError`.
        """
        return _good(await self.request("POST", path, body, headers))

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """(status, body) of the reply to a GET; fails as `post` does."""
        return _good(await self.request("GET", path, b"", headers))

    async def request(self, method: str, path: str, body: bytes = b"",
                      headers: Mapping[str, str] | None = None) -> Reply:
        """(status, body) of the reply, whatever the status."""
        message = self._message(method, path, body, headers)
        loop = asyncio.get_running_loop()
        deadline = self._deadline(loop)
        while True:
            connection = await self._acquire(loop, deadline)
            try:
                return await connection.ask(message, deadline)
            except _Stale:
                self.reconnects += 1

    def target(self, path: str, body: bytes | Callable[[int], bytes],
               check: Callable[[int, bytes], Any] | None = None) -> Callable[[int], Awaitable[bytes]]:
        """For `open_loop` and `closed_loop`: request `number` posts `body`, or `body(number)`.

        `check(number, reply)` may raise, and then the answer is an error.
        """
        async def ask(number: int) -> bytes:
            _, reply = await self.post(path, body(number) if callable(body) else body)
            if check is not None:
                check(number, reply)
            return reply
        return ask

    def _message(self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None) -> bytes:
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise TypeError(f"a body is bytes, such as json.dumps(...).encode(), not {type(body).__name__}")
        key = (method, path, tuple(headers.items()) if headers else None)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= 1000:                # every user may have a path of his own
                self._heads.clear()
            head = self._heads[key] = self._head(method, path, headers or {})
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)

    def _head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        fields = {"Host": f"{host}:{self.port}", "Content-Type": "application/json", **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        if method not in _METHODS:
            raise ValueError(f"method is one of {', '.join(_METHODS)}, not {method!r}")
        if not path.startswith("/") or " " in path or not all(line.isascii() and line.isprintable() for line in lines):
            raise ValueError(f"path and headers must be printable ASCII, the path begin with /: {path!r}, {headers!r}")
        return "\r\n".join([*lines, ""]).encode()

    # --- connections ---

    async def open(self, connections: int) -> None:
        """Open connections until there are so many (at most `limit`), one by one, lest its backlog overflow."""
        loop = asyncio.get_running_loop()
        for _ in range(min(connections, self.limit) - self._slots):
            self._slots += 1
            self._release(await self._connect(self._deadline(loop)))

    def _deadline(self, loop: asyncio.AbstractEventLoop) -> float | None:
        return None if self.timeout is None else loop.time() + self.timeout

    async def _acquire(self, loop: asyncio.AbstractEventLoop, deadline: float | None) -> "_Connection":
        if self._closed:
            raise ConnectionError("the client is closed")
        if self._free:
            return self._free.popitem()[0]
        if self._slots < self.limit:
            self._slots += 1
            return await self._connect(deadline)
        connection = await self._wait_in_line(loop, deadline)
        return connection or await self._connect(deadline)

    async def _wait_in_line(self, loop: asyncio.AbstractEventLoop, deadline: float | None) -> "_Connection | None":
        """A free connection, or None, which is leave to open one."""
        turn: asyncio.Future[_Connection | None] = loop.create_future()
        self._queue.append(turn)
        timer = None if deadline is None else loop.call_at(deadline, _time_out, turn, "no connection became free")
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on(turn.result())            # handed over in the tick in which we were cancelled
            raise
        finally:
            if timer is not None:
                timer.cancel()

    async def _connect(self, deadline: float | None) -> "_Connection":
        """A new connection for a slot that the caller holds; then the connection holds it, or it is given back."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                _, connection = await loop.create_connection(lambda: _Connection(self, loop), self.host, self.port)
            if self._closed:
                connection.close()
            if connection.closing:
                raise ConnectionResetError("the connection was closed as soon as it was open")
        except BaseException:
            self._pass_on(None)
            raise
        self._all.add(connection)
        return connection

    def _pass_on(self, connection: "_Connection | None") -> None:
        """To the head of the queue, or back: a connection, or the slot of one."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is None:
            self._slots -= 1
        else:
            self._free[connection] = None

    def _release(self, connection: "_Connection") -> None:
        if self._closed or connection.closing:
            connection.close()
        else:
            self._pass_on(connection)

    def _lost(self, connection: "_Connection") -> None:
        if connection not in self._all:                 # lost while it was being opened
            return
        self._free.pop(connection, None)
        self._all.discard(connection)
        self._pass_on(None)
        if self._empty is not None and not self._all and not self._empty.done():
            self._empty.set_result(None)

    # --- the end ---

    async def close(self) -> None:
        """Close all connections, and wait until they are; calling it again does nothing."""
        self._closed = True
        for turn in self._queue:
            if not turn.done():
                turn.set_exception(ConnectionError("the client was closed"))
        for connection in list(self._all):
            connection.fail(ConnectionError("the client was closed"))
        if self._all:
            self._empty = self._empty or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._empty)

    async def __aenter__(self) -> "HTTPClient":
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()


class _Connection(asyncio.Protocol):
    """One connection; the methods named `on_...` are called by the parser."""

    __slots__ = ("answer", "begun", "chunks", "client", "closing", "head", "loop", "parser", "sized", "transport",
                 "used")

    transport: asyncio.Transport

    def __init__(self, client: HTTPClient, loop: asyncio.AbstractEventLoop) -> None:
        self.client, self.loop = client, loop
        self.parser = httptools.HttpResponseParser(self)
        self.answer: asyncio.Future[Reply] | None = None
        self.chunks: list[bytes] = []
        self.closing = self.used = False
        self.begun = self.head = self.sized = False     # of the reply: any byte; all headers; a length

    async def ask(self, message: bytes, deadline: float | None) -> Reply:
        """Send, and return the reply; the connection then belongs to the client again, or is closed."""
        if self.closing:
            raise _Stale(_RESET)
        self.answer = answer = self.loop.create_future()
        self.begun = False
        timer = None if deadline is None else self.loop.call_at(deadline, _time_out, answer, "no complete reply")
        self.transport.write(message)
        try:
            return await answer
        except BaseException:
            if self.answer is answer:                   # or its reply is complete, and the connection somebody else's
                self.close()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        self.closing = True
        self.transport.abort()

    # --- called by the transport ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(ConnectionError(f"the reply is not HTTP/1.1: {error or data[:80]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        if self.head and not self.sized and error is None and not self.closing:
            self._finish()                              # a reply without a length ends with its connection
        stale = self.used and not self.begun and not self.closing
        self.closing = True
        self._settle(_Stale(_RESET) if stale else ConnectionResetError(_RESET))
        self.client._lost(self)

    def fail(self, error: Exception) -> None:
        self._settle(error)
        self.close()

    def _settle(self, result: Reply | Exception) -> None:
        answer, self.answer = self.answer, None
        if answer is None or answer.done():
            return
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    # --- called by the parser ---

    def on_message_begin(self) -> None:
        self.begun, self.head, self.sized = True, False, False
        if self.answer is None:                         # a reply that nobody asked for
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) in (14, 17) and name.lower() in (b"content-length", b"transfer-encoding"):
            self.sized = True

    def on_headers_complete(self) -> None:
        self.head = True

    def on_body(self, body: bytes) -> None:
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        if self.answer is not None and self.parser.get_status_code() >= 200:    # below, it is only announced
            self._finish()

    def _finish(self) -> None:
        body, self.chunks, self.used = b"".join(self.chunks), [], True
        status, reusable = self.parser.get_status_code(), self.parser.should_keep_alive()
        self.head = False
        self._settle(Reply(status, body))
        if reusable:
            self.client._release(self)
        else:
            self.close()


def _good(reply: Reply) -> Reply:
    if reply.status >= 400:
        raise HTTPStatus(*reply)
    return reply


def _time_out(future: "asyncio.Future[Any]", what: str) -> None:
    if not future.done():
        future.set_exception(TimeoutError(f"{what} within the timeout"))


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
