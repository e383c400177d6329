"""A deployment's process is waited for until it serves, and is surely gone afterwards."""

import asyncio
import os

import pytest

from asyncpatterns.serving.processes import ServerDied, ServerProcess

ANNOUNCE = "print('Serving http://127.0.0.1:4711/v1/models/m:predict with care', flush=True)\n"
WAIT = "import signal; signal.sigwait([signal.SIGINT])"


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_address_is_read_from_the_announcement():
    async def main():
        async with ServerProcess("-c", "print('noise')\n" + ANNOUNCE + WAIT) as server:
            assert (server.host, server.port, server.path) == ("127.0.0.1", 4711, "/v1/models/m:predict")
            assert "with care" in server.line and "4711" in repr(server)
            return server.pid
    assert not alive(asyncio.run(main()))


def test_a_process_that_dies_first_is_reported_with_its_last_words():
    async def main():
        async with ServerProcess("-c", "import sys; print('no model there'); sys.exit(3)"):
            pass
    with pytest.raises(ServerDied, match=r"status 3(.|\n)*no model there"):
        asyncio.run(main())


def test_a_process_that_never_serves_is_stopped_after_the_timeout():
    async def main():
        server = ServerProcess("-c", WAIT, timeout=0.3)
        with pytest.raises(TimeoutError):
            await server.__aenter__()
        return server.pid
    assert not alive(asyncio.run(main()))


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace():
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"

    async def main():
        async with ServerProcess("-c", deaf + ANNOUNCE + WAIT, grace=0.2) as server:
            return server.pid
    assert not alive(asyncio.run(main()))


def test_a_chatty_server_is_not_blocked_by_a_full_pipe():
    async def main():
        async with ServerProcess("-c", ANNOUNCE + "for _ in range(20_000): print('x' * 100)") as server:
            return await asyncio.wait_for(server.wait(), 20)
    assert asyncio.run(main()) == 0


def test_an_exception_in_the_block_stops_the_process_and_passes_on():
    pids = []

    async def main():
        async with ServerProcess("-c", ANNOUNCE + WAIT) as server:
            pids.append(server.pid)
            raise KeyError("mine")
    with pytest.raises(KeyError, match="mine"):
        asyncio.run(main())
    assert not alive(pids[0])


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="priorities are read the POSIX way here")
def test_a_humble_process_gives_way_to_others_and_is_stopped_like_any_other():
    async def main():
        async with ServerProcess("-c", ANNOUNCE + WAIT, humble=True) as server:
            assert os.getpriority(os.PRIO_PROCESS, server.pid) > os.getpriority(os.PRIO_PROCESS, 0)
            return server.pid
    assert not alive(asyncio.run(main()))
