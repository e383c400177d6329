"""The live button's other end: a demo runs while somebody looks, and not a moment longer."""

import json
import threading
import time
import urllib.request
from contextlib import asynccontextmanager

import pytest

from slides.demos import Demo, all_demos
from slides.serve import Server

STATE = {"view": "tree", "name": "test", "nodes": [], "total": 0, "dead_letters": 0}


class Watched:
    """A demo that counts who is inside it."""

    def __init__(self):
        self.inside = self.most = self.started = 0

    @asynccontextmanager
    async def __call__(self):
        self.inside += 1
        self.started += 1
        self.most = max(self.most, self.inside)
        try:
            yield lambda: STATE
        finally:
            self.inside -= 1


@pytest.fixture
def watched():
    return Watched()


@pytest.fixture
def server(tmp_path, watched):
    page = tmp_path / "talk.html"
    page.write_text("<!doctype html><title>talk</title>")
    demos = {name: Demo(name, 60.0 if name == "long" else 0.3, "here", lambda: None, watched)
             for name in ("long", "short")}
    with Server(page, demos=demos) as server:
        server.stage.warm_up()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def listen(server, name):
    return urllib.request.urlopen(f"{server.url}live/{name}", timeout=5)


def events(response):
    kind = ""
    for line in response:
        if line.startswith(b"event: "):
            kind = line[7:].decode().strip()
        elif line.startswith(b"data: "):
            yield kind, line[6:].decode().strip()


def until(condition, seconds=2.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def running(server):
    with urllib.request.urlopen(f"{server.url}live", timeout=5) as response:
        return json.load(response)["running"]


def first_picture(server):
    """Seconds from asking to the first picture, and that picture."""
    began = time.monotonic()
    with listen(server, "long") as response:
        kind, data = next(events(response))
        return time.monotonic() - began, kind, json.loads(data)


def test_the_first_picture_comes_within_200_ms(server):
    tries = [first_picture(server) for _ in range(5)]       # the quickest: the machine may be busy with something else
    assert min(took for took, _, _ in tries) < 0.2
    assert all(kind == "frame" and frame["svg"].startswith("<svg") and frame["caption"] for _, kind, frame in tries)


def test_a_run_ends_by_itself_and_says_so(server, watched):
    with listen(server, "short") as response:
        kinds = [kind for kind, _ in events(response)]
    assert kinds[-1] == "end" and kinds.count("frame") >= 3
    assert until(lambda: running(server) is None) and watched.inside == 0


def test_leaving_ends_the_run(server, watched):
    with listen(server, "long") as response:
        next(events(response))
        assert running(server) == "long"
    assert until(lambda: running(server) is None) and watched.inside == 0


def test_a_second_press_ends_the_first_run_and_two_never_run_at_once(server, watched):
    with listen(server, "long") as first, listen(server, "short") as second:
        assert [kind for kind, _ in events(second)][-1] == "end"
        assert [kind for kind, _ in events(first)][-1] == "end"
    assert until(lambda: running(server) is None)
    assert watched.inside == 0 and watched.most == 1 and watched.started <= 2


def test_a_demo_that_cannot_run_here_says_why(server):
    def broken():
        raise RuntimeError("no TensorFlow on this laptop")

    server.stage.demos["long"].prepare = broken
    server.stage.warm_up()
    with listen(server, "long") as response:
        assert list(events(response)) == [("end", "cannot run here: RuntimeError: no TensorFlow on this laptop")]


def test_the_demo_without_a_model_is_ready_before_the_models_are(tmp_path):
    """A slide's button must not say for ten seconds that it loads what it does not need."""
    page = tmp_path / "talk.html"
    page.write_text("<!doctype html>")
    loading, demos = threading.Event(), all_demos()
    for demo in demos.values():
        if demo.name != "tree":
            demo.prepare = lambda: loading.wait(10)
    with Server(page, demos=demos) as server:
        warming = threading.Thread(target=server.stage.warm_up)
        warming.start()
        try:
            assert until(server.stage._ready["tree"].is_set) and not server.stage._ready["race"].is_set()
        finally:
            loading.set()
            warming.join()


def test_it_listens_on_this_machine_only(server):
    assert server.server_address[0] == "127.0.0.1"


def test_the_crash_demo_really_runs_and_leaves_nothing():
    import asyncio

    async def watch():
        demo = all_demos()["tree"]
        demo.seconds = 1.2
        states = [state async for _, state in demo.frames(10.0)]
        await asyncio.sleep(0)
        return states, asyncio.all_tasks() - {asyncio.current_task()}

    states, left = asyncio.run(watch())
    assert sum(node["handled"] for node in states[-1]["nodes"]) > sum(node["handled"] for node in states[0]["nodes"])
    assert not left
