"""Many actors, and everything that can happen to them at random: nobody waits for ever, nothing disappears."""

import asyncio
import random

import pytest

from asyncpatterns import (
    Actor,
    ActorStopped,
    ActorSystem,
    Child,
    Mailbox,
    MailboxFull,
    Supervisor,
    SupervisorRef,
)
from asyncpatterns.testing import run


class Book:
    """Who has seen which message."""

    def __init__(self):
        self.begun = []
        self.told = set()
        self.asks = {}
        self.running = {}


class Victim(Actor):
    def __init__(self, book):
        self.book = book

    async def receive(self, message):
        number, what = message
        assert self.ref not in self.book.running, "two messages of one actor at a time"
        self.book.running[self.ref] = number
        self.book.begun.append(number)
        try:
            if what == "wait":
                await asyncio.sleep(0.01)
            elif what == "crash":
                raise ValueError(number)
            elif what == "wait and crash":
                await asyncio.sleep(0.005)
                raise ValueError(number)
            return number
        finally:
            del self.book.running[self.ref]

    async def on_stop(self, reason):
        await asyncio.sleep(0.001)


class PlainVictim(Actor):
    def __init__(self, book):
        self.book = book

    def receive(self, message):
        number, what = message
        self.book.begun.append(number)
        if "crash" in what:
            raise ValueError(number)
        return number


async def storm(system, book, sup, draw, steps):
    refs = list(sup.children().values())
    tasks = []
    for number in range(steps):
        ref = draw.choice(refs)
        what = draw.choices(["quick", "wait", "crash", "wait and crash"], [70, 20, 5, 5])[0]
        dice = draw.random()
        if dice < 0.5:
            book.told.add(number)
            ref.tell((number, what))
        elif dice < 0.9:
            tasks.append(asyncio.create_task(ask(book, ref, number, what, draw.choice([None, 0.001, 1]))))
        elif dice < 0.93:
            ref.kill()
        elif dice < 0.96:
            ref.stop()
        elif dice < 0.98:
            name = draw.choice(list(sup.children()))
            tasks.append(asyncio.create_task(sup.restart_child(name)))
        elif tasks:
            draw.choice(tasks).cancel()
        if draw.random() < 0.3:
            await asyncio.sleep(draw.choice([0, 0, 0.001, 0.01]))
    _, pending = await asyncio.wait(tasks, timeout=3_600)
    assert not pending


async def ask(book, ref, number, what, timeout):
    assert number not in book.asks
    try:
        book.asks[number] = await ref.ask((number, what), timeout=timeout)
    except (ValueError, ActorStopped, MailboxFull, TimeoutError) as error:
        book.asks[number] = error
    except asyncio.CancelledError:
        book.asks[number] = "cancelled"
        raise


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("seed", range(3))
def test_every_ask_ends_once_and_every_message_was_handled_or_crashed_its_actor_or_is_a_dead_letter(strategy, seed):
    async def main():
        draw = random.Random(seed)
        book = Book()
        dead = []
        async with ActorSystem("s") as system:
            add = system.dead_letters.add
            system.dead_letters = type("Spy", (), {"add": lambda self, *a: (dead.append(a), add(*a)), "total": 0})()
            mailbox = Mailbox(20, overflow=draw.choice(["reject", "drop_oldest", "drop_newest"]))
            kinds = [Victim, PlainVictim]
            children = [Child(f"v{i}", kinds[i % 2], book, mailbox=mailbox, shutdown=1.0) for i in range(6)]
            sup = system.spawn(Supervisor, children, strategy=strategy, max_restarts=10**9)
            await storm(system, book, sup, draw, 2_000)
        assert len(book.begun) == len(set(book.begun)), "a message was handled twice"
        lost = {message[0] for _, message, reason in dead if "late" not in reason}
        begun = set(book.begun)
        assert book.told <= begun | lost
        assert not (begun & lost)
        for number, outcome in book.asks.items():
            if outcome == number:
                assert number in begun
            elif isinstance(outcome, ValueError):
                assert outcome.args == (number,)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]

    run(main, seed=seed)


class Fragile(Actor):
    handled = 0

    def receive(self, message):
        Fragile.handled += 1
        if message % 1_000 == 0:
            raise ValueError(message)


def crash_storm(messages):
    """Through a tree of supervisors, every thousandth message fatal; the benchmark sends a million."""

    async def main():
        Fragile.handled = 0
        limits = {"max_restarts": messages, "within": 60.0}
        async with ActorSystem("s") as system:
            team = [Child(f"worker-{i}", Fragile) for i in range(4)]
            top = system.spawn(Supervisor, [Child(f"team-{i}", Supervisor, team, **limits) for i in range(4)], **limits)
            refs = [ref for sup in top.children().values() for ref in workers(sup)]
            for i in range(1, messages + 1):
                refs[i % 16].tell(i)
                if i % 2_000 == 0:
                    await asyncio.sleep(0.001)
            await asyncio.sleep(1)
            nodes = [node for _, node in system.tree().walk() if not node.children]
            assert sum(node.restarts for node in nodes) == sum(node.failed for node in nodes) == messages // 1_000
            assert sum(node.handled for node in nodes) == messages - messages // 1_000
            assert Fragile.handled == messages and system.dead_letters.total == 0

    run(main)


def workers(sup):
    assert isinstance(sup, SupervisorRef)
    return list(sup.children().values())


def test_a_hundred_thousand_messages_through_a_tree_that_crashes_every_thousandth():
    crash_storm(100_000)


@pytest.mark.slow
def test_a_million_messages_through_a_tree_that_crashes_every_thousandth():
    crash_storm(1_000_000)
