"""A panel draws seldom and cheaply, leaves nothing running, and does not hide a failure."""

import asyncio
import itertools
import re
from types import SimpleNamespace

import pytest

from asyncpatterns.live import (
    BackgroundFailure,
    Panel,
    Recording,
    background_failures,
    close_panels,
    draw,
    open_panels,
    replay_panel,
    settle,
    stop_panels,
    watch_failures,
)
from asyncpatterns.live import panel as panel_module
from asyncpatterns.testing import run

TREE = {"view": "tree", "name": "demo", "dead_letters": 0, "nodes": [
    {"name": f"actor {i}", "depth": 0, "kind": "actor", "state": "idle", "mailbox": 0, "capacity": None, "handled": 0,
     "failed": 0, "restarts": 0} for i in range(20)]}


def state():
    now = asyncio.get_running_loop().time()
    return {
        "view": "latency",
        "points": [{"t": now, "p50": 0.001 + now / 1e3, "p99": 0.1, "answered": 1}],
        "slice": 0.5,
    }


def counting(panel):
    messages = []
    panel.picture.observe(lambda change: messages.append(change.new), "value")
    return messages


def test_a_panel_draws_at_most_fifteen_pictures_a_second():
    async def main():
        panel = Panel(state, name="quick", frames_per_second=15)
        panel.meter.drew = lambda cost: None        # cheap, also on a machine that is busy
        messages = counting(panel)
        panel.start()
        await asyncio.sleep(10)
        await close_panels()
        assert 100 <= len(messages) <= 150

    run(main)


def test_more_than_fifteen_pictures_a_second_are_refused():
    async def main():
        with pytest.raises(ValueError, match="at most 15"):
            Panel(state, name="too quick", frames_per_second=60)

    run(main)


def test_dear_frames_become_rare():
    async def main():
        panel = Panel(state, name="dear")
        messages = counting(panel)
        panel.meter.drew(0.1)
        panel.meter.drew = lambda cost: None
        panel.start()
        await asyncio.sleep(20.5)
        await close_panels()
        assert len(messages) == 10      # a tenth of a second each: one in two seconds

    run(main)


@pytest.mark.parametrize(("cost", "frames"), [(0.0008, 150), (0.0010, 125), (0.0015, 83), (0.003, 80), (0.006, 80),
                                              (0.010, 50)])
def test_frames_get_rarer_as_they_get_dearer_down_to_eight_a_second_and_then_only_as_far_as_they_must(cost, frames):
    async def main():
        panel = Panel(state, name="pace", frames_per_second=15)
        messages = counting(panel)
        panel.meter.cost, panel.meter.drew = cost, lambda cost: None
        panel.start()
        await asyncio.sleep(10.06)
        await close_panels()
        assert frames - 2 <= len(messages) <= frames

    run(main)


def test_between_the_pieces_of_a_picture_the_loop_goes_on(monkeypatch):
    """A clock on which every look takes 0.15 ms: of drawing, no more than two looks happen without the loop's turn."""
    looks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: next(looks) * 0.15e-3)     # the panel's alone: others look too
    monkeypatch.setattr(panel_module, "time", clock)

    async def main():
        panel = Panel(lambda: TREE, name="pieces", seconds=0.15)
        held, before = [], next(looks)
        panel.start()
        while panel.running:
            await asyncio.sleep(1e-3)
            now = next(looks)
            held.append(now - before)
            before = now
        assert panel.meter.frames == 1 and max(held) <= 5 and len([each for each in held if each > 1]) > 8
        assert panel.picture.value.startswith(draw(TREE))
        await close_panels()

    run(main)


def test_a_picture_is_of_one_moment_though_it_is_drawn_in_many(monkeypatch):
    monkeypatch.setattr(panel_module, "PIECE", 0.0)
    handled = itertools.count(100)

    def later():
        moment = next(handled)
        return {**TREE, "nodes": [{**node, "handled": moment} for node in TREE["nodes"]]}

    async def main():
        panel = Panel(later, name="moment", seconds=1.0)
        shown = counting(panel)
        await panel.start().wait()
        moments = [re.findall(r">(1\d\d)</text>", picture) for picture in shown]
        assert len(shown) >= 3 and all(len(each) == 20 and len(set(each)) == 1 for each in moments)
        await close_panels()

    run(main)


