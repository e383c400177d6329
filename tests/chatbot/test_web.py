"""The chat over HTTP and WebSocket, called as an ASGI server would call it."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from asyncpatterns.chatbot.web import LONGEST_BODY, ChatApp
from asyncpatterns.testing import run

from .talking import Slow, chatting


async def request(app, method, path, body=b"", query=""):
    parts = [{"type": "http.request", "body": body[:10], "more_body": True},
             {"type": "http.request", "body": body[10:]}]
    sent = []

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    await app({"type": "http", "method": method, "path": path, "query_string": query.encode()}, receive, send)
    start, content = sent
    assert dict(start["headers"])[b"content-length"] == str(len(content["body"])).encode()
    return start["status"], content["body"]


class Socket:
    """The client's end of a WebSocket."""

    def __init__(self):
        self.incoming, self.outgoing = asyncio.Queue(), asyncio.Queue()

    async def say(self, content):
        text = content if isinstance(content, str) else json.dumps(content)
        await self.incoming.put({"type": "websocket.receive", "text": text})

    async def hear(self):
        message = await self.outgoing.get()
        return json.loads(message["text"]) if "text" in message else (message["type"], message.get("code"))


@asynccontextmanager
async def connected(app, user="al"):
    socket = Socket()
    await socket.incoming.put({"type": "websocket.connect"})
    scope = {"type": "websocket", "path": "/chat/socket", "query_string": f"user={user}".encode()}
    serving = asyncio.ensure_future(app(scope, socket.incoming.get, socket.outgoing.put))
    yield socket
    await socket.incoming.put({"type": "websocket.disconnect", "code": 1001})
    await serving


def test_a_user_talks_over_a_socket_and_sees_the_pipeline_change():
    async def main():
        async with chatting() as chat, connected(ChatApp(chat)) as socket:
            assert await socket.hear() == ("websocket.accept", None)
            await socket.say({"text": "I would like my money back"})
            heard = await socket.hear()
            assert heard["acts"] == ["ask_ticket"] and not heard["unasked"]
            assert ["need ticket", "call"] in heard["pipeline"] and ["understand", "batcher"] in heard["pipeline"]
            await asyncio.sleep(31)
            assert (await socket.hear())["acts"] == ["still_there"]
            await socket.say({"text": "it is KR-482913"})
            assert "KR-482913" in (await socket.hear())["text"]
        assert not chat.lines

    run(main)


@pytest.mark.parametrize("sent", ["no json", "[1]", "3", {"text": 5}, {"words": "hi"}, "\ud800", "[" * 5000,
                                  "9" * 5000])
def test_what_makes_no_sense_is_said_so_and_the_line_stays_open(sent):
    async def main():
        async with chatting() as chat, connected(ChatApp(chat)) as socket:
            await socket.hear()
            await socket.say(sent)
            assert "expected" in (await socket.hear())["error"]
            await socket.say({"text": "is there wifi"})
            assert (await socket.hear())["acts"] == ["wifi"]

    run(main)


def test_who_connects_again_closes_the_line_before_and_nobody_without_a_name_gets_one():
    async def main():
        async with chatting() as chat, connected(app := ChatApp(chat)) as first, connected(app) as second:
            assert [await first.hear() for _ in range(2)] == [("websocket.accept", None), ("websocket.close", 4409)]
            await second.hear()
            chat.answer_as_human("al", "Hello!")
            assert (await second.hear())["text"] == "Hello!"
            async with connected(app, user="") as nobody:
                assert await nobody.hear() == ("websocket.close", 4400)
        assert not chat.lines

    run(main)


def test_a_killed_conversation_and_a_killed_model_leave_the_line_open():
    async def main():
        async with chatting(Slow()) as chat, connected(ChatApp(chat)) as socket:
            await socket.hear()
            for fault in (lambda: chat.kill_conversation("al"), chat.kill_model):
                await socket.say({"text": "is there wifi"})
                await asyncio.sleep(0.002)
                fault()
                assert (await socket.hear())["acts"] == ["wifi"]

    run(main)


def test_the_json_endpoint_the_page_and_the_picture():
    async def main():
        async with chatting() as chat:
            app = ChatApp(chat)
            body = json.dumps({"user": "al", "text": "I would like my money back"}).encode()
            status, answer = await request(app, "POST", "/chat/say", body)
            assert status == 200 and json.loads(answer)["acts"] == ["ask_ticket"]
            status, page = await request(app, "GET", "/chat")
            assert status == 200 and b"/chat/socket" in page and b"http://" not in page and b"https://" not in page
            status, svg = await request(app, "GET", "/chat/pipeline", query="user=al")
            assert status == 200 and b"need ticket" in svg

    run(main)


@pytest.mark.parametrize("method, path, body, status, words", [
    ("GET", "/nothing", b"", 404, "try /chat"),
    ("POST", "/chat", b"", 405, "does not take POST"),
    ("GET", "/chat/pipeline", b"", 400, "expected a name"),
    ("POST", "/chat/say", b"{", 400, "expected JSON"),
    ("POST", "/chat/say", b"[" * 16_000, 400, "expected JSON"),
    ("POST", "/chat/say", b'{"text": "hi"}', 400, "expected a name"),
    ("POST", "/chat/say", b'{"user": "al"}', 400, "expected a string"),
    ("POST", "/chat/say", b'{"user": "a\\nl", "text": "hi"}', 400, "printable"),
    ("POST", "/chat/say", b"x" * (LONGEST_BODY + 1), 400, "at most"),
])  # fmt: skip
def test_bad_requests_are_told_what_was_expected(method, path, body, status, words):
    async def main():
        async with chatting() as chat:
            got, answer = await request(ChatApp(chat), method, path, body)
            assert got == status and words in json.loads(answer)["error"]

    run(main)


def test_other_paths_go_to_the_application_beside_it_and_both_live_as_long_as_the_server():
    seen = []

    async def other(scope, receive, send):
        seen.append(scope.get("path", scope["type"]))
        if scope["type"] == "lifespan":
            for what in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{what}.complete"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

    async def main(beside):
        from asyncpatterns.chatbot import Chat

        from .talking import knows_a_few

        chat = Chat(knows_a_few)
        app = ChatApp(chat, beside)
        lifespan = Socket()
        serving = asyncio.ensure_future(app({"type": "lifespan"}, lifespan.incoming.get, lifespan.outgoing.put))
        await lifespan.incoming.put({"type": "lifespan.startup"})
        assert (await lifespan.outgoing.get())["type"] == "lifespan.startup.complete"
        assert (await chat.say("al", "is there wifi")).acts == ("wifi",)
        status, _ = await request(app, "POST", "/v1/models/intent:predict")
        assert status == (200 if beside else 404)
        await lifespan.incoming.put({"type": "lifespan.shutdown"})
        await serving
        assert (await lifespan.outgoing.get())["type"] == "lifespan.shutdown.complete"

    run(lambda: main(other))
    run(lambda: main(None))
    assert seen == ["lifespan", "/v1/models/intent:predict"]
