"""Supervision: what a supervisor can be told, options, and the corners where ends and restarts meet."""

import asyncio
import math

import pytest

from asyncpatterns import (
    Actor,
    ActorStopped,
    ActorSystem,
    AskCycle,
    Child,
    Mailbox,
    Supervisor,
)
from asyncpatterns.testing import run

from .helpers import Echo, Logger, Sleeper


def now():
    return asyncio.get_running_loop().time()


def test_start_stop_and_restart_by_hand():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            sup = system.spawn(Supervisor, [Child("a", Echo)], max_restarts=0, max_children=2)
            b = await sup.start_child(Child("b", Logger, log))
            assert sup.children()["b"] == b and b.path == f"{sup.path}/b"
            with pytest.raises(ValueError, match="may have"):
                await sup.start_child(Child("c", Echo))
            with pytest.raises(ValueError, match="already"):
                await sup.start_child(Child("a", Echo))
            for call in (sup.stop_child, sup.restart_child):
                with pytest.raises(KeyError):
                    await call("nobody")
            b.tell(1)
            assert await sup.restart_child("b") == b        # does not count
            await sup.restart_child("b")
            assert await b.ask(2) == 2
            await sup.stop_child("b")
            await sup.stop_child("b")
            assert sup.count() == 1 and await b.stopped() == "stopped"
            with pytest.raises(ValueError):
                await sup.start_child(Child("b", Echo))     # the id is taken: it can be restarted
            assert await sup.restart_child("b") == b and await b.ask(3) == 3
            with pytest.raises(ValueError, match="bad"):
                await sup.stop_child("b")
                await sup.start_child(Child("c", Logger, log, lambda: (_ for _ in ()).throw(ValueError("bad"))))
            assert list(sup.children()) == ["a"] and await sup.children()["a"].ask(1) == 1

    run(main)


def test_what_else_a_supervisor_is_told_is_a_dead_letter():
    async def main():
        async with ActorSystem("s") as system:
            sup = system.spawn(Supervisor, [Child("a", Echo)])
            sup.tell("hello")
            assert [(letter.recipient, letter.message) for letter in system.dead_letters] == [(sup, "hello")]
            with pytest.raises(TypeError):
                await sup.ask("hello")
            await sup.send("hello")
            await asyncio.sleep(0.1)
            assert system.dead_letters.total == 3 and sup.count() == 1

    run(main)


def test_invalid_options_raise_in_spawn():
    good = Child("a", Echo)
    wrong = [
        ([good], {"strategy": "none"}),
        ([good], {"max_restarts": -1}),
        ([good], {"max_restarts": 1.5}),
        ([good], {"within": 0}),
        ([good], {"max_children": 0}),
        ([good], {"max_children": -1}),
        ([good, Child("a", Echo)], {}),
        ([Child("a", Echo, restart="sometimes")], {}),
        ([Child("a", Echo, shutdown=-1)], {}),
        ([Child("a", Echo, shutdown=math.nan)], {}),
        ([Child("a/b", Echo)], {}),
        ([Child("", Echo)], {}),
    ]

    async def main():
        async with ActorSystem("s") as system:
            for children, options in wrong:
                with pytest.raises(ValueError):
                    system.spawn(Supervisor, children, **options)
            for children in (["a"], [Child("a", 5)], [Child("a", Echo, mailbox=5)]):
                with pytest.raises(TypeError):
                    system.spawn(Supervisor, children)
            assert not system.tree().roots

    run(main)


def test_child_options_reach_the_mailbox_and_the_rest_reaches_the_class():
    class Takes(Actor):
        def __init__(self, *args, **kwargs):
            self.got = args, kwargs

        def receive(self, message):
            return self.got

    async def main():
        async with ActorSystem("s") as system:
            child = Child("a", Takes, 1, restart="transient", shutdown=1.0, mailbox=Mailbox(7), size=3)
            sup = system.spawn(Supervisor, [child])
            assert await sup.children()["a"].ask(0) == ((1,), {"size": 3})
            assert system.tree().roots[0].children[0].capacity == 7

    run(main)


def test_a_child_that_waits_for_its_own_stop_is_told_so():
    class Child2(Actor):
        async def receive(self, sup):
            await sup.stop_child("a")

    async def main():
        async with ActorSystem("s") as system:
            sup = system.spawn(Supervisor, [Child("a", Child2, shutdown=math.inf)])
            with pytest.raises(AskCycle):
                await sup.children()["a"].ask(sup)

    run(main)


def test_open_replies_stay_open_across_a_restart_and_the_new_incarnation_may_answer_them():
    class Later(Actor):
        def __init__(self):
            self.replies = []

        def receive(self, message):
            if isinstance(message, Exception):
                raise message
            if message == "answer":
                for reply in self.replies:
                    reply.set_result("from the new one")
            else:
                self.replies.append(self.reply_later())

        def _take_over(self, old):
            self.replies = old.replies

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Supervisor, [Child("a", Later)]).children()["a"]
            asked = asyncio.create_task(ref.ask(1))
            await asyncio.sleep(0)
            await asyncio.sleep(0.1)
            ref.tell(ValueError())
            ref.tell("answer")
            assert await asked == "from the new one"

    run(main)


def test_stop_kill_and_watch_of_a_restarting_actor_speak_of_the_end_for_good():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            sup = system.spawn(Supervisor, [Child("a", Echo)])
            ref = sup.children()["a"]
            watcher = system.spawn(Logger, log, name="w")
            await watcher.ask(0)
            watcher._cell.actor.watch(ref)
            ended = asyncio.create_task(ref.stopped())
            for _ in range(3):
                ref.tell(ValueError())
            await asyncio.sleep(1)
            assert not ended.done() and len(log) == 2
            await sup.stop_child("a")
            assert await ended == "stopped"
            await asyncio.sleep(0)
            assert len(log) == 3

    run(main)


