"""Stop, kill, failure, watching, and leaving the system."""

import asyncio

import pytest

from asyncpatterns import Actor, ActorStopped, ActorSystem, Child, Ended, Supervisor, Terminated
from asyncpatterns.testing import run

from .helpers import Echo, Logger, Sleeper


def test_stop_handles_what_is_queued_and_refuses_the_rest():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            ref = system.spawn(Sleeper, log)
            ref.tell(1)
            ref.tell(2)
            ref.stop()
            ref.tell(3)
            assert await ref.stopped() == "stopped" and asyncio.get_running_loop().time() == 3
            assert [letter.message for letter in system.dead_letters] == [3]

    run(main)


def test_stop_from_inside_is_the_same():
    class Quitter(Logger):
        def receive(self, message):
            super().receive(message)
            if message == "quit":
                self.stop()

    async def main():
        async with ActorSystem("s") as system:
            log = []
            ref = system.spawn(Quitter, log, name="q")
            for message in ("quit", 1, 2):
                ref.tell(message)
            assert await ref.stopped() == "stopped"
            assert log == [("q", "start"), ("q", "quit"), ("q", 1), ("q", 2), ("q", "stop", "stopped")]

    run(main)


def test_kill_cancels_the_running_handler_and_the_rest_are_dead_letters():
    class Slow(Logger):
        async def receive(self, message):
            try:
                await asyncio.sleep(10)
            finally:
                self.log.append("cancelled")

    async def main():
        async with ActorSystem("s") as system:
            log = []
            ref = system.spawn(Slow, log, name="a")
            asked = asyncio.create_task(ref.ask(1))
            await asyncio.sleep(1)
            ref.tell(2)
            ref.kill()
            assert [letter.message for letter in system.dead_letters] == [2]
            assert await ref.stopped() == "killed" != "stopped"
            with pytest.raises(ActorStopped):
                await asked
            assert log == [("a", "start"), "cancelled", ("a", "stop", "killed")]
            assert asyncio.get_running_loop().time() == 1

    run(main)


def test_kill_of_an_idle_actor_of_one_that_just_was_spawned_and_of_oneself():
    class Suicide(Logger):
        async def receive(self, message):
            self.ref.kill()
            if message:
                await asyncio.sleep(10)

    async def main():
        async with ActorSystem("s") as system:
            for message in (None, True, False):
                log = []
                ref = system.spawn(Suicide, log, name="a")
                if message is not None:
                    ref.tell(message)
                    await asyncio.sleep(1)
                else:
                    ref.kill()
                assert await ref.stopped() == "killed"
                assert log[-1] == ("a", "stop", "killed")
            assert asyncio.get_running_loop().time() == 2

    run(main)


def test_a_second_kill_cuts_on_stop_short():
    class Endless(Actor):
        def receive(self, message): ...

        async def on_stop(self, reason):
            await asyncio.sleep(1_000)

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Endless)
            ref.kill()
            await asyncio.sleep(1)
            ref.kill()
            assert await ref.stopped() == "killed" and asyncio.get_running_loop().time() == 1

    run(main)


def test_an_actor_that_raises_fails_and_without_a_supervisor_it_stops_and_its_watchers_are_told(caplog):
    async def main():
        async with ActorSystem("s") as system:
            log = []
            watcher = system.spawn(Logger, log, name="w")
            victim = system.spawn(Logger, [], name="v")
            await watcher.ask(0)
            watcher._cell.actor.watch(victim)
            watcher._cell.actor.watch(victim)
            error = ValueError("boom")
            victim.tell(error)
            victim.tell("rest")
            await asyncio.sleep(1)
            assert log == [("w", "start"), ("w", 0), ("w", Terminated(victim, error))]     # once
            assert [letter.message for letter in system.dead_letters] == ["rest"]
            watcher._cell.actor.watch(victim)          # dead already
            await asyncio.sleep(0)
            assert log[-1] == ("w", Terminated(victim, error)) and len(log) == 4
            system.spawn(Echo).tell(ValueError("nobody sees this"))
            await asyncio.sleep(0)

    run(main)
    assert "nobody watches" in caplog.text


class Watcher(Actor):
    """Watches what it is told to, as often as it is told to, and remembers which ends it was told of."""

    def __init__(self, told):
        self.told = told

    async def receive(self, message):
        if isinstance(message, Terminated):
            self.told.append(message)
        elif callable(message):
            message(self)
            await asyncio.sleep(1)
            message(self)


def test_one_end_is_told_once_however_often_it_is_watched():
    async def main():
        async with ActorSystem("s") as system:
            told = []
            watcher, early, late = system.spawn(Watcher, told), system.spawn(Echo), system.spawn(Echo)
            early.stop()
            watcher.tell(lambda actor: actor.watch(early))      # dead before the first watch, unread at the second
            await asyncio.sleep(2)
            assert told == [Terminated(early, Ended.STOPPED)]
            watcher.tell(lambda actor: (actor.watch(late), late.kill()))
            await asyncio.sleep(2)
            assert told[1:] == [Terminated(late, Ended.KILLED)]

    run(main)


