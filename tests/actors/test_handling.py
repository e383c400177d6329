"""Spawning actors, and how they handle their mail."""

import asyncio
import contextvars
import dataclasses
import functools

import pytest

from asyncpatterns import Actor, ActorSystem, Child, Mailbox, Supervisor
from asyncpatterns.actors.running import BUDGET
from asyncpatterns.testing import run

from .helpers import Echo, Logger, Sleeper


def test_one_message_at_a_time_to_completion_in_arrival_order():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            ref = system.spawn(Sleeper, log)
            for i in range(1, 5):
                ref.tell(i)
            await ref.ask(0, timeout=None)
        assert [(what, i) for what, i, _ in log] == [(w, i) for i in (1, 2, 3, 4, 0) for w in ("begin", "end")]
        assert asyncio.get_running_loop().time() == 10

    run(main)


def test_a_function_is_an_actor_plain_or_async_and_its_value_is_the_answer():
    async def slow(message):
        await asyncio.sleep(1)
        return message * 2

    class Callable:
        async def __call__(self, message):
            return message * 5

    async def main():
        async with ActorSystem("s") as system:
            assert await system.spawn(lambda m: m + 1).ask(1) == 2
            assert await system.spawn(slow).ask(2) == 4
            assert await system.spawn(functools.partial(pow, 2)).ask(5) == 32
            assert await system.spawn(Callable()).ask(2) == 10
            assert await system.spawn(lambda m: slow(m)).ask(3) == 6     # something to await is awaited
            for wrong in (int, Echo(), 5, "text"):
                with pytest.raises(TypeError):
                    system.spawn(wrong)
            with pytest.raises(TypeError, match="partial"):
                system.spawn(slow, 1)

    run(main)


def test_the_constructor_runs_inside_spawn_and_raises_there_and_the_name_is_free_again():
    class Picky(Actor):
        def __init__(self, good):
            if not good:
                raise ValueError("not good")

        def receive(self, message): ...

    async def main():
        async with ActorSystem("s") as system:
            with pytest.raises(ValueError, match="not good"):
                system.spawn(Picky, False, name="picky")
            system.spawn(Picky, True, name="picky")
            with pytest.raises(ValueError, match="picky"):
                system.spawn(Picky, True, name="picky")
            with pytest.raises(TypeError):
                system.spawn(Picky)
            with pytest.raises(TypeError):
                system.spawn(Echo, 1)
            for name in ("", "a/b", 5):
                with pytest.raises(ValueError):
                    system.spawn(Echo, name=name)
            with pytest.raises(TypeError):
                system.spawn(Echo, mailbox=10)

    run(main)


def test_a_name_is_free_when_its_actor_is_dead():
    async def main():
        async with ActorSystem("s") as system:
            first = system.spawn(Echo, name="echo")
            first.stop()
            await first.stopped()
            assert await system.spawn(Echo, name="echo").ask(1) == 1

    run(main)


def test_identity_is_known_inside_the_constructor_without_calling_super():
    class Knowing(Actor):
        def __init__(self):
            self.seen = (self.ref, self.system, self.parent)
            self.child = self.spawn(Echo, name="child")

        def receive(self, message):
            return self.seen, self.child

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Knowing, name="knowing")
            (seen, child) = await ref.ask(None)
            assert seen == (ref, system, None) and child.path == "/user/knowing/child"
            assert await child.ask(lambda actor: actor.parent) == ref

    run(main)


def test_dataclasses_and_classes_with_their_own_new_are_actors():
    @dataclasses.dataclass
    class Counter(Actor):
        step: int = 1

        def receive(self, message):
            return self.step

    class Made(Actor):
        def __new__(cls, number):
            made = super().__new__(cls)
            made.number = number
            return made

        def __init__(self, number): ...

        def receive(self, message):
            return self.number

    async def main():
        async with ActorSystem("s") as system:
            assert await system.spawn(Counter, 7).ask(0) == 7
            assert await system.spawn(Counter).ask(0) == 1
            assert await system.spawn(Made, 3).ask(0) == 3

    run(main)


def test_an_idle_actor_owns_no_task_and_none_after_it_was_busy():
    async def main():
        async with ActorSystem("s") as system:
            before = asyncio.all_tasks()
            refs = [system.spawn(Sleeper) for _ in range(100)]
            assert asyncio.all_tasks() == before
            await asyncio.gather(*(ref.ask(1) for ref in refs))
            assert asyncio.all_tasks() == before

    run(main)


@pytest.mark.parametrize("waits", [False, True])
def test_a_busy_actor_yields_now_and_then(waits):
    class Plain(Actor):
        def receive(self, message):
            self.ref.tell(message)

    class Async(Actor):
        async def receive(self, message):
            self.ref.tell(message)

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Async if waits else Plain)
            ref.tell("for ever")
            for _ in range(10):
                await asyncio.sleep(0)
            ref.kill()

    run(main)


def test_loops_of_sends_and_asks_that_never_wait_let_others_run():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(lambda m: None, mailbox=Mailbox(10**6))
            ticks = []

            async def other():
                while True:
                    ticks.append(1)
                    await asyncio.sleep(0)

            task = asyncio.create_task(other())
            for _ in range(10 * BUDGET):
                await ref.ask(1)
            assert len(ticks) >= 10
            before = len(ticks)
            for _ in range(10 * BUDGET):
                await ref.send(1)
            assert len(ticks) >= before + 10
            task.cancel()

    run(main)


