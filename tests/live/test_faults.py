"""The panel with fault buttons: what a press does to the team, on a virtual clock."""

import asyncio

from asyncpatterns import Actor, ActorSystem, Child, Mailbox, Supervisor
from asyncpatterns.live import close_panels, draw, fault_panel
from asyncpatterns.testing import run

FAULTS = {
    "raise": lambda ref: ref.tell("raise"),
    "stall": lambda ref: ref.tell("stall"),
    "kill": lambda ref: ref.kill(),
    "fill the mailbox": lambda ref: [ref.tell("work") for _ in range(100)],
}


class Clerk(Actor):
    async def receive(self, message):
        if message == "raise":
            raise RuntimeError("a fault")
        await asyncio.sleep(10 if message == "stall" else 0.01)


async def opened(system, **limits):
    def team(strategy):
        children = [Child(name, Clerk, mailbox=Mailbox(50)) for name in ("a", "b", "c")]
        return system.spawn(Supervisor, children, strategy=strategy, name="team", **limits)

    panel = fault_panel(system, team, FAULTS, seconds=None,
                        traffic=lambda team: [child.tell("work") for child in team.children().values()])
    panel.start()
    await asyncio.sleep(1)
    return panel


def rows(panel):
    return {node["name"]: node for node in panel.sample()["nodes"]}


def restarts(panel):
    return {name: node["restarts"] for name, node in rows(panel).items() if name != "team"}


async def press(panel, word, whom="b"):
    panel.desk.whom.value = whom
    panel.desk.buttons[word].click()
    await asyncio.sleep(0.5)


def in_a_system(test):
    async def main():
        async with ActorSystem("demo") as system:
            await test(system)
            await close_panels()

    run(main)


def test_each_strategy_restarts_whom_it_says_and_the_picture_marks_them_for_a_moment():
    async def test(system):
        panel = await opened(system)
        for strategy, back in (("one_for_one", "b"), ("one_for_all", "abc"), ("rest_for_one", "bc")):
            panel.desk.strategies.value = strategy
            await asyncio.sleep(1)
            assert restarts(panel) == {"a": 0, "b": 0, "c": 0} and strategy in panel.sample()["title"]
            await press(panel, "raise")
            assert restarts(panel) == {name: int(name in back) for name in "abc"}
            assert "".join(name for name, node in rows(panel).items() if node["fresh"]) == back
            assert f"just restarted: {', '.join(back)}" in draw(panel.sample())
            await asyncio.sleep(3)
            assert not any(node["fresh"] for node in rows(panel).values())

    in_a_system(test)


def test_a_kill_restarts_a_stall_does_not_and_a_full_mailbox_makes_dead_letters():
    async def test(system):
        panel = await opened(system)
        await press(panel, "kill", "a")
        assert restarts(panel) == {"a": 1, "b": 0, "c": 0}
        await press(panel, "stall", "b")
        await asyncio.sleep(2)
        assert restarts(panel)["b"] == 0 and rows(panel)["b"]["mailbox"] >= 20
        await press(panel, "fill the mailbox", "c")
        assert system.dead_letters.total >= 50 and restarts(panel)["c"] == 0

    in_a_system(test)


def test_a_team_that_gave_up_says_so_and_starts_anew_with_the_panel():
    async def test(system):
        panel = await opened(system, max_restarts=1)
        first = panel.team
        for _ in range(3):
            await press(panel, "raise")
        picture = draw(panel.sample())
        assert "given up" in picture and "a new team begins" in picture and restarts(panel) == {}
        panel.stop()
        await asyncio.sleep(1)
        panel.start()
        await asyncio.sleep(1)
        assert panel.team is not first and restarts(panel) == {"a": 0, "b": 0, "c": 0}

    in_a_system(test)


def test_a_fault_or_a_strategy_starts_a_panel_that_stands():
    async def test(system):
        panel = await opened(system)
        panel.stop()
        await asyncio.sleep(1)
        await press(panel, "raise")
        assert panel.running and restarts(panel) == {"a": 0, "b": 1, "c": 0}
        panel.stop()
        await asyncio.sleep(1)
        panel.desk.strategies.value = "one_for_all"
        await asyncio.sleep(1)
        assert panel.running and restarts(panel) == {"a": 0, "b": 0, "c": 0}

    in_a_system(test)


def test_a_fault_that_finds_no_team_starts_a_new_one_and_leaves_it_alone():
    async def test(system):
        panel = await opened(system, max_restarts=0)
        await press(panel, "raise")
        panel.stop()
        await asyncio.sleep(1)
        await press(panel, "raise")
        assert restarts(panel) == {"a": 0, "b": 0, "c": 0} and "given up" not in draw(panel.sample())

    in_a_system(test)


def test_traffic_is_what_the_team_is_given_while_the_panel_runs():
    async def test(system):
        panel = await opened(system)
        handled = rows(panel)["a"]["handled"]
        assert 5 <= handled <= 12
        panel.stop()
        await asyncio.sleep(2)
        assert rows(panel)["a"]["handled"] <= handled + 1

    in_a_system(test)
