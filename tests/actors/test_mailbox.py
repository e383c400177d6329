"""Room in the mailbox, back-pressure and dead letters."""

import asyncio
import math

import pytest

from asyncpatterns import Actor, ActorStopped, ActorSystem, Mailbox, MailboxFull, Terminated
from asyncpatterns.testing import run

from .helpers import Echo, Logger, Sleeper


def letters(system):
    return [letter.message for letter in system.dead_letters]


@pytest.mark.parametrize("capacity", [0, -1, 1.5, True, None, "5", math.nan])
def test_a_capacity_other_than_an_int_from_1_or_infinity_is_refused(capacity):
    with pytest.raises(ValueError):
        Mailbox(capacity)


def test_an_unknown_overflow_is_refused():
    with pytest.raises(ValueError, match="drop_oldest"):
        Mailbox(5, overflow="explode")


def test_a_mailbox_is_bounded_to_ten_thousand_unless_said_otherwise():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Echo)
            for i in range(10_001):
                ref.tell(i)
            assert letters(system) == [10_000]
            endless = system.spawn(Echo, mailbox=Mailbox(math.inf))
            for i in range(20_000):
                endless.tell(i)
            assert system.dead_letters.total == 1

    run(main)


def test_the_message_being_handled_does_not_count():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Sleeper, mailbox=Mailbox(1))
            ref.tell(1)
            await asyncio.sleep(0)      # now it is being handled
            ref.tell(2)
            ref.tell(3)
            assert letters(system) == [3]

    run(main)


def full(system, overflow):
    """An actor that handles 1 and has 2 and 3 in its mailbox, which is full."""
    log = []
    ref = system.spawn(Sleeper, log, mailbox=Mailbox(2, overflow=overflow))
    return ref, log


async def fill(ref):
    ref.tell(1)
    await asyncio.sleep(0)
    ref.tell(2)
    ref.tell(3)


def test_reject_makes_a_tell_a_dead_letter_and_an_ask_raise_mailbox_full():
    async def main():
        async with ActorSystem("s") as system:
            ref, _ = full(system, "reject")
            await fill(ref)
            ref.tell(4)
            with pytest.raises(MailboxFull, match="2 messages"):
                await ref.ask(5)
            assert letters(system) == [4] and system.dead_letters[0].recipient == ref

    run(main)


def test_drop_newest_drops_the_one_that_just_arrived():
    async def main():
        async with ActorSystem("s") as system:
            ref, _ = full(system, "drop_newest")
            await fill(ref)
            ref.tell(4)
            with pytest.raises(MailboxFull):
                await ref.ask(5)
            assert letters(system) == [4]

    run(main)


def test_drop_oldest_drops_the_one_that_waited_longest_and_its_asker_is_told_at_once():
    async def main():
        async with ActorSystem("s") as system:
            ref, log = full(system, "drop_oldest")
            ref.tell(1)
            await asyncio.sleep(0)
            asked = asyncio.create_task(ref.ask(2))
            await asyncio.sleep(0)
            ref.tell(3)
            ref.tell(4)
            with pytest.raises(MailboxFull):
                await asked
            assert asyncio.get_running_loop().time() == 0
            ref.tell(5)
            assert letters(system) == [2, 3]
        assert [m for what, m, _ in log if what == "end"] == [1, 4, 5]

    run(main)


def test_terminated_and_ticks_need_no_room_and_take_none_away():
    class Watcher(Sleeper):
        async def receive(self, message):
            if isinstance(message, Terminated | str):
                self.log.append(message)
            else:
                await super().receive(message)

        def on_start(self):
            self.timers.once("t", 1, "tick")

    async def main():
        async with ActorSystem("s") as system:
            log = []
            other = system.spawn(Echo)
            ref = system.spawn(Watcher, log, mailbox=Mailbox(1, overflow="drop_oldest"))
            await asyncio.sleep(0)
            ref._cell.actor.watch(other)
            ref.tell(5)
            await asyncio.sleep(0)
            ref.tell(6)
            other.stop()
            await asyncio.sleep(2)
            assert ref._cell.waiting() == 1 and len(ref._cell.mail) == 3
            ref.tell(7)                 # drops 6, not a notice
            await asyncio.sleep(20)
            assert letters(system) == [6]
            assert [m for m in log if isinstance(m, Terminated)] == [Terminated(other, "stopped")] and "tick" in log

    run(main)