def test_what_one_actor_sets_in_its_context_no_other_one_sees():
    var = contextvars.ContextVar("var", default="clean")

    def plain(message):
        before = var.get()
        var.set(message)
        return before

    async def waiting(message):
        return plain(message)

    async def main():
        var.set("of the system")
        async with ActorSystem("s") as system:
            var.set("of the caller")
            refs = [system.spawn(f) for f in (plain, waiting) for _ in range(5)]
            assert await asyncio.gather(*(ref.ask("dirty") for ref in refs)) == ["of the system"] * 10

    run(main)


def test_a_handler_may_replace_its_receive():
    class Door(Actor):
        def receive(self, message):
            self.receive = self.opened
            return "open"

        def opened(self, message):
            del self.receive
            return "closed"

    async def main():
        async with ActorSystem("s") as system:
            door = system.spawn(Door)
            assert [await door.ask(0) for _ in range(4)] == ["open", "closed"] * 2

    run(main)


def test_on_start_comes_before_the_first_message_and_on_stop_after_the_last():
    class Slow(Logger):
        async def on_start(self):
            await asyncio.sleep(1)
            super().on_start()

        async def on_stop(self, reason):
            await asyncio.sleep(1)
            super().on_stop(reason)

    async def main():
        for cls in (Logger, Slow):
            log = []
            async with ActorSystem("s") as system:
                ref = system.spawn(cls, log, name="a")
                ref.tell(1)
                ref.stop()
                assert await ref.stopped() == "stopped"
            assert log == [("a", "start"), ("a", 1), ("a", "stop", "stopped")]

    run(main)


def test_asyncio_timeouts_task_groups_and_current_task_work_inside_handlers():
    class Modern(Actor):
        async def receive(self, message):
            assert asyncio.current_task().get_name() == "actor /user/modern"
            try:
                async with asyncio.timeout(1):
                    await asyncio.sleep(5)
            except TimeoutError:
                pass
            async with asyncio.TaskGroup() as group:
                task = group.create_task(asyncio.sleep(1, message))
            return task.result()

    async def main():
        async with ActorSystem("s") as system:
            assert await system.spawn(Modern, name="modern").ask(4) == 4

    run(main)


def test_every_public_object_has_a_repr_that_teaches():
    async def main():
        async with ActorSystem("demo") as system:
            ref = system.spawn(Sleeper, name="slow", mailbox=Mailbox(3))
            assert repr(ref) == "<ActorRef /user/slow idle>"
            ref.tell(1)
            ref.tell(1)
            assert repr(ref) == "<ActorRef /user/slow busy, 2/3 messages wait>"
            assert "/user/slow" in repr(ref.ask(1)) and "/user/slow" in repr(ref.send(1))
            assert "/user/slow" in repr(ref.stopped()) and "demo" in repr(system)
            assert "Supervisor" in repr(system.spawn(Supervisor))
            ref.kill()
            await ref.stopped()
            assert repr(ref) == "<ActorRef /user/slow dead: killed>"
            assert "2 kept of 2" in repr(system.dead_letters)

    run(main)


@pytest.mark.parametrize("when", ["before its first message", "in its first message"])
def test_an_incarnation_that_has_failed_leaves_the_mail_to_the_next_one(when):
    built, log = [], []

    class Failing(Actor):
        def __init__(self):
            built.append(self)

        def receive(self, message):
            log.append((len(built), message))
            if message == "fail":
                self._fail(ValueError("as if it had raised"))

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Supervisor, [Child("it", Failing)]).children()["it"]
            await asyncio.sleep(1)
            for message in ["first", "second"] if when.startswith("before") else ["fail", "first", "second"]:
                ref.tell(message)
            if when.startswith("before"):
                built[0]._fail(ValueError("from outside"))
            await asyncio.sleep(1)
        assert [entry for entry in log if entry[1] != "fail"] == [(2, "first"), (2, "second")]

    run(main)


def test_every_message_is_counted_once_whether_its_handler_waits_or_not():
    async def moment():
        await asyncio.sleep(1)

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(lambda waits: moment() if waits else None, mailbox=Mailbox(3 * BUDGET))
            for number in range(3 * BUDGET):
                ref.tell(number % 7 == 3)
            await asyncio.sleep(3 * BUDGET)
            assert handled(system, ref) == 3 * BUDGET

    run(main)


@pytest.mark.parametrize("last", [None, lambda actor: asyncio.sleep(1)], ids=["plain", "waits"])
@pytest.mark.parametrize("more", [0, 1, BUDGET - 3, BUDGET - 2, BUDGET - 1, 2 * BUDGET])
def test_a_tick_that_nobody_wants_any_more_is_not_counted(more, last):
    async def main():
        async with ActorSystem("s") as system:
            def cancels(actor):
                actor.timers.cancel("unwanted")
                for _ in range(more):
                    actor.ref.tell(None)
                actor.ref.tell(last)

            def starts(actor):
                actor.timers.once("first", 1, cancels)
                actor.timers.once("unwanted", 1, "void")

            ref = system.spawn(Echo)
            ref.tell(starts)
            await asyncio.sleep(10)
            assert handled(system, ref) == 1 + 1 + more + 1

    run(main)


def handled(system, ref):
    (node,) = [node for _, node in system.tree().walk() if node.path == ref.path]
    return node.handled
