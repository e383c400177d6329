"""The load client, against servers on this machine that behave well and badly. Real sockets, and no sleeps."""

import asyncio
import contextlib

import pytest

from asyncpatterns.load import HTTPClient, HTTPStatus, closed_loop, open_loop


class Server:
    """Answers each request with what `answer(number, head, body)` returns: bytes; None for never; Exception to hang up.

    A tuple (bytes,) is sent, and then the connection is closed.
    """

    def __init__(self, answer):
        self.answer, self.requests, self.connections, self.writers = answer, 0, 0, set()
        self.asked = asyncio.Event()

    async def serve(self, reader, writer):
        self.connections += 1
        self.writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self.one(reader, writer):
                pass
        self.writers.discard(writer)
        writer.close()

    async def one(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
        body = await reader.readexactly(length)
        number, self.requests = self.requests, self.requests + 1
        self.asked.set()
        reply = self.answer(number, head, body)
        if isinstance(reply, asyncio.Future):
            reply = await reply
        if reply is None:
            await reader.read()
        elif reply is not Exception:
            writer.write(reply[0] if isinstance(reply, tuple) else reply)
            await writer.drain()
        return isinstance(reply, bytes)


def ok(body=b"fine", status="200 OK", fields=""):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body


def echo(number, head, body):
    return ok(body)


@contextlib.asynccontextmanager
async def serving(answer, **options):
    """(a server, a client of it)"""
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        async with HTTPClient("127.0.0.1", port, **options) as client:
            yield server, client
    finally:
        listening.close()
        for writer in list(server.writers):
            writer.close()
        await listening.wait_closed()
        await until(lambda: not server.writers)


async def until(condition):
    """Lets the loop turn until it holds; the timeout of the test ends a vain wait."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


def against(answer, **options):
    """A test that is a coroutine function of (server, client), run against a server that answers so."""
    def decorate(test):
        async def main():
            async with asyncio.timeout(20), serving(answer, **options) as (server, client):
                await test(server, client)

        def decorated():
            asyncio.run(main())
        decorated.__doc__ = test.__doc__
        return decorated
    return decorate


@against(echo)
async def test_a_post_returns_status_and_body(server, client):
    status, body = await client.post("/v1/models/intent:predict", b'{"instances": [[1]]}')
    assert (status, body) == (200, b'{"instances": [[1]]}')


@against(lambda number, head, body: ok(head.encode()))
async def test_a_request_says_what_http_wants(server, client):
    head = (await client.post("/a?b=c", b"12345", headers={"X-Trace": "7"})).body.decode().split("\r\n")
    assert head[0] == "POST /a?b=c HTTP/1.1"
    assert {f"Host: 127.0.0.1:{client.port}", "Content-Type: application/json", "Content-Length: 5",
            "X-Trace: 7"} <= set(head)
    assert (await client.get("/metrics")).body.startswith(b"GET /metrics HTTP/1.1\r\n")


@against(echo)
async def test_a_connection_is_kept_alive_and_reused(server, client):
    for number in range(50):
        assert (await client.post("/", b"%d" % number)).body == b"%d" % number
    assert server.connections == 1 and server.requests == 50


@against(echo, limit=8)
async def test_a_new_connection_is_opened_up_to_the_limit_and_beyond_it_requests_wait(server, client):
    bodies = [b"%d" % number for number in range(100)]
    replies = await asyncio.gather(*(client.post("/", body) for body in bodies))
    assert [reply.body for reply in replies] == bodies          # each got its own
    assert server.connections == 8
    assert "0 busy, 8 free, 0 waiting, at most 8" in repr(client)


def test_waiting_requests_are_served_first_come_first_served():
    gates, order = [], []

    def gated(number, head, body):
        gates.append(asyncio.get_running_loop().create_future())
        order.append(body)
        return gates[-1]

    @against(gated, limit=1)
    async def test(server, client):
        posts = [asyncio.create_task(client.post("/", b"%d" % number)) for number in range(5)]
        for number in range(5):
            await until(lambda wanted=number: len(gates) > wanted)
            assert repr(client).endswith(f"1 busy, 0 free, {4 - number} waiting, at most 1>")
            gates[number].set_result(ok())
        await asyncio.gather(*posts)
        assert order == [b"0", b"1", b"2", b"3", b"4"]

    test()


@against(lambda number, head, body: ok(b"queue is full", "503 Service Unavailable", "Retry-After: 1\r\n"))
async def test_a_status_of_400_or_more_is_an_error_with_the_status(server, client):
    with pytest.raises(HTTPStatus, match="HTTP 503: queue is full") as caught:
        await client.post("/", b"")
    assert caught.value.status == 503 and caught.value.body == b"queue is full"
    assert (await client.request("POST", "/")) == (503, b"queue is full")
    assert server.connections == 1


@against(lambda number, head, body: None if number == 0 else ok(), timeout=0.02, limit=1)
async def test_a_timeout_closes_its_connection_and_hurts_no_other(server, client):
    with pytest.raises(TimeoutError, match="no complete reply"):
        await client.post("/", b"")
    client.timeout = 10
    assert (await client.post("/", b"")).status == 200
    assert server.connections == 2


@against(lambda number, head, body: None, timeout=0.02, limit=1)
async def test_the_timeout_counts_the_wait_for_a_connection_too(server, client):
    outcomes = await asyncio.gather(*(client.post("/", b"") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(outcome, TimeoutError) for outcome in outcomes)
    assert any("no connection became free" in str(outcome) for outcome in outcomes)


def test_a_late_reply_never_reaches_another_request():
    """The first request is cancelled when the server has it; its reply comes later, on a connection that is gone."""
    late = []

    def answer(number, head, body):
        if number == 0:
            late.append(asyncio.get_running_loop().create_future())
            return late[0]
        return ok(body)

    @against(answer, limit=1)
    async def test(server, client):
        first = asyncio.create_task(client.post("/", b"first"))
        await server.asked.wait()
        first.cancel()
        second = asyncio.create_task(client.post("/", b"second"))
        late[0].set_result(ok(b"first"))
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await second).body == b"second"

    test()


@against(echo, limit=3)
async def test_a_storm_of_cancellations_loses_no_connection_and_mixes_up_no_replies(server, client):
    """Cancelled at every stage: connecting, waiting in line, handed a connection, reading, just answered."""
    async def checked(body):
        assert (await client.post("/", body)).body == body

    for round_ in range(60):
        posts = [asyncio.create_task(checked(b"%d-%d" % (round_, number))) for number in range(12)]
        for _ in range(round_ % 20):
            await asyncio.sleep(0)
        for post in posts[round_ % 3::2]:
            post.cancel()
        outcomes = await asyncio.gather(*posts, return_exceptions=True)
        assert all(outcome is None or isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    await asyncio.gather(*(checked(b"%d" % number) for number in range(12)))
    assert client._slots == len(client._all) == len(client._free) <= 3 and not any(client._queue)


@against(echo, limit=1)
async def test_cancelling_a_request_whose_reply_is_complete_does_not_close_the_next_ones_connection(server, client):
    """The reply arrives, its connection is handed to the next in line, and in the same tick the first is cancelled."""
    release = client._release

    def release_and_cancel(connection):
        client._release = release
        release(connection)
        first.cancel()

    client._release = release_and_cancel
    first, second = (asyncio.create_task(client.post("/", body)) for body in (b"first", b"second"))
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second).body == b"second"
    assert server.connections == 1 and client.reconnects == 0


# --- servers that end connections ---

@against(lambda number, head, body: ok(body, fields="Connection: close\r\n"))
async def test_a_connection_that_the_server_will_close_is_not_reused(server, client):
    for number in range(5):
        assert (await client.post("/", b"%d" % number)).body == b"%d" % number
    assert server.connections == 5 and client.reconnects == 0


@against(lambda number, head, body: Exception if number == 1 else ok(body))
async def test_a_kept_connection_closed_without_a_byte_is_replaced_and_the_request_sent_again(server, client):
    assert (await client.post("/", b"a")).body == b"a"
    assert (await client.post("/", b"b")).body == b"b"
    assert server.connections == 2 and server.requests == 3 and client.reconnects == 1


@against(lambda number, head, body: Exception)
async def test_a_new_connection_closed_without_a_byte_is_an_error(server, client):
    with pytest.raises(ConnectionResetError, match="closed the connection before its reply"):
        await client.post("/", b"")
    assert server.requests == 1


@against(lambda number, head, body: ok(b"a") if number == 0 else (ok(b"0123456789")[:-5],))
async def test_a_reply_cut_short_is_an_error_and_not_sent_again(server, client):
    await client.post("/", b"")
    with pytest.raises(ConnectionResetError):
        await client.post("/", b"")
    assert server.requests == 2


@against(echo)
async def test_after_the_server_closed_its_idle_connections_new_ones_are_opened(server, client):
    await asyncio.gather(*(client.post("/", b"") for _ in range(4)))
    for writer in list(server.writers):
        writer.close()
    for _ in range(3):
        assert (await client.post("/", b"again")).body == b"again"
    await until(lambda: client._slots == 1)
    assert len(client._all) == 1


@against(echo)
async def test_a_connection_lost_as_soon_as_it_is_open_gives_its_place_back(server, client):
    class Nowhere(asyncio.Transport):
        def abort(self):
            pass

    async def create_connection(factory, host, port):
        connection = factory()
        connection.connection_made(Nowhere())
        connection.connection_lost(None)
        return Nowhere(), connection

    asyncio.get_running_loop().create_connection = create_connection
    with pytest.raises(ConnectionResetError, match="as soon as it was open"):
        await client.post("/", b"")
    assert client._slots == 0 and not client._all


def test_nobody_there_is_a_connection_error():
    async def main():
        async with serving(echo) as (_, client):
            port = client.port
        async with HTTPClient("127.0.0.1", port, limit=1) as client:
            outcomes = await asyncio.gather(*(client.post("/", b"") for _ in range(3)), return_exceptions=True)
            assert all(isinstance(outcome, ConnectionRefusedError) for outcome in outcomes)
            assert "0 busy, 0 free" in repr(client)

    asyncio.run(main())


# --- replies in every shape ---

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


@against(lambda number, head, body: CHUNKED)
async def test_a_chunked_reply_is_put_together(server, client):
    for _ in range(3):
        assert (await client.post("/", b"")).body == b"abcde"
    assert server.connections == 1


@against(lambda number, head, body: (b"HTTP/1.1 200 OK\r\n\r\nuntil the end",))
async def test_a_reply_without_a_length_ends_with_its_connection(server, client):
    for _ in range(3):
        assert (await client.post("/", b"")).body == b"until the end"
    assert server.connections == 3 and client.reconnects == 0


@against(lambda number, head, body: b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"real"))
async def test_an_interim_reply_is_not_the_reply(server, client):
    for _ in range(2):
        assert await client.post("/", b"") == (200, b"real")


@against(lambda number, head, body: b"HTTP/1.1 204 No Content\r\n\r\n")
async def test_a_reply_without_a_body_is_complete(server, client):
    for _ in range(2):
        assert await client.post("/", b"") == (204, b"")
    assert server.connections == 1


@against(lambda number, head, body: ok(b"x" * 3_000_000))
async def test_a_large_reply_is_whole(server, client):
    assert len((await client.post("/", b"y" * 2_000_000)).body) == 3_000_000


@pytest.mark.parametrize("noise", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00\x01\x02" * 10])
def test_what_is_not_http_is_an_error_that_says_so(noise):
    @against(lambda number, head, body: noise)
    async def test(server, client):
        with pytest.raises(ConnectionError, match="not HTTP"):
            await client.post("/", b"")
        await until(lambda: client._slots == 0)

    test()


@pytest.mark.parametrize("extra", [ok(b"extra"), ok(b"extra")[:-2], ok(b"extra")[:8], b"noise"])
def test_a_reply_that_nobody_asked_for_is_never_taken_for_an_answer(extra):
    @against(lambda number, head, body: ok(body) + (extra if number == 0 else b""))
    async def test(server, client):
        for body in (b"a", b"b", b"c"):
            assert (await client.post("/", body)).body == body

    test()


# --- the end, the address, bad arguments ---

@against(lambda number, head, body: None, limit=1)
async def test_closing_the_client_ends_requests_in_flight_and_in_line(server, client):
    posts = [asyncio.create_task(client.post("/", b"")) for _ in range(3)]
    await server.asked.wait()
    await client.close()
    outcomes = await asyncio.gather(*posts, return_exceptions=True)
    assert all(isinstance(outcome, ConnectionError) and "was closed" in str(outcome) for outcome in outcomes)
    with pytest.raises(ConnectionError, match="is closed"):
        await client.post("/", b"")
    await client.close()
    assert "closed" in repr(client)


@against(echo)
async def test_closing_the_client_while_it_connects_leaves_no_connection(server, client):
    post = asyncio.create_task(client.post("/", b""))
    await asyncio.sleep(0)
    await client.close()
    with pytest.raises(ConnectionError):
        await post
    assert not client._all and client._slots == 0


@pytest.mark.parametrize("host", ["example.org", "8.8.8.8", "10.0.0.1", "0.0.0.0", "localhost.example.org", ""])
def test_only_this_machine_unless_said_otherwise(host):
    with pytest.raises(ValueError, match="a stranger is a weapon"):
        HTTPClient(host, 80)
    assert HTTPClient(host, 80, allow_remote=True).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_has_several_names(host):
    assert f"{host}:80" in repr(HTTPClient(host, 80))


@against(echo)
async def test_arguments_that_make_no_sense_are_refused_and_cost_no_connection(server, client):
    with pytest.raises(TypeError, match=r"a body is bytes"):
        await client.post("/", {"instances": [[1]]})
    for path, headers in (("v1", {}), ("/a b", {}), ("/a\r\nX: y", {}), ("/", {"X": "a\r\nb"}), ("/ä", {})):
        with pytest.raises(ValueError, match="printable ASCII"):
            await client.post(path, b"", headers)
    with pytest.raises(ValueError, match="method"):
        await client.request("HEAD", "/")
    assert server.connections == 0


@pytest.mark.parametrize("limit", [0, -1, 1.5, True])
def test_the_limit_counts_connections(limit):
    with pytest.raises(ValueError, match="int >= 1"):
        HTTPClient("127.0.0.1", 80, limit=limit)


@against(echo, limit=5)
async def test_connections_can_be_opened_before_the_run(server, client):
    await client.open(3)
    assert "0 busy, 3 free" in repr(client)
    await client.open(99)
    assert "0 busy, 5 free" in repr(client)
    await client.post("/", b"")
    await until(lambda: server.connections == 5)


# --- with the generators ---

@against(lambda number, head, body: ok(body) if number % 5 else ok(b"full", "503 Service Unavailable"))
async def test_a_target_counts_a_refusal_as_an_error_of_its_kind(server, client):
    report = await open_loop(client.target("/", lambda number: b"%d" % number), rate=2000, duration=0.25)
    assert set(report.errors) == {"HTTP 503"} and report.errors["HTTP 503"] == (report.sent + 4) // 5
    assert report.examples == {"HTTP 503": "HTTP 503: full"}


@against(echo)
async def test_a_target_can_check_its_answers(server, client):
    def check(number, reply):
        if int(reply) % 2:
            raise ValueError("wrong answer")

    report = await closed_loop(client.target("/", lambda number: b"%d" % number, check), clients=8, duration=0.1)
    assert report.sent and report.errors == {"ValueError": report.sent // 2}
    assert server.connections <= 8
