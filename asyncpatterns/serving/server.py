"""Runs an ASGI application on a socket until SIGTERM or Ctrl-C, then lets the running requests end."""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
from typing import Any

import uvicorn


def add_address_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="intent", help="the model's name in the URL (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8501, help="the port; 0 takes a free one (default: %(default)s)")


def serve(app: Any, options: argparse.Namespace, policy: str) -> int:
    """Serves `app` until it is told to stop. Prints one line once requests are welcome: the address and `policy`.

    Returns the exit status: 0 after a stop by SIGTERM or Ctrl-C. An address that is taken ends it with a sentence.
    """
    try:
        listener = socket.create_server((options.host, options.port), backlog=2048)
    except OSError as error:
        print(f"cannot listen on {options.host}:{options.port}: {error.strerror}; try another --port")
        return 1
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=30, lifespan="on")
    server = _Announcing(config, f"Serving http://{host}:{port}/v1/models/{options.name}:predict with {policy}")
    signal.signal(signal.SIGTERM, lambda *_: None)      # uvicorn raises it once more after draining
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    return 0 if server.started else 1


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, line: str) -> None:
        super().__init__(config)
        self.line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self.line, flush=True)
