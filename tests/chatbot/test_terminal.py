"""`python -m asyncpatterns.chatbot`, typed at and piped into."""

import asyncio
import io
import socket
from urllib.request import urlopen

from asyncpatterns.chatbot import Chat
from asyncpatterns.chatbot import __main__ as terminal
from asyncpatterns.serving.processes import ServerProcess

from .talking import knows_a_few


def typed(capsys, *lines):
    source = io.StringIO("".join(f"{line}\n" for line in lines))
    asyncio.run(terminal.talk(Chat(knows_a_few), "al", source))      # a thread reads, so time must be real
    return capsys.readouterr().out.splitlines()


def test_what_is_typed_is_answered_line_by_line(capsys):
    first, *out = typed(
        capsys, "I would like my money back", "/pipeline", "/kill", "it is KR-482913", "/state", "/quit", "x")
    assert first.startswith("Kes of Kestrel Rail. You are al.")
    assert out[0] == "Kes: May I have the number of your ticket? It begins with KR."
    assert out[1].startswith("al: normalise ─▶") and "need ticket" in out[1]
    assert out[2] == "(killed)" and "KR-482913" in out[3]
    assert "'ticket': 'KR-482913'" in out[4] and len(out) == 5


def test_the_other_commands_and_the_end_of_the_input(capsys):
    _, *out = typed(capsys, "/help", "/kill model", "is there wifi", "/nonsense")
    assert "/kill model kill the model" in "\n".join(out) and "(killed; another one starts)" in out
    assert "Kes: There is free wifi on board; the network is called kestrel." in out
    assert any(line.startswith("There is no command /nonsense.") for line in out)


SERVE = """
from asyncpatterns.chatbot import Chat
from asyncpatterns.chatbot.__main__ import serve
from tests.chatbot.talking import knows_a_few
raise SystemExit(serve(Chat(knows_a_few), "127.0.0.1", 0))
"""


def test_a_free_port_is_taken_and_told():
    async def main():
        async with ServerProcess("-c", SERVE) as server:
            assert server.port and server.path == "/chat"
            with await asyncio.to_thread(urlopen, f"http://127.0.0.1:{server.port}/chat") as page:
                assert page.status == 200
    asyncio.run(main())


def test_a_port_that_is_taken_is_said_so(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert terminal.serve(Chat(knows_a_few), "127.0.0.1", other.getsockname()[1]) == 1
    assert "try another --port" in capsys.readouterr().out
