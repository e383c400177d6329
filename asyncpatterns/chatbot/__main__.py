"""`python -m asyncpatterns.chatbot`: chat with Kes in the terminal, or with `--port` in a browser."""

import argparse
import asyncio
import math
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any, TextIO

from asyncpatterns import Channel, SqliteStore, go, select

from .chat import Chat
from .humans import friendly_colleague
from .meaning import MeaningModel
from .network import BOT, COMPANY

HELP = """/pipeline   draw your pipeline as it is now
/state      what the conversation knows
/kill       kill your conversation: the next message finds it as it was
/kill model kill the model: its supervisor starts another
/quit       good-bye (or end the input)"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m asyncpatterns.chatbot", description=__doc__)
    parser.add_argument("--user", default=os.environ.get("USER", "you"), help="who you are; vip-... skips the line")
    parser.add_argument("--store", metavar="FILE", help="an SQLite file: conversations survive the program")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int,
                        help="serve a page to chat in, instead of the terminal; 0 takes a free port")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    print("Loading the model …", file=sys.stderr, flush=True)
    model = MeaningModel()
    model.warm_up()
    keeper: Any = SqliteStore(options.store) if options.store else nullcontext({})
    with keeper as store:
        chat = Chat(model, store=store)
        if options.port is not None:
            return serve(chat, options.host, options.port)
        try:
            asyncio.run(talk(chat, options.user))
        except KeyboardInterrupt:
            print()
    return 0


def serve(chat: Chat, host: str, port: int) -> int:
    """The page, the socket and the JSON endpoint until interrupted. Returns the exit status: 1 for a taken port."""
    import uvicorn

    from asyncpatterns.serving.server import listen

    from .web import ChatApp

    listener = listen(host, port)
    if listener is None:
        return 1

    async def run() -> None:
        go(chat.humans.work(partial(friendly_colleague, chat)))
        config = uvicorn.Config(ChatApp(chat), host=host, port=port, log_level="warning")
        server = uvicorn.Server(config)
        print(f"Chat at http://{host}:{listener.getsockname()[1]}/chat", flush=True)
        await server.serve(sockets=[listener])

    asyncio.run(run())
    return 0


async def talk(chat: Chat, user: str, source: TextIO = sys.stdin) -> None:
    """A conversation at the terminal, until its input ends or somebody says /quit."""
    typed = lines_of(source)
    async with chat:
        colleague = go(chat.humans.work(partial(friendly_colleague, chat)))
        line = chat.connect(user)
        print(f"{BOT} of {COMPANY}. You are {user}. /help shows what else you can type.")
        prompt()
        while True:
            which, heard, closed = await select(line.receive(), typed.receive(), priority=True)
            if closed or heard == "/quit":
                break
            print(f"\n{BOT}: {heard.text}" if which == 0 else await reply(chat, user, heard), flush=True)
            prompt()
        colleague.cancel()


async def reply(chat: Chat, user: str, typed: str) -> str:
    """What to print for a line that was typed."""
    if typed == "/help":
        return HELP
    if typed == "/kill":
        chat.kill_conversation(user)
        return "(killed)"
    if typed == "/kill model":
        chat.kill_model()
        return "(killed; another one starts)"
    if typed in ("/pipeline", "/state"):
        view = await chat.look(user)
        state = f"topics {list(view.topics)}, facts {dict(view.facts)}, {len(view.history)} turns, {view.register}"
        return str(view.pipeline) if typed == "/pipeline" else state
    if typed.startswith("/"):
        return f"There is no command {typed}. Those that there are:\n{HELP}"
    return f"{BOT}: {(await chat.say(user, typed)).text}"


def prompt() -> None:
    if sys.stdin.isatty():
        print("> ", end="", flush=True)


def lines_of(source: TextIO) -> Channel[Any]:
    """What is typed, line by line: a thread reads, because a terminal blocks; the channel brings it to the loop."""
    typed: Channel[Any] = Channel(math.inf, name="typed")
    loop = asyncio.get_running_loop()

    def read() -> None:
        with suppress(RuntimeError):        # the loop is closed: nobody listens any more
            for text in source:
                loop.call_soon_threadsafe(typed.send_nowait, text.strip())
            loop.call_soon_threadsafe(typed.close)

    threading.Thread(target=read, daemon=True, name="terminal").start()
    return typed


if __name__ == "__main__":
    sys.exit(main())