def test_send_waits_for_room_first_come_first_served_and_a_newcomer_never_steals_it():
    async def main():
        async with ActorSystem("s") as system:
            ref, log = full(system, "reject")
            await fill(ref)
            sends = [asyncio.create_task(ref.send(i)) for i in (4, 5)]
            await asyncio.sleep(1.5)    # 1 is done: there was room, and 4 has it
            assert [task.done() for task in sends] == [True, False]
            ref.tell(9)
            assert letters(system) == [9]
            await asyncio.gather(*sends)
            await asyncio.sleep(20)
            assert [m for what, m, _ in log if what == "end"] == [1, 2, 3, 4, 5]

    run(main)


def test_a_send_that_times_out_or_is_cancelled_did_not_happen():
    async def main():
        async with ActorSystem("s") as system:
            ref, log = full(system, "reject")
            await fill(ref)
            cancelled = asyncio.create_task(ref.send(4))
            with pytest.raises(TimeoutError):
                await ref.send(5, timeout=0.5)
            with pytest.raises(TimeoutError):
                await ref.send(6, timeout=0)
            assert asyncio.get_running_loop().time() == 0.5
            cancelled.cancel()
            await asyncio.sleep(30)
            assert [m for what, m, _ in log if what == "end"] == [1, 2, 3] and not letters(system)
            with pytest.raises(ValueError):
                ref.send(1, timeout=-1)

    run(main)


def test_send_to_a_stopped_actor_raises_also_when_it_was_waiting_for_room():
    async def main():
        async with ActorSystem("s") as system:
            for end in ("stop", "kill"):
                ref, _ = full(system, "reject")
                await fill(ref)
                waiting = asyncio.create_task(ref.send(4))
                await asyncio.sleep(0)
                getattr(ref, end)()
                with pytest.raises(ActorStopped):
                    await waiting
                with pytest.raises(ActorStopped):
                    await ref.send(5)

    run(main)


def test_dead_letters_are_the_newest_thousand_oldest_first_and_total_counts_all():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Echo)
            ref.stop()
            for i in range(1_500):
                ref.tell(i)
            assert len(system.dead_letters) == 1_000 and system.dead_letters.total == 1_500
            assert letters(system) == list(range(500, 1_500))
            letter = next(iter(system.dead_letters))
            assert letter.recipient == ref and "stopped" in letter.reason

    run(main)


def test_a_message_whose_handler_was_killed_before_its_first_step_is_a_dead_letter():
    async def never(message):
        raise AssertionError("it has begun")

    async def main():
        for behavior in (never, lambda message: never(message)):
            async with ActorSystem("s") as system:
                ref = system.spawn(behavior)
                ref.tell(1)
                if behavior is not never:
                    ref._cell.system.loop.call_soon(ref.kill)      # between the plain part and the first step
                    await asyncio.sleep(0)
                ref.kill()
                await ref.stopped()
                assert letters(system) == [1]

    run(main)


def test_stashed_messages_come_back_in_order_in_front_and_a_stashed_ask_is_answered_in_the_end():
    class Door(Actor):
        open = False

        def receive(self, message):
            if message == "open":
                self.open = True
                self.unstash_all()
            elif not self.open:
                self.stash()
            return message, self.open

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Door)
            early = [asyncio.create_task(ref.ask(i)) for i in range(3)]
            await asyncio.sleep(1)
            assert not any(task.done() for task in early)
            ref.tell("open")
            assert await asyncio.gather(*early) == [(i, True) for i in range(3)]
            with pytest.raises(RuntimeError, match="being handled"):
                ref._cell.actor.stash()

    run(main)


def test_what_is_stashed_at_the_end_is_not_lost_unseen():
    class Hoard(Logger):
        def receive(self, message):
            self.stash()

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Hoard, [])
            ref.tell(1)
            asked = asyncio.create_task(ref.ask(2))
            await asyncio.sleep(0.1)
            ref.stop()
            with pytest.raises(ActorStopped):
                await asked
            assert letters(system) == [1, 2]

    run(main)