def test_a_watch_whose_notice_was_lost_with_the_mailbox_can_be_made_again():
    async def main():
        async with ActorSystem("s") as system:
            told = []
            watcher = system.spawn(Supervisor, [Child("watcher", Watcher, told)]).children()["watcher"]
            victim = system.spawn(Echo)
            victim.stop()
            watcher.tell(lambda actor: actor.watch(victim))
            await asyncio.sleep(0.5)
            watcher.kill()                                      # with the notice in its mailbox
            await asyncio.sleep(1)
            assert told == []
            watcher.tell(lambda actor: actor.watch(victim))
            await asyncio.sleep(2)
            assert told == [Terminated(victim, Ended.STOPPED)]

    run(main)


def test_a_normal_stop_whose_on_stop_raises_is_a_failure():
    class Bad(Actor):
        def receive(self, message): ...

        def on_stop(self, reason):
            raise ValueError("at the end")

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Bad)
            ref.stop()
            assert isinstance(await ref.stopped(), ValueError)

    run(main)


def test_a_failing_on_start_is_a_failure_and_on_stop_does_not_run():
    async def main():
        async with ActorSystem("s") as system:
            log = []

            def fail():
                raise ValueError("start")

            ref = system.spawn(Logger, log, fail, name="a")
            ref.tell(1)
            assert isinstance(await ref.stopped(), ValueError)
            assert log == [("a", "start")] and system.dead_letters.total == 1

    run(main)


def test_children_end_before_their_parent_the_last_spawned_first():
    class Parent(Logger):
        def on_start(self):
            for name in "xyz":
                self.spawn(Logger, self.log, name=name)

    async def main():
        for end in ("stop", "kill", "fail"):
            async with ActorSystem("s") as system:
                log = []
                ref = system.spawn(Parent, log, name="p")
                await ref.ask(0)
                ref.tell(ValueError()) if end == "fail" else getattr(ref, end)()
                await ref.stopped()
                stops = [name for name, what, *_ in log if what == "stop"]
                assert stops[-1] == "p" and set(stops) == set("xyzp")
                assert end == "kill" or stops == ["z", "y", "x", "p"]

    run(main)


def test_leaving_the_system_handles_queued_mail_and_leaves_nothing():
    async def main():
        loop = asyncio.get_running_loop()
        log = []
        async with ActorSystem("s") as system:
            refs = [system.spawn(Sleeper, log) for _ in range(5)]
            for ref in refs:
                ref.tell(1)
                ref.tell(1)
            await refs[0].ask(1)
        assert sum(what == "end" for what, *_ in log) == 11 and loop.time() == 3
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert all(timer.cancelled() for timer in loop._scheduled)
        with pytest.raises(RuntimeError, match="shut down"):
            system.spawn(Echo)
        refs[0].tell(1)
        assert system.dead_letters.total == 1

    run(main)


def test_a_producer_spawned_after_its_consumer_can_hand_over_everything_when_the_system_is_left():
    async def main():
        got = []
        async with ActorSystem("s") as system:
            consumer = system.spawn(got.append)
            producer = system.spawn(consumer.tell)
            for i in range(1_000):
                producer.tell(i)
        assert got == list(range(1_000))

    run(main)


def test_shutdown_kills_what_is_not_done_in_time_and_nobody_else_is_hurt():
    async def main():
        log = []
        async with ActorSystem("s", shutdown=5) as system:
            idle = system.spawn(Logger, log, name="idle")
            system.spawn(Sleeper).tell(1_000)
            await idle.ask(1)
        assert asyncio.get_running_loop().time() == 5
        assert log[-1] == ("idle", "stop", "stopped")

    run(main)


def test_shutdown_bounds_on_stop_too():
    class Endless(Actor):
        def receive(self, message): ...

        async def on_stop(self, reason):
            await asyncio.sleep(1_000)

    async def main():
        async with ActorSystem("s", shutdown=5) as system:
            system.spawn(Endless)
        assert asyncio.get_running_loop().time() == 5

    run(main)


def test_a_block_left_by_an_exception_or_a_cancellation_leaves_nothing():
    async def main():
        async def block():
            async with ActorSystem("s") as system:
                system.spawn(Sleeper).tell(10)
                await asyncio.sleep(1)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await block()
        task = asyncio.create_task(block())
        await asyncio.sleep(2)
        task.cancel()       # while it waits for the sleeper: then it kills
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.get_running_loop().time() == 12
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


def test_a_system_without_a_block_is_shut_down_by_hand_and_twice_is_no_harm():
    async def main():
        system = ActorSystem("s")
        system.spawn(Sleeper).tell(1)
        await asyncio.gather(system.shutdown(), system.shutdown())
        await system.shutdown()
        assert asyncio.get_running_loop().time() == 1

    run(main)


def test_fail_from_outside_a_handler_works_like_a_handler_that_raised():
    async def main():
        async with ActorSystem("s") as system:
            for busy in (False, True):
                ref = system.spawn(Sleeper)
                asked = asyncio.create_task(ref.ask(10)) if busy else None
                await asyncio.sleep(1)
                error = ValueError("outside")
                ref._cell.actor._fail(error)
                assert await ref.stopped() is error
                if asked is not None:
                    with pytest.raises(ValueError):
                        await asked

    run(main)
