"""Supervision: who is restarted, when, in which order, and what happens when that does not help."""

import asyncio
import math

import pytest

from asyncpatterns import (
    Actor,
    ActorStopped,
    ActorSystem,
    Child,
    Supervisor,
    TooManyRestarts,
)
from asyncpatterns.testing import run

from .helpers import Echo, Logger, Sleeper


def now():
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("end", ["stop", "kill", "fail"])
def test_the_restart_matrix(restart, end):
    comes_back = restart == "permanent" or (restart == "transient" and end != "stop")

    async def main():
        async with ActorSystem("s") as system:
            sup = system.spawn(Supervisor, [Child("a", Echo, restart=restart)])
            ref = sup.children()["a"]
            assert await ref.ask(1) == 1
            ref.tell(ValueError()) if end == "fail" else getattr(ref, end)()
            await asyncio.sleep(0.1)
            assert sup.count() == comes_back and ("a" in sup.children()) == comes_back
            if comes_back:
                assert await ref.ask(2) == 2        # the reference stays valid
            else:
                await ref.stopped(timeout=0)
                with pytest.raises(ActorStopped):
                    await ref.ask(2)
            known = restart != "temporary" or comes_back
            if known:
                assert await sup.restart_child("a") == ref
                assert await ref.ask(3) == 3
            else:
                with pytest.raises(KeyError):
                    await sup.restart_child("a")

    run(main)


def test_mail_survives_a_restart_and_the_message_that_crashed_is_not_handled_again():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            sup = system.spawn(Supervisor, [Child("a", Logger, log)])
            ref = sup.children()["a"]
            error = ValueError("boom")
            for message in (1, error, 2):
                ref.tell(message)
            asked = await ref.ask(3)
            assert asked == 3
            assert log == [("a", "start"), ("a", 1), ("a", "stop", error), ("a", "start"), ("a", 2), ("a", 3)]
            assert system.tree().roots[0].children[0].restarts == 1
            assert system.dead_letters.total == 0

    run(main)


def test_the_old_on_stop_ends_before_the_new_on_start_and_the_new_takes_over_in_between():
    log = []

    class Slow(Actor):
        def __init__(self):
            log.append("init")

        def _take_over(self, old):
            log.append("take over")
            assert old is not self

        async def on_start(self):
            log.append("start")

        def receive(self, message):
            raise message

        async def on_stop(self, reason):
            await asyncio.sleep(1)
            log.append("stopped")

    async def main():
        async with ActorSystem("s") as system:
            sup = system.spawn(Supervisor, [Child("a", Slow)])
            sup.children()["a"].tell(ValueError())
            await asyncio.sleep(2)
            assert log == ["init", "start", "stopped", "init", "take over", "start"]

    run(main)


@pytest.mark.parametrize(
    ("strategy", "restarted"), [("one_for_one", "b"), ("one_for_all", "abc"), ("rest_for_one", "bc")]
)
def test_strategies_stop_right_to_left_and_start_left_to_right(strategy, restarted):
    async def main():
        async with ActorSystem("s") as system:
            log = []
            sup = system.spawn(Supervisor, [Child(x, Logger, log) for x in "abc"], strategy=strategy)
            await sup.children()["c"].ask(0)
            log.clear()
            sup.children()["b"].tell(ValueError())
            await asyncio.sleep(1)
            others = [x for x in restarted if x != "b"]
            stops = ["b", *reversed(others)]
            assert [entry[0] for entry in log if entry[1] == "stop"] == stops
            assert [entry[0] for entry in log[len(stops) :]] == list(restarted)
            assert all(entry[1] == "start" for entry in log[len(stops) :])

    run(main)


def test_in_a_group_restart_siblings_finish_the_running_message_and_keep_the_rest_of_their_mail():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            children = [Child("a", Echo), Child("b", Sleeper, log)]
            sup = system.spawn(Supervisor, children, strategy="one_for_all")
            a, b = sup.children().values()
            for i in (2, 1, 1):
                b.tell(i)
            asked = asyncio.create_task(b.ask(0, timeout=None))
            await asyncio.sleep(1)
            a.tell(ValueError())
            a.tell("kept")
            assert await asked == 0
            assert [i for what, i, _ in log if what == "end"] == [2, 1, 1, 0] and now() == 4
            nodes = system.tree().roots[0].children
            assert [node.restarts for node in nodes] == [1, 1] and nodes[0].handled == 1

    run(main)


def test_a_sibling_that_does_not_finish_within_its_shutdown_is_cut_and_keeps_its_mail():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            children = [Child("a", Echo), Child("b", Sleeper, log, shutdown=2.0)]
            sup = system.spawn(Supervisor, children, strategy="one_for_all")
            a, b = sup.children().values()
            b.tell(100)
            b.tell(1)
            await asyncio.sleep(1)
            a.tell(ValueError())
            await asyncio.sleep(10)
            assert [(i, t) for what, i, t in log if what == "end"] == [(1, 4)]

    run(main)


def test_children_start_left_to_right_each_when_the_one_before_has_started():
    async def main():
        log = []

        class Slow(Actor):
            async def on_start(self):
                log.append((self.ref.name, "begin", now()))
                await asyncio.sleep(1)
                log.append((self.ref.name, "end", now()))

            def receive(self, message):
                return message

        async with ActorSystem("s") as system:
            sup = system.spawn(Supervisor, [Child(x, Slow) for x in "abc"])
            assert list(sup.children()) == ["a", "b", "c"] and sup.count() == 3      # every id at once
            assert await sup.children()["c"].ask("early") == "early"      # mail waits for the start
        assert log == [(x, what, i + (what == "end")) for i, x in enumerate("abc") for what in ("begin", "end")]

    run(main)


