"""Serves the deck on this machine, and runs its demos when a slide asks for it.

`GET /live/NAME` starts the demo and streams its pictures as server-sent events. At most one demo runs: another request
ends the one before, and a browser that goes away (a second press, another slide, a closed window) ends its own, at the
next picture, a fifteenth of a second later. `GET /live` says what runs.
"""

import asyncio
import contextlib
import json
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .demos import Demo, all_demos
from .replay import caption, picture

PER_SECOND = 15.0


class Stage:
    """Who runs: one demo at a time. Also loads the models ahead, so that the first picture need not wait for them."""

    def __init__(self, demos: dict[str, Demo]) -> None:
        self.demos = demos
        self.running: str | None = None
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._stop = threading.Event()
        self._ready: dict[str, threading.Event] = {name: threading.Event() for name in demos}
        self._trouble: dict[str, str] = {}

    def warm_up(self) -> None:
        """Prepares every demo; one that cannot be prepared says why when it is asked for."""
        for name, demo in self.demos.items():
            try:
                demo.prepare()
            except Exception as problem:
                self._trouble[name] = f"cannot run here: {type(problem).__name__}: {problem}"
            self._ready[name].set()

    def run(self, name: str, send: Any) -> None:
        """Runs the demo `name` and sends its events until it ends or `send` says that nobody listens."""
        with self._lock:
            self._stop.set()                # whoever runs ends at its next picture
            mine = self._stop = threading.Event()
        with self._turn:
            if not self._ready[name].is_set():
                send("wait", "loading the model …")
                while not self._ready[name].wait(0.2):
                    send("wait", "loading the model …")
            if name in self._trouble:
                send("end", self._trouble[name])
                return
            self.running = name
            try:
                asyncio.run(self._stream(self.demos[name], mine, send))
            finally:
                self.running = None

    async def _stream(self, demo: Demo, stop: threading.Event, send: Any) -> None:
        async with contextlib.aclosing(demo.frames(PER_SECOND, stop.is_set)) as frames:
            async for t, state in frames:
                frame = {"t": t, "svg": picture(state), "caption": caption(state)}
                send("frame", json.dumps(frame, ensure_ascii=False))
        send("end", f"live, on this machine: {demo.setup}")


class Handler(BaseHTTPRequestHandler):
    server: "Server"
    protocol_version = "HTTP/1.1"
    timeout = 2.0           # a browser that does not take the pictures is one that went away

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path in ("/", "/talk.html"):
            self._answer(self.server.page.read_bytes(), "text/html; charset=utf-8")
        elif path == "/live":
            self._answer(json.dumps({"running": self.server.stage.running}).encode(), "application/json")
        elif path.removeprefix("/live/") in self.server.stage.demos:
            self._live(path.removeprefix("/live/"))
        else:
            self.send_error(404, "here are /, /live and /live/" + ", /live/".join(self.server.stage.demos))

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def _live(self, name: str) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(OSError):      # nobody listens any more
            self.server.stage.run(name, self._send)

    def _send(self, kind: str, data: str) -> None:
        self.wfile.write(f"event: {kind}\ndata: {data}\n\n".encode())

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """The deck on 127.0.0.1. `port=0` takes a free one."""

    daemon_threads = True

    def __init__(self, page: Path, port: int = 0, demos: dict[str, Demo] | None = None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.page = page
        self.stage = Stage(all_demos() if demos is None else demos)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


def serve(page: Path, *, port: int = 0, browser: bool = True) -> None:
    """Serves until Ctrl-C."""
    with Server(page, port) as server:
        print(f"The talk: {server.url}   (S: speaker notes, ?: all keys, Ctrl-C here: end)", flush=True)
        threading.Thread(target=server.stage.warm_up, daemon=True).start()
        if browser:
            webbrowser.open(server.url)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    print("Stopped.")