def test_a_crashed_child_whose_on_stop_hangs_comes_back():
    class Hangs(Actor):
        def receive(self, message):
            if isinstance(message, Exception):
                raise message
            return message

        async def on_stop(self, reason):
            await asyncio.sleep(10_000)

    async def main():
        async with ActorSystem("s") as system:
            sup = system.spawn(Supervisor, [Child("a", Hangs, shutdown=2.0)])
            ref = sup.children()["a"]
            ref.tell(ValueError())
            assert await ref.ask(1) == 1 and now() == 2

    run(main)


def test_a_child_that_fails_while_its_group_is_being_restarted_is_not_restarted_twice():
    async def main():
        async with ActorSystem("s") as system:
            log = []

            class FailsSoon(Sleeper):
                async def receive(self, message):
                    await super().receive(message)
                    raise ValueError

            class Slow(Sleeper):
                async def on_stop(self, reason):
                    await asyncio.sleep(2)

            children = [Child("a", Echo), Child("b", FailsSoon, log), Child("c", Slow)]
            sup = system.spawn(Supervisor, children, strategy="one_for_all", max_restarts=1)
            a, b, c = sup.children().values()
            b.tell(1)                   # fails at 1, while c is still saying goodbye
            await asyncio.sleep(0.5)
            a.tell(ValueError())
            await asyncio.sleep(5)
            assert [node.restarts for node in system.tree().roots[0].children] == [1, 1, 1]
            assert await c.ask(0) == 0

    run(main)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_child_that_is_ended_before_its_first_start_ends_and_comes_back_as_from_any_other_end(end):
    async def main():
        async with ActorSystem("s") as system:
            for restart in ("permanent", "temporary"):
                sup = system.spawn(Supervisor, [Child("a", Echo, restart=restart)])
                ref = sup.children()["a"]
                getattr(ref, end)()
                await asyncio.sleep(1)
                assert sup.count() == (restart == "permanent")
                assert system.tree().roots[-1].restarts == 0
                if restart == "permanent":
                    assert await ref.ask(1) == 1
                    assert system.tree().roots[-1].children[0].restarts == 1

    run(main)


def test_a_sibling_that_ends_for_good_while_its_group_is_being_restarted_does_not_hang_its_supervisor():
    class Slow(Echo):
        async def on_stop(self, reason):
            await asyncio.sleep(1)

    async def main():
        async with ActorSystem("s") as system:
            children = [Child("a", Echo), Child("b", Echo, restart="transient"), Child("c", Slow)]
            sup = system.spawn(Supervisor, children, strategy="one_for_all")
            refs = sup.children()
            await refs["c"].ask(1)
            refs["a"].tell(ValueError("x"))
            await asyncio.sleep(0.5)        # c is taking its time to say goodbye
            refs["b"].stop()
            assert await refs["b"].stopped() == "stopped"
            assert await refs["a"].ask(2) == 2
            assert list(sup.children()) == ["a", "c"] and await sup.restart_child("b") == refs["b"]

    run(main)


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("after", [0.5, 1.0])
def test_a_child_whose_supervisor_is_killed_while_it_is_started_by_hand_ends_like_any_other(after, stopped):
    log = []

    class Late(Actor):
        async def on_start(self):
            await asyncio.sleep(1)
            log.append("started")

        async def on_stop(self, reason):
            await asyncio.sleep(1)
            log.append("stopped")

    async def main():
        async with ActorSystem("s") as system:
            sup = system.spawn(Supervisor, [Child("late", Late)] if stopped else [])
            if stopped:
                await sup.stop_child("late")
                log.clear()
            begin = asyncio.get_running_loop().time()
            starting = sup.restart_child("late") if stopped else sup.start_child(Child("late", Late))
            order = asyncio.ensure_future(starting)
            asyncio.get_running_loop().call_at(begin + after, sup.kill)
            assert await sup.stopped() == "killed"
            assert log == (["started", "stopped"] if after == 1.0 else ["stopped"])
            assert asyncio.get_running_loop().time() == begin + after + 1
            with pytest.raises(ActorStopped):
                await order
            assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@pytest.mark.parametrize("order", ["stop", "restart"])
def test_siblings_come_back_also_when_the_child_that_failed_to_start_is_stopped_or_restarted_by_hand(order, strategy):
    broken, log = [], []

    class Fragile(Logger):
        async def on_start(self):
            await asyncio.sleep(1)
            if broken:
                raise OSError("still broken")
            super().on_start()

    async def main():
        async with ActorSystem("s") as system:
            children = [Child("a", Fragile, log), Child("b", Logger, log), Child("c", Logger, log)]
            sup = system.spawn(Supervisor, children, strategy=strategy, max_restarts=1)
            refs = sup.children()
            await refs["c"].ask(1)
            log.clear()
            broken.append(True)
            refs["a"].tell(ValueError("x"))
            await asyncio.sleep(0.5)
            by_hand = asyncio.ensure_future(sup.stop_child("a") if order == "stop" else sup.restart_child("a"))
            await asyncio.sleep(0.6)        # its start has failed, and the order is obeyed before it is tried again
            broken.clear()
            await by_hand
            assert [await refs[name].ask(2) for name in "bc"] == [2, 2]
            started = [name for name, event, *_ in log if event == "start"]
            assert started == (["b", "c"] if order == "stop" else ["a", "b", "c"])
            assert list(sup.children()) == started

    run(main)
