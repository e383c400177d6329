"""Runs an application on a socket until SIGTERM or Ctrl-C, then lets the running requests end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .app import ServingApp
    from .http import Limits

GRACE = 30.0            # seconds for the requests that are there when a server is told to stop


def add_address_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="intent", help="the model's name in the URL (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8501, help="the port; 0 takes a free one (default: %(default)s)")


def serve(app: Any, options: argparse.Namespace, policy: str) -> int:
    """Serves an ASGI application with uvicorn until it is told to stop. Prints one line once requests are welcome: the
    address and `policy`.

    Returns the exit status: 0 after a stop by SIGTERM or Ctrl-C. An address that is taken ends it with a sentence.
    """
    import uvicorn

    listener = listen(options.host, options.port)
    if listener is None:
        return 1

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                announce(sockets[0], options, policy)   # type: ignore[index]

    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=int(GRACE),
                            lifespan="on")
    server = Announcing(config)
    signal.signal(signal.SIGTERM, lambda *_: None)      # uvicorn raises it once more after draining
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    return 0 if server.started else 1


def serve_directly(app: ServingApp, options: argparse.Namespace, limits: Limits) -> int:
    """As `serve`, with the server of this package: less work for each request, and limits for slow clients."""
    from .http import loop_factory

    listener = listen(options.host, options.port)
    if listener is None:
        return 1
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_serve_directly(app, listener, options, limits))


async def _serve_directly(app: ServingApp, listener: socket.socket, options: argparse.Namespace,
                          limits: Limits) -> int:
    from .http import HTTPServer

    stop = asyncio.Event()
    stop_at_signals(stop)
    try:
        await app.__aenter__()
    except FileNotFoundError as error:
        print(error)
        return 1
    try:
        async with HTTPServer(app, listener, limits=limits, grace=GRACE):
            announce(listener, options, repr(app.deployment))
            await stop.wait()
    finally:
        await app.__aexit__(None, None, None)
    return 0


def stop_at_signals(stop: asyncio.Event) -> None:
    """Sets `stop` at SIGTERM and Ctrl-C; a second one ends the process at once."""
    loop = asyncio.get_running_loop()

    def stop_once(number: int) -> None:
        signal.signal(number, signal.SIG_DFL)
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        if sys.platform == "win32":
            signal.signal(number, lambda number, _: stop_once(number))
        else:
            loop.add_signal_handler(number, stop.set)


def listen(host: str, port: int) -> socket.socket | None:
    """The listening socket; None when the address is taken, and then that has been said."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        print(f"cannot listen on {host}:{port}: {why}; try another --port")
        return None


def announce(listener: socket.socket, options: argparse.Namespace, policy: str) -> None:
    host, port = listener.getsockname()[:2]
    print(f"Serving http://{host}:{port}/v1/models/{options.name}:predict with {policy}", flush=True)
