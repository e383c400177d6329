"""The HTTP server over real sockets: requests in order, limits for clients, and a stop that loses nothing."""

import asyncio
import contextlib
import json
import socket

import pytest

from asyncpatterns.serving.app import ServingApp
from asyncpatterns.serving.deployment import Deployment
from asyncpatterns.serving.http import HTTPServer, Limits, loop_factory

from .fakes import AddingModel

PREDICT = "/v1/models/sums:predict"


class SlowModel(AddingModel):
    async def __call__(self, items):
        await asyncio.sleep(0.1)
        return await super().__call__(items)


def serve(scenario, *, model=None, limits=None, max_body=1000, grace=5.0, **batching):
    """Runs `scenario(server, connect)` against a server of the adding model; `connect()` is a raw connection."""
    async def main():
        app = ServingApp(Deployment(model or AddingModel(), name="sums", **batching), max_body=max_body)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = HTTPServer(app, listener, limits=limits or Limits(), grace=grace)
        async with Clients(port) as connect, app, server:
            return await scenario(server, connect)

    async def bounded():
        async with asyncio.timeout(20):
            return await main()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(bounded())


class Clients:
    """Opens connections, and closes all of them in the end."""

    def __init__(self, port):
        self.port, self.all = port, []

    async def __call__(self):
        self.all.append(await Client.open(self.port))
        return self.all[-1]

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc_info):
        for client in self.all:
            client.close()
            with contextlib.suppress(OSError):
                await client.writer.wait_closed()


class Client:
    @classmethod
    async def open(cls, port):
        client = cls()
        client.reader, client.writer = await asyncio.open_connection("127.0.0.1", port)
        return client

    def send(self, data):
        self.writer.write(data)

    async def reply(self):
        """(status, headers, body) of the next reply."""
        status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, body

    async def ask(self, data):
        self.send(data)
        return await self.reply()

    async def ended(self):
        """Whether the server closes the connection without another byte."""
        return await self.reader.read() == b""

    def close(self):
        self.writer.close()