def test_a_panel_that_is_stopped_in_the_middle_of_a_picture_shows_the_last_whole_one(monkeypatch):
    monkeypatch.setattr(panel_module, "PIECE", 0.0)

    async def main():
        panel = Panel(lambda: TREE, name="stopped")
        shown = counting(panel)
        panel.start()
        await asyncio.sleep(0.1 + 2 * panel_module.REST)
        panel.stop()
        await panel.wait()
        assert not shown and draw(TREE) in panel.picture.value
        await close_panels()

    run(main)


def test_a_picture_that_looks_like_the_last_one_is_sent_but_once_a_second():
    still = {**TREE, "name": "still"}

    async def main():
        panel = Panel(lambda: still, name="still")
        messages = counting(panel)
        panel.start()
        await asyncio.sleep(5.15)
        assert len(messages) <= 5 and 4 <= panel.meter.frames <= 5
        still["name"] = "moved"
        await asyncio.sleep(0.15)
        assert "moved" in messages[-1]
        await close_panels()

    run(main)


def test_a_panel_that_is_started_again_shows_at_once_that_nothing_failed():
    async def main():
        async def broken():
            await asyncio.sleep(0.5)
            raise OSError("no model")

        panel = Panel(lambda: TREE, name="again", work=[broken])
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        with pytest.raises(OSError):
            await panel.start().wait()
        assert "no model" in panel.picture.value
        panel.start()
        await asyncio.sleep(0.15)
        assert "no model" not in panel.picture.value
        await close_panels()

    run(main)


def test_the_calm_checkbox_makes_it_one_picture_a_second():
    async def main():
        panel = Panel(state, name="calm")
        panel.calm.value = True
        messages = counting(panel)
        panel.start()
        await asyncio.sleep(10.5)
        await close_panels()
        assert len(messages) == 10

    run(main)


def test_nothing_runs_before_start_and_nothing_after_stop():
    async def main():
        before = asyncio.all_tasks()
        ended = []

        async def work():
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(True)

        panel = Panel(state, name="tidy", work=[work])
        assert asyncio.all_tasks() == before and not panel.running
        panel.start()
        panel.start()
        await asyncio.sleep(1)
        assert panel.running and len(asyncio.all_tasks()) == len(before) + 2
        panel.stop()
        await panel.wait()
        assert asyncio.all_tasks() == before and ended == [True] and not panel.running

    run(main)


def test_a_panel_stops_by_itself_after_its_seconds_and_can_start_again():
    async def main():
        panel = Panel(state, name="short", seconds=3.0)
        for _ in range(2):
            begin = asyncio.get_running_loop().time()
            await panel.start().wait()
            assert 3.0 <= asyncio.get_running_loop().time() - begin < 3.3
            assert not panel.running and not panel.start_button.disabled and panel.stop_button.disabled

    run(main)


def test_work_that_ends_early_does_not_end_the_panel():
    async def main():
        async def brief():
            await asyncio.sleep(0.1)

        panel = Panel(state, name="brief", work=[brief], seconds=2.0).start()
        await asyncio.sleep(1)
        assert panel.running
        await panel.wait()

    run(main)


def test_the_buttons_start_and_stop_it():
    async def main():
        panel = Panel(state, name="buttons")
        panel.start_button.click()
        await asyncio.sleep(1)
        assert panel.running and panel.start_button.disabled and not panel.stop_button.disabled
        panel.stop_button.click()
        await asyncio.sleep(1)
        assert not panel.running

    run(main)


def test_close_leaves_no_task_no_widget_and_no_entry():
    async def main():
        before = asyncio.all_tasks()
        panel = Panel(state, name="gone").start()
        await asyncio.sleep(1)
        await close_panels()
        assert asyncio.all_tasks() == before and open_panels() == [] and panel.widget.comm is None

    run(main)


def test_a_second_panel_of_the_same_name_closes_the_first():
    async def main():
        first = Panel(state, name="twice").start()
        second = Panel(state, name="twice").start()
        await asyncio.sleep(1)
        assert not first.running and second.running and open_panels() == [second]
        await close_panels()

    run(main)


