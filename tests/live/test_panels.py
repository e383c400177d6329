"""Ready panels show what the parts say of themselves."""

import asyncio
import json
import math

import ipywidgets
import pytest

from asyncpatterns import Actor, ActorSystem, Channel, Child, Supervisor
from asyncpatterns.live import channels_panel, close_panels, draw, tree_panel
from asyncpatterns.live.panels import channels_state, tree_state
from asyncpatterns.testing import run


class Fragile(Actor):
    def receive(self, message):
        if message == "break":
            raise ValueError("broken, as asked")
        return message


def test_the_tree_shows_every_actor_and_its_restarts():
    async def main():
        async with ActorSystem("demo") as system:
            children = system.spawn(Supervisor, [Child("db", Fragile), Child("web", Fragile)], name="all")
            panel = tree_panel(system, buttons={"break db": lambda: children.children()["db"].tell("break")}).start()
            await asyncio.sleep(1)
            before = {node["name"]: node for node in panel.sample()["nodes"]}
            assert {"all", "db", "web"} <= before.keys() and before["db"]["restarts"] == 0
            panel.widget.children[0].children[0].click()
            await asyncio.sleep(1)
            after = {node["name"]: node for node in panel.sample()["nodes"]}
            assert after["db"]["restarts"] == after["db"]["failed"] == 1 and after["web"]["restarts"] == 0
            assert "restarts 1" in panel.picture.value
            await close_panels()

    run(main)


def test_a_large_system_is_counted_whole_and_shown_in_part():
    async def main():
        async with ActorSystem("crowd") as system:
            for _ in range(1000):
                system.spawn(Fragile)
            state = tree_state(system)
            assert state["total"] >= 1000 and len(state["nodes"]) == 100
            assert "more" in draw(json.loads(json.dumps(state, allow_nan=False)))

    run(main)


def test_the_stages_of_a_pipeline_run_as_long_as_their_panel():
    async def main():
        jobs, slider = Channel(4, name="jobs"), ipywidgets.IntSlider()

        async def produce():
            while True:
                await jobs.send("job")

        panel = channels_panel([jobs], work=[produce], controls=[slider], seconds=1.0).start()
        await panel.wait()
        facts = jobs.statistics()
        assert (facts.buffered, facts.senders_waiting) == (4, 0)
        assert slider in panel.widget.children and "4 of 4" in panel.picture.value
        await close_panels()

    run(main)


def test_channels_are_shown_as_they_say_themselves():
    async def main():
        full, open_end, meeting = Channel(2, name="full"), Channel(math.inf), Channel(0, name="meeting")
        full.send_nowait(1)
        full.send_nowait(2)
        waiting = asyncio.ensure_future(full.send(3))
        panel = channels_panel([full, open_end, meeting], seconds=1.0).start()
        await panel.wait()
        first, second, third = panel.sample()["channels"]
        assert (first["name"], first["buffered"], first["capacity"], first["senders_waiting"]) == ("full", 2, 2, 1)
        assert second["name"] == "channel 2" and second["capacity"] is None and third["capacity"] == 0
        assert "1 sender waits" in panel.picture.value and "unbounded" in panel.picture.value
        json.dumps(channels_state([full, open_end]), allow_nan=False)
        waiting.cancel()
        await close_panels()

    run(main)


@pytest.mark.parametrize("failing", [lambda: 1 / 0])
def test_a_button_whose_function_fails_stops_the_panel_and_shows_why(failing):
    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with ActorSystem("demo") as system:
            panel = tree_panel(system, buttons={"oops": failing}).start()
            panel.widget.children[0].children[0].click()
            with pytest.raises(ZeroDivisionError):
                await panel.wait()
            assert "Stopped by an error" in panel.picture.value
            await close_panels()

    run(main)
