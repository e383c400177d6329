"""Ticks come when they are due, and never when they are not wanted any more."""

import asyncio
import time

import pytest

from asyncpatterns import Actor, ActorSystem, Child, Supervisor
from asyncpatterns.testing import run


def now():
    return asyncio.get_running_loop().time()


class Clock(Actor):
    """Does what it is told with its timers, and remembers every tick and its moment."""

    def __init__(self, log):
        self.log = log

    def receive(self, message):
        if callable(message):
            return message(self)
        self.log.append((message, now()))
        return None


def test_once_and_every_are_on_time_to_the_tick_and_every_keeps_a_fixed_rate():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            ref = system.spawn(Clock, log)
            await asyncio.sleep(0.3)
            await ref.ask(lambda self: (self.timers.once("o", 1, "once"), self.timers.every("e", 0.1, "every")))
            await asyncio.sleep(1.05)
            assert [moment for message, moment in log if message == "once"] == [1.3]
            ticks = [moment for message, moment in log if message == "every"]
            assert ticks == pytest.approx([0.3 + n * 0.1 for n in range(1, 11)], abs=1e-9)

    run(main)


def test_a_cancelled_key_ticks_no_more_not_even_if_its_tick_is_in_the_mailbox():
    class Busy(Clock):
        async def receive(self, message):
            if message == "cancel":
                await asyncio.sleep(5)
                self.timers.cancel("t")
                self.timers.cancel("unknown")
            else:
                self.log.append(message)

        def on_start(self):
            self.timers.once("t", 1, "cancelled")
            self.timers.once("u", 1, "wanted")

    async def main():
        async with ActorSystem("s") as system:
            log = []
            system.spawn(Busy, log).tell("cancel")
            await asyncio.sleep(10)
            assert log == ["wanted"]

    run(main)


def test_a_new_timer_under_a_key_replaces_the_old_one():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            ref = system.spawn(Clock, log)
            await ref.ask(lambda self: (self.timers.once("k", 1, "old"), self.timers.once("k", 2, "new")))
            await asyncio.sleep(5)
            assert log == [("new", 2)]

    run(main)


def test_every_skips_a_tick_while_its_last_one_is_unread_and_keeps_its_rate():
    class Slow(Clock):
        async def receive(self, message):
            self.log.append((message, now()))
            if message == "slow":
                await asyncio.sleep(3.5)

        def on_start(self):
            self.timers.every("e", 1, "tick")

    async def main():
        async with ActorSystem("s") as system:
            log = []
            ref = system.spawn(Slow, log)
            ref.tell("slow")
            await asyncio.sleep(6.2)
            assert log == [("slow", 0), ("tick", 3.5), ("tick", 4), ("tick", 5), ("tick", 6)]

    run(main)


def test_a_blocked_loop_does_not_catch_up():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            ref = system.spawn(Clock, log)
            await ref.ask(lambda self: self.timers.every("e", 0.01, "tick"))
            time.sleep(0.1)  # noqa: ASYNC251
            await asyncio.sleep(0.005)
            assert len(log) <= 3

    asyncio.run(main())


def test_ticks_of_an_old_incarnation_are_never_delivered():
    class Restarting(Clock):
        lives = 0

        def __init__(self, log):
            super().__init__(log)
            Restarting.lives += 1
            self.timers.once("t", 1, f"life {Restarting.lives}")

        async def receive(self, message):
            if message == "crash":
                await asyncio.sleep(2)      # its tick is in the mailbox now
                raise ValueError
            super().receive(message)

    async def main():
        async with ActorSystem("s") as system:
            log = []
            ref = system.spawn(Supervisor, [Child("a", Restarting, log)]).children()["a"]
            ref.tell("crash")
            await asyncio.sleep(10)
            assert log == [("life 2", 3)]

    run(main)


def test_no_timer_is_left_when_its_actor_has_ended_and_bad_delays_are_refused():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Clock, [])

            def start(self):
                self.timers.every("e", 1, 1)
                for bad in (lambda: self.timers.every("x", 0, 1), lambda: self.timers.once("x", -1, 1)):
                    with pytest.raises(ValueError):
                        bad()
                return repr(self.timers)

            assert "'e'" in await ref.ask(start)
            ref.stop()
            await ref.stopped()
            active = [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]
            assert not active

    run(main)
