"""In a real kernel: a slider's message reaches an actor on the right loop within 50 ms, from whichever shell it comes;
and a panel sends at most 15 messages a second.
"""

import queue
import time

import pytest
from jupyter_client.manager import start_new_kernel

from tests.notebooks.harness import environment

pytestmark = pytest.mark.notebook

PROGRAM = """
import asyncio, threading, time
import ipykernel, ipywidgets
from asyncpatterns import ActorSystem
from asyncpatterns.live import Bridge
home, loop, seen = threading.get_ident(), asyncio.get_running_loop(), []
def handle(value):
    seen.append((value, time.time(), threading.get_ident() == home, asyncio.get_running_loop() is loop))
system = await ActorSystem("demo").__aenter__()
actor = system.spawn(handle, name="handler")
bridge, slider = Bridge(), ipywidgets.IntSlider()
bridge.observe(slider, actor.tell)
"""


@pytest.fixture(scope="module")
def kernel():
    manager, client = start_new_kernel(env=environment())
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def evaluate(kernel, expression):
    reply = kernel.execute_interactive(
        "", user_expressions={"x": expression}, output_hook=lambda message: None, timeout=30
    )
    told = reply["content"]["user_expressions"]["x"]
    assert told["status"] == "ok", told
    return eval(told["data"]["text/plain"])     # what repr() of numbers, strings, tuples and lists says


def move(kernel, model, value, subshell=None):
    """Sends what a browser sends when the slider is moved, and returns when it was sent."""
    content = {"comm_id": model, "data": {"method": "update", "state": {"value": value}, "buffer_paths": []}}
    message = kernel.session.msg("comm_msg", content)
    if subshell is not None:
        message["header"]["subshell_id"] = subshell
    sent = time.time()
    kernel.shell_channel.send(message)
    return sent


def new_subshell(kernel):
    """The id of a new subshell; skips where the kernel has none."""
    features = kernel.kernel_info(reply=True, timeout=30)["content"].get("supported_features", [])
    if "kernel subshells" not in features:
        pytest.skip("this kernel has no subshells: every callback arrives on the main shell")
    return one_more_subshell(kernel)


def one_more_subshell(kernel):
    """Asks the control thread, so the main shell may be busy."""
    message = kernel.session.msg("create_subshell_request", {})
    kernel.control_channel.send(message)
    while True:
        reply = kernel.get_control_msg(timeout=10)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            return reply["content"]["subshell_id"]


def prepared(kernel):
    kernel.execute_interactive(PROGRAM, output_hook=lambda message: None, timeout=60)
    time.sleep(0.5)
    return evaluate(kernel, "slider.model_id")


@pytest.mark.parametrize("shell", ["main shell", "subshell"])
def test_a_sliders_message_reaches_the_actor_on_the_right_loop_within_50_ms(kernel, shell):
    model = prepared(kernel)
    subshell = new_subshell(kernel) if shell == "subshell" else None
    sent = []
    for value in range(1, 8):
        sent.append(move(kernel, model, value, subshell))
        time.sleep(0.15)            # no cell runs meanwhile: only the message itself can wake the loop up
    seen = evaluate(kernel, "seen")
    assert [value for value, *_ in seen] == list(range(1, 8))
    assert all(home and same for _, _, home, same in seen)
    delays = sorted(arrived - began for (_, arrived, *_), began in zip(seen, sent, strict=True))
    assert delays[len(delays) // 2] < 0.05, delays


@pytest.mark.parametrize("shell", ["main shell", "subshell"])
def test_a_message_arrives_while_an_async_cell_runs(kernel, shell):
    """On which thread the callback comes then is the kernel's affair; the handler is on the right loop all the same."""
    model = prepared(kernel)
    subshell = new_subshell(kernel) if shell == "subshell" else None
    kernel.execute("await asyncio.sleep(1.5)")
    time.sleep(0.3)
    sent = move(kernel, model, 5, subshell)
    seen = evaluate(kernel, "seen")
    assert [(value, *where) for value, _, *where in seen] == [(5, True, True)]
    if evaluate(kernel, "ipykernel.version_info[:2]") >= (7, 4):      # before, it waits until the cell has ended
        assert seen[0][1] - sent < 0.5



DEADLOCK = """
import asyncio, time
from asyncpatterns.testing import Deadlock, run
async def blocked():
    time.sleep(1.0)
    await asyncio.Event().wait()
try:
    run(blocked)
except Deadlock:
    ended = time.time()
"""


def test_a_deadlock_is_seen_also_when_the_page_asks_for_a_subshell_meanwhile(kernel):
    new_subshell(kernel)
    cell = kernel.execute(DEADLOCK)
    time.sleep(0.4)
    one_more_subshell(kernel)
    reply = kernel.get_shell_msg(timeout=20)
    while reply["parent_header"].get("msg_id") != cell:
        reply = kernel.get_shell_msg(timeout=20)
    assert reply["content"]["status"] == "ok"


BUSY_PANEL = """
import asyncio
from asyncpatterns import Batcher
from asyncpatterns.live import race_panel
panel = race_panel({"batched": Batcher(lambda items: items)}, ["a"], rate=300, seconds=60)
panel.frames_per_second = 15
panel.start()
"""


def test_at_most_fifteen_messages_a_second_leave_the_kernel_for_a_panel(kernel):
    kernel.execute_interactive(BUSY_PANEL, output_hook=lambda message: None, timeout=60)
    frames, messages, began = evaluate(kernel, "panel.meter.frames"), 0, time.monotonic()
    while (elapsed := time.monotonic() - began) < 3:
        try:
            messages += kernel.get_iopub_msg(timeout=0.1)["msg_type"].startswith("comm_")
        except queue.Empty:
            continue
    drawn = evaluate(kernel, "panel.meter.frames") - frames
    kernel.execute_interactive("panel.close()", output_hook=lambda message: None, timeout=60)
    assert drawn >= 5 and messages <= 15 * elapsed + 5      # 5: its buttons, once, and what was under way