async def until(condition):
    """Waits for what only the passing of time brings about; ten seconds at most."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


def post(*pairs, path=PREDICT, headers=""):
    body = json.dumps({"instances": list(pairs)})
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def test_a_connection_is_kept_for_the_next_request():
    async def scenario(server, connect):
        client = await connect()
        return [json.loads((await client.ask(post([n, 100])))[2]) for n in range(5)], len(server.connections)
    answers, connections = serve(scenario)
    assert answers == [{"predictions": [n + 100]} for n in range(5)] and connections == 1


def test_pipelined_requests_are_answered_in_order():
    async def scenario(server, connect):
        client = await connect()
        client.send(b"".join(post([n, 100]) for n in range(50)))
        return [json.loads((await client.reply())[2])["predictions"] for _ in range(50)]
    assert serve(scenario) == [[n + 100] for n in range(50)]


def test_a_request_may_come_byte_by_byte():
    async def scenario(server, connect):
        client = await connect()
        for byte in post([1, 2]):
            client.send(bytes([byte]))
            await asyncio.sleep(0)
        return await client.reply()
    assert json.loads(serve(scenario)[2]) == {"predictions": [3]}


def test_chunks_and_an_expectation_are_understood():
    async def scenario(server, connect):
        client = await connect()
        client.send(f"POST {PREDICT} HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        for part in (b'{"instances"', b": [[1, 2]]}"):
            client.send(b"%x\r\n%b\r\n" % (len(part), part))
        client.send(b"0\r\n\r\n")
        return await client.reply()
    assert json.loads(serve(scenario)[2]) == {"predictions": [3]}


def test_head_has_no_body_and_http_1_0_ends_its_connection():
    async def scenario(server, connect):
        client, old = await connect(), await connect()
        client.send(b"HEAD /healthz HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n")
        head = await client.reader.readuntil(b"\r\n\r\n")
        after = await client.reply()
        reply = await old.ask(b"GET /v1/models/sums?x=1 HTTP/1.0\r\n\r\n")
        return head, after, reply, await old.ended()
    head, after, reply, ended = serve(scenario)
    assert b"content-length: 16" in head and after[2] == b'{"status": "ok"}'
    assert reply[0] == 200 and reply[1]["connection"] == "close" and ended


def test_a_client_of_http_1_0_that_wants_to_stay_is_told_that_it_may():
    async def scenario(server, connect):
        old, new = await connect(), await connect()
        stay = post([1, 2], headers="Connection: Keep-Alive\r\nExpect: 100-continue\r\n")
        old_stay, new_stay = stay.replace(b"HTTP/1.1", b"HTTP/1.0"), post([1, 2], headers="Connection: keep-alive\r\n")
        return await old.ask(old_stay), await old.ask(old_stay), await new.ask(new_stay)
    first, second, new = serve(scenario)
    assert first[0] == second[0] == 200 and first[1]["connection"] == second[1]["connection"] == "keep-alive"
    assert new[0] == 200 and "connection" not in new[1]


@pytest.mark.parametrize("more", [post([3, 4]), b"nonsense\r\n\r\n"])
def test_nothing_follows_the_last_answer(more):
    async def scenario(server, connect):
        client = await connect()
        last = await client.ask(post([1, 2], headers="Connection: close\r\n") + more)
        return last, await client.ended()
    last, ended = serve(scenario)
    assert (last[0], last[1]["connection"]) == (200, "close") and ended


@pytest.mark.parametrize(("request_", "status", "says"), [
    (b"nonsense\r\n\r\n", 400, "expected an HTTP/1.1 request"),
    (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, "expected an HTTP/1.1 request"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "expected an HTTP/1.1 request"),
    (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n", 431, "at most 16,384 bytes of headers"),
    (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 4000, 431, "at most 16,384 bytes of headers"),
    (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3000 + b"\r\n", 431, "at most 16,384 bytes of headers"),
    (b"GET /healthz HTTP/1.1\r\nA: " + b"x" * 17_000 + b"\r\n\r\n", 431, "at most 16,384 bytes of headers"),
    (b"GET /" + b"x" * 17_000 + b" HTTP/1.1\r\n\r\n", 431, "at most 16,384 bytes of headers"),
    (b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413, "at most 1,000 bytes"),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"190\r\n" + b"x" * 400 + b"\r\n190\r\n" + b"x" * 400
     + b"\r\n190\r\n" + b"x" * 400, 413, "at most 1,000 bytes"),
    (b"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n", 415, "not encoded; got 'gzip'"),
    (b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400, "changes to no other protocol"),
])
def test_what_is_no_request_gets_a_sentence_and_the_end_of_its_connection(request_, status, says):
    async def scenario(server, connect):
        bad, good = await connect(), await connect()
        refused = await bad.ask(request_)
        return refused, await bad.ended(), await good.ask(post([1, 2]))
    refused, ended, good = serve(scenario)
    assert refused[0] == status and says in json.loads(refused[2])["error"] and ended
    assert refused[1]["connection"] == "close" and good[0] == 200


def test_a_good_request_before_a_bad_one_on_the_same_connection_is_answered_first():
    async def scenario(server, connect):
        client = await connect()
        client.send(post([1, 2]) + b"nonsense\r\n\r\n")
        return await client.reply(), await client.reply(), await client.ended()
    good, bad, ended = serve(scenario)
    assert good[0] == 200 and bad[0] == 400 and ended


def test_a_refused_client_that_goes_on_sending_can_still_read_why():
    async def scenario(server, connect):
        client = await connect()
        client.send(b"POST / HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 9_000_000)
        return await client.reply()
    assert serve(scenario)[0] == 413


def test_a_client_that_sends_slower_than_allowed_is_told_and_a_silent_one_is_let_go():
    async def scenario(server, connect):
        slow, silent, idle = await connect(), await connect(), await connect()
        slow.send(post([1, 2])[:-3])
        await idle.ask(post([1, 2]))
        return await slow.reply(), await slow.ended(), await silent.ended(), await idle.ended()
    reply, *ends = serve(scenario, limits=Limits(request_timeout=0.3, keep_alive=0.3))
    assert reply[0] == 408 and "within 0.3 s" in json.loads(reply[2])["error"] and all(ends)


def test_a_model_may_take_longer_than_a_client():
    async def scenario(server, connect):
        client = await connect()
        reply = asyncio.create_task(client.ask(post([1, 2])))
        await asyncio.sleep(0.05)
        server._sweep()
        return await reply
    assert serve(scenario, model=SlowModel(), limits=Limits(request_timeout=0.01))[0] == 200


def test_a_client_that_never_reads_its_answers_is_cut_off_and_holds_up_nobody():
    async def scenario(server, connect):
        greedy = await connect()
        greedy.writer.transport.pause_reading()
        with contextlib.suppress(ConnectionError):
            for _ in range(400):
                greedy.send(b"GET /metrics HTTP/1.1\r\n\r\n" * 20)
                await asyncio.sleep(0)
            await until(lambda: not server.connections)
        return await (await connect()).ask(post([1, 2])), len(server.connections)
    reply, connections = serve(scenario, limits=Limits(request_timeout=0.5))
    assert reply[0] == 200 and connections == 1


def test_one_connection_too_many_is_told_to_come_back():
    async def scenario(server, connect):
        clients = [await connect() for _ in range(3)]
        for client in clients[:2]:
            await client.ask(post([1, 2]))
        refused = await clients[2].ask(post([1, 2]))
        clients[0].close()
        await asyncio.sleep(0.05)
        return refused, await (await connect()).ask(post([1, 2])), server.refused
    refused, later, count = serve(scenario, limits=Limits(max_connections=2))
    assert refused[0] == 503 and refused[1]["retry-after"] == "1" and count >= 1
    assert later[0] in (200, 503)           # the refused one may still be reading


def test_a_client_that_leaves_takes_its_request_out_of_the_queue():
    async def scenario(server, connect):
        clients = [await connect() for _ in range(6)]
        for client in clients:
            client.send(post([1, 2]))
        await asyncio.sleep(0.05)
        for client in clients[2:]:
            client.writer.transport.abort()
        await clients[0].reply()
        batcher = server.app.deployment.batchers["serving_default"]
        await until(lambda: not batcher.statistics().running + batcher.statistics().waiting)
        return batcher.statistics()
    statistics = serve(scenario, model=SlowModel(), max_batch_size=1, workers=1)
    assert statistics.cancelled >= 3 and statistics.answered <= 3


def test_a_stop_answers_what_has_begun_and_lets_the_idle_go():
    async def main():
        app = ServingApp(Deployment(SlowModel(), name="sums"))
        listener = socket.create_server(("127.0.0.1", 0))
        async with Clients(listener.getsockname()[1]) as connect, app:
            async with HTTPServer(app, listener):
                idle, running, half = [await connect() for _ in range(3)]
                await idle.ask(post([1, 2]))
                running.send(post([3, 4]))
                half.send(post([5, 6])[:30])
                await asyncio.sleep(0.03)
                stopping = asyncio.create_task(asyncio.sleep(0.2))
                stopping.add_done_callback(lambda _: half.send(post([5, 6])[30:]))
            return [await idle.ended(), await running.reply(), await half.reply()], await running.ended()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        (idle, running, half), ended = runner.run(asyncio.wait_for(main(), 20))
    assert idle and ended
    assert [json.loads(reply[2])["predictions"] for reply in (running, half)] == [[7], [11]]
    assert running[1]["connection"] == "close"


def test_a_stop_answers_what_waits_behind_another_request_of_its_connection():
    async def main():
        app = ServingApp(Deployment(SlowModel(), name="sums"))
        listener = socket.create_server(("127.0.0.1", 0))
        async with Clients(listener.getsockname()[1]) as connect, app:
            async with HTTPServer(app, listener):
                client = await connect()
                client.send(post([1, 2]) + post([3, 4]) + post([5, 6]))
                await asyncio.sleep(0.03)
            return [await client.reply() for _ in range(3)], await client.ended()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        replies, ended = runner.run(asyncio.wait_for(main(), 20))
    assert [json.loads(reply[2])["predictions"] for reply in replies] == [[3], [7], [11]] and ended
    assert [reply[1].get("connection") for reply in replies] == [None, None, "close"]


def test_a_stop_does_not_wait_for_ever():
    async def scenario(server, connect):
        half = await connect()
        half.send(post([1, 2])[:30])
        await asyncio.sleep(0.05)
        return half
    serve(scenario, grace=0.1)