def test_a_failing_first_start_fails_the_supervisor_and_stops_the_started_siblings_right_to_left():
    async def main():
        async with ActorSystem("s") as system:
            log = []

            def fail():
                raise ValueError("no start")

            children = [Child(x, Logger, log) for x in "ab"]
            children += [Child("c", Logger, log, fail), Child("d", Echo)]
            sup = system.spawn(Supervisor, children)
            d = sup.children()["d"]
            d.tell("lost")
            assert isinstance(await sup.stopped(), ValueError)
            names = [(entry[0], entry[1]) for entry in log]
            assert names == [("a", "start"), ("b", "start"), ("c", "start"), ("b", "stop"), ("a", "stop")]
            await d.stopped()
            assert [letter.message for letter in system.dead_letters] == ["lost"]
            assert sup.children() == {} and sup.count() == 0
            with pytest.raises(ActorStopped):
                await sup.start_child(Child("x", Echo))

    run(main)


def test_the_intensity_is_a_sliding_window():
    async def main():
        async with ActorSystem("s") as system:
            sup = system.spawn(Supervisor, [Child("a", Echo)], max_restarts=2, within=10.0)
            ref = sup.children()["a"]
            for moment in (0, 6, 11, 17):       # never three within ten seconds
                await asyncio.sleep(moment - now())
                ref.tell(ValueError())
                await asyncio.sleep(0)
            assert await ref.ask(1) == 1
            await asyncio.sleep(18 - now())
            error = ValueError("too much")
            ref.tell(error)
            reason = await sup.stopped()
            assert isinstance(reason, TooManyRestarts) and reason.__cause__ is error and now() == 18
            assert await ref.stopped() is error

    run(main)


def test_a_failing_start_during_a_restart_counts_and_is_tried_again():
    async def main():
        attempts = []

        class Flaky(Actor):
            def on_start(self):
                attempts.append(1)
                if 1 < len(attempts) < 4:
                    raise ValueError("not yet")

            def receive(self, message):
                if message == "crash":
                    raise ValueError
                return message

        for allowed in (3, 2):
            attempts.clear()
            async with ActorSystem("s") as system:
                sup = system.spawn(Supervisor, [Child("a", Flaky)], max_restarts=allowed)
                ref = sup.children()["a"]
                ref.tell("crash")
                asked = asyncio.create_task(ref.ask("kept"))
                await asyncio.sleep(1)
                if allowed == 3:
                    assert await asked == "kept" and len(attempts) == 4
                else:
                    assert isinstance(await sup.stopped(), TooManyRestarts)
                    with pytest.raises(ActorStopped):
                        await asked

    run(main)


def test_it_answers_while_a_child_keeps_failing():
    class Hopeless(Actor):
        started = False

        def __init__(self):
            if Hopeless.started:
                raise ValueError("never again")
            Hopeless.started = True

        def receive(self, message):
            raise ValueError

    async def main():
        async with ActorSystem("s") as system:
            children = [Child("bad", Hopeless), Child("good", Echo)]
            sup = system.spawn(Supervisor, children, max_restarts=10**9)
            sup.children()["bad"].tell(1)
            for _ in range(20):
                await asyncio.sleep(0)
            assert sup.count() == 2 and list(sup.children()) == ["bad", "good"]
            await sup.stop_child("good")
            assert list(sup.children()) == ["bad"]
            assert (await sup.restart_child("good")) == sup.children()["good"]
            await sup.stop_child("bad")
            assert list(sup.children()) == ["good"]

    run(main)


def test_escalation_through_nested_supervisors_and_new_references_below():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            inner = Child("inner", Supervisor, [Child("x", Logger, log)], max_restarts=0)
            outer = system.spawn(Supervisor, [inner, Child("y", Logger, log)], strategy="one_for_all")
            ref = outer.children()["inner"]
            x = ref.children()["x"]
            await x.ask(0)
            x.tell(ValueError())
            await asyncio.sleep(1)
            assert outer.children()["inner"] == ref
            fresh = ref.children()["x"]
            assert fresh != x and await fresh.ask(1) == 1
            with pytest.raises(ActorStopped):
                await x.ask(1)
            assert [entry[0] for entry in log if entry[1] == "start"] == ["x", "y", "x", "y"]

    run(main)


@pytest.mark.parametrize(("shutdown", "expected"), [(2.0, 2.0), (0, 0.0), (math.inf, 20.0)])
def test_shutdown_bounds_draining_and_on_stop_together(shutdown, expected):
    class Slow(Sleeper):
        async def on_stop(self, reason):
            await asyncio.sleep(10)

    async def main():
        async with ActorSystem("s") as system:
            sup = system.spawn(Supervisor, [Child("a", Slow, shutdown=shutdown)])
            ref = sup.children()["a"]
            ref.tell(10)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            started = now()
            await sup.stop_child("a")
            assert now() - started == expected
            assert await ref.stopped() == ("stopped" if expected == 20 else "killed")

    run(main)


def test_children_are_stopped_right_to_left_when_the_supervisor_is():
    async def main():
        for end in ("stop", "kill"):
            async with ActorSystem("s") as system:
                log = []
                sup = system.spawn(Supervisor, [Child(x, Logger, log) for x in "abc"])
                await sup.children()["c"].ask(1)
                getattr(sup, end)()
                await sup.stopped()
                stops = [entry[0] for entry in log if entry[1] == "stop"]
                assert sorted(stops) == ["a", "b", "c"] and (end == "kill" or stops == ["c", "b", "a"])

    run(main)