def test_stop_panels_stops_them_all_and_keeps_the_pictures():
    async def main():
        panels = [Panel(state, name=f"panel {i}").start() for i in range(3)]
        await asyncio.sleep(1)
        await stop_panels()
        assert not any(panel.running for panel in panels) and len(open_panels()) == 3
        await close_panels()

    run(main)


def test_failing_work_is_shown_raised_by_wait_and_given_to_the_loop():
    async def main():
        told = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))

        async def broken():
            await asyncio.sleep(0.5)
            raise ZeroDivisionError("the model divides by <zero>")

        panel = Panel(state, name="broken", work=[broken]).start()
        with pytest.raises(ZeroDivisionError):
            await panel.wait()
        assert not panel.running and [type(problem) for problem in told] == [ZeroDivisionError]
        assert "Stopped by an error: ZeroDivisionError: the model divides by &lt;zero&gt;" in panel.picture.value
        assert "failed" in repr(panel)
        await close_panels()

    run(main)


def test_a_picture_that_cannot_be_drawn_is_a_failure_too():
    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        states = [state(), {"view": "nothing"}]
        panel = Panel(lambda: states.pop(0) if len(states) > 1 else states[0], name="undrawable").start()
        with pytest.raises(ValueError, match="nothing"):
            await panel.wait()
        await close_panels()

    run(main)


def test_a_failing_handler_of_a_control_stops_the_panel_with_its_error():
    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        panel = Panel(state, name="handler").start()
        panel.bridge.call(lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await panel.wait()
        await close_panels()

    run(main)


def test_a_panel_says_what_it_costs_and_how_late_the_loop_is():
    async def main():
        panel = Panel(state, name="honest", seconds=1.0)
        assert "nothing drawn yet" in panel.picture.value
        await panel.start().wait()
        assert "a frame" in panel.picture.value and "wakes up late by" in panel.picture.value
        await close_panels()

    run(main)


def test_settle_raises_what_failed_in_the_background_once():
    async def main():
        watch_failures()

        async def fail(words):
            raise RuntimeError(words)

        held = asyncio.ensure_future(fail("held by a variable"))
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(fail("held by nobody")))
        seen = asyncio.ensure_future(fail("expected, and looked at"))
        await asyncio.sleep(1)
        assert isinstance(seen.exception(), RuntimeError)
        assert {str(problem) for problem in background_failures()} == {"held by a variable", "held by nobody"}
        with pytest.raises(BackgroundFailure) as caught:
            await settle()
        assert {str(problem) for problem in caught.value.failures} == {"held by a variable", "held by nobody"}
        await settle()
        assert held.done()

    run(main)


def test_settle_closes_the_panels_and_tells_of_a_panel_that_failed():
    async def main():
        watch_failures()

        async def broken():
            raise OSError("no model")

        Panel(state, name="one", work=[broken]).start()
        Panel(state, name="two").start()
        await asyncio.sleep(1)
        with pytest.raises(BackgroundFailure, match="OSError: no model"):
            await settle()
        assert open_panels() == []

    run(main)


def test_a_recording_is_saved_loaded_and_replayed_by_the_same_renderer(tmp_path):
    async def main():
        panel = Panel(state, name="recorded", record=True, seconds=5.0)
        panel.meter.drew = lambda cost: None
        await panel.start().wait()
        panel.recording.save(tmp_path / "run.json")
        recording = Recording.load(tmp_path / "run.json")
        assert len(recording) == len(panel.recording) > 40 and recording.frames[0]["t"] == 0.0
        assert recording.svg(recording.duration + 9) in panel.picture.value
        replay = replay_panel(recording, speed=2.0)
        await replay.start().wait()
        assert recording.svg(recording.duration) in replay.picture.value
        await close_panels()

    run(main)


def test_a_long_recording_loses_resolution_and_not_its_start():
    recording = Recording(keep=100)
    for t in range(1000):
        recording.add(100.0 + t, {"view": "latency", "points": [], "slice": 1.0})
    assert len(recording) <= 100 and recording.frames[0]["t"] == 0.0 and recording.duration > 980


def test_a_file_that_is_no_recording_is_refused_with_what_was_expected(tmp_path):
    (tmp_path / "bad.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match="not a recording"):
        Recording.load(tmp_path / "bad.json")
