"""The chat over HTTP and WebSocket, as a small ASGI application: run it by itself, or beside a server of models.

    GET  /chat                    a page to chat in
    WS   /chat/socket?user=NAME   {"text": "..."} in; {"text", "acts", "unasked", "pipeline"} out
    POST /chat/say                {"user": "...", "text": "..."} in, {"text", "acts", "user"} out
    GET  /chat/pipeline?user=NAME the user's pipeline as a picture (SVG)

Whoever connects says who they are, and is believed: an example of conversations, not of authentication.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs

from asyncpatterns import Channel

from .chat import Chat
from .conversation import Answer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LONGEST_NAME: Final = 64
LONGEST_BODY: Final = 16_384
_HTML, _JSON, _SVG = b"text/html; charset=utf-8", b"application/json", b"image/svg+xml"


class BadRequest(ValueError):
    """What a client sent makes no sense; the text says what was expected."""


class ChatApp:
    """The application. Paths that are not under /chat go to `other`, an ASGI application such as `ServingApp`, or get
    a 404. The chat is entered and left with ASGI's lifespan, or by whoever passes on no lifespan events."""

    def __init__(self, chat: Chat, other: App | None = None) -> None:
        self.chat, self.other = chat, other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["path"] != "/chat" and not scope["path"].startswith("/chat/") and self.other is not None:
            await self.other(scope, receive, send)
        elif kind == "websocket":
            await self._socket(scope, receive, send)
        else:
            status, body, content = await self._http(scope, receive)
            await _respond(send, status, body, content)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.other is not None:
            async with self.chat:
                await self.other(scope, receive, send)
            return
        await receive()
        async with self.chat:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    # --- HTTP ---

    async def _http(self, scope: Scope, receive: Receive) -> tuple[int, bytes, bytes]:
        try:
            return await self._route(scope["method"], scope["path"], scope, receive)
        except BadRequest as error:
            return 400, json.dumps({"error": str(error)}).encode(), _JSON

    async def _route(self, method: str, path: str, scope: Scope, receive: Receive) -> tuple[int, bytes, bytes]:
        if method == "GET" and path == "/chat":
            return 200, files(__package__).joinpath("page.html").read_bytes(), _HTML
        if method == "GET" and path == "/chat/pipeline":
            return 200, await self._picture(_user_of(scope)), _SVG
        if method == "POST" and path == "/chat/say":
            said = _parsed(await _body(receive))
            answer = await self.chat.say(_name(said.get("user")), _text(said))
            return 200, json.dumps(answer._asdict()).encode(), _JSON
        known = path in ("/chat", "/chat/pipeline", "/chat/say")
        message = f"{path} does not take {method}" if known else f"nothing at {path}; try /chat"
        return 405 if known else 404, json.dumps({"error": message}).encode(), _JSON

    async def _picture(self, user: str) -> bytes:
        return (await self.chat.look(user)).pipeline._repr_svg_().encode()

    # --- WebSocket ---

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()     # websocket.connect
        try:
            user = _user_of(scope)
        except BadRequest:
            await send({"type": "websocket.close", "code": 4400})
            return
        await send({"type": "websocket.accept"})
        line = self.chat.connect(user)
        pump = asyncio.create_task(self._pump(line, send), name=f"words unasked to {user}")
        try:
            await self._listen(user, receive, send)
        finally:
            self.chat.disconnect(user, line)
            pump.cancel()
            await asyncio.wait([pump])

    async def _listen(self, user: str, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            try:
                text = _text(_parsed(message.get("text") or message.get("bytes") or b""))
            except BadRequest as error:
                await _frame(send, {"error": str(error)})
                continue
            answer = await self.chat.say(user, text)
            pipeline = await self._names(user)
            await _frame(send, {**_shown(answer), "unasked": False, "pipeline": pipeline})

    async def _names(self, user: str) -> list[list[str]]:
        try:
            view = await self.chat.look(user)
        except Exception:       # it was just killed, and the answer was an apology already
            return []
        return [[stage.name, stage.link] for stage in view.pipeline]

    async def _pump(self, line: Channel[Answer], send: Send) -> None:
        async for answer in line:
            await _frame(send, {**_shown(answer), "unasked": True})
        await send({"type": "websocket.close", "code": 4409})     # the same user has connected somewhere else


def _shown(answer: Answer) -> dict[str, Any]:
    return {"text": answer.text, "acts": answer.acts}


async def _frame(send: Send, content: Any) -> None:
    await send({"type": "websocket.send", "text": json.dumps(content)})


async def _respond(send: Send, status: int, body: bytes, content: bytes) -> None:
    headers = [(b"content-type", content), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LONGEST_BODY:
            raise BadRequest(f"expected a body of at most {LONGEST_BODY:,} bytes")
    return body


def _parsed(body: bytes | str) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):        # the latter where lists are nested too deeply
        raise BadRequest('expected JSON, as {"text": "..."}') from None
    if not isinstance(parsed, dict):
        raise BadRequest(f'expected an object, as {{"text": "..."}}; got a {type(parsed).__name__}')
    return parsed


def _text(said: dict[str, Any]) -> str:
    text = said.get("text")
    if not isinstance(text, str):
        raise BadRequest(f'"text": expected a string; got {text!r}'[:200])
    return text


def _user_of(scope: Scope) -> str:
    return _name(parse_qs(scope["query_string"].decode("latin-1")).get("user", [None])[0])


def _name(name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise BadRequest(f'"user": expected a name of 1 to {LONGEST_NAME} printable characters')
    return name
