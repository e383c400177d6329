"""Asks: each ends exactly once (those that would wait for themselves: `test_cycles`)."""

import asyncio
import dataclasses

import pytest

from asyncpatterns import Actor, ActorStopped, ActorSystem, Child, Supervisor
from asyncpatterns.testing import Deadlock, run

from .helpers import Echo, Sleeper


def test_if_the_handler_raises_the_asker_gets_that_exception_with_a_note_that_names_the_actor():
    async def main():
        async with ActorSystem("s") as system:
            for cls in (Echo, Sleeper):
                ref = system.spawn(cls, name=cls.__name__)
                error = ValueError("boom")
                with pytest.raises(ValueError) as caught:
                    await ref.ask(error)
                assert caught.value is error and any(f"/user/{cls.__name__}" in note for note in error.__notes__)
                assert await ref.stopped() is error

    run(main)


def test_an_exception_that_takes_no_note_still_reaches_the_asker_and_the_supervisor():
    @dataclasses.dataclass(frozen=True)
    class Frozen(Exception):
        number: int

    class Refuses(Exception):
        def add_note(self, note):
            raise RuntimeError("no notes, please")

    async def main():
        async with ActorSystem("s") as system:
            for cls in (Echo, Sleeper):
                for error in (Frozen(1), Refuses()):
                    ref = system.spawn(Supervisor, [Child("child", cls)]).children()["child"]
                    with pytest.raises(type(error)) as caught:
                        await ref.ask(error)
                    assert caught.value is error
                    assert await ref.ask(0) == 0

    run(main)


def test_ask_of_a_stopped_actor_raises_at_once():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Sleeper)
            ref.tell(10)
            ref.stop()
            with pytest.raises(ActorStopped):
                await ref.ask(1)
            assert asyncio.get_running_loop().time() == 0

    run(main)


def test_the_timeout_is_five_seconds_unless_said_otherwise_and_a_late_reply_is_a_dead_letter():
    async def main():
        async with ActorSystem("s") as system:
            loop = asyncio.get_running_loop()
            ref = system.spawn(Sleeper)
            with pytest.raises(TimeoutError, match=r"5\.0 s"):
                await ref.ask(8)
            assert loop.time() == 5
            with pytest.raises(TimeoutError):
                await ref.ask(1, timeout=2)
            assert loop.time() == 7
            assert await ref.ask(60, timeout=None) == 60
            assert [(letter.recipient, letter.message) for letter in system.dead_letters] == [(None, 8), (None, 1)]
            assert "late" in system.dead_letters[0].reason

    run(main)


def test_many_asks_with_the_usual_timeout_expire_each_at_its_own_moment():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Sleeper)
            ref.tell(100)
            ends = []

            async def ask(delay):
                await asyncio.sleep(delay)
                try:
                    await ref.ask(0)
                except TimeoutError:
                    ends.append(asyncio.get_running_loop().time() - delay)

            await asyncio.gather(*(ask(i / 10) for i in range(50)))
            assert ends == pytest.approx([5.0] * 50)
            ref.kill()

    run(main)


def test_a_reply_for_a_cancelled_asker_is_a_dead_letter_even_in_the_same_tick():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Sleeper)
            task = asyncio.create_task(ref.ask(1))
            await asyncio.sleep(0.5)
            task.cancel()
            await asyncio.sleep(1)
            assert [letter.message for letter in system.dead_letters] == [1]

            task = asyncio.create_task(ref.ask(1))
            asyncio.get_running_loop().call_later(1, lambda: asyncio.get_running_loop().call_soon(task.cancel))
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(1)
            assert system.dead_letters.total == 2

    run(main)


def test_ask_send_and_stopped_work_with_gather_wait_for_create_task_and_task_groups():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Sleeper)
            assert await asyncio.gather(ref.ask(1), ref.ask(2)) == [1, 2]
            assert await asyncio.wait_for(ref.ask(1), 5) == 1
            assert await asyncio.create_task(ref.ask(1)) == 1
            async with asyncio.TaskGroup() as group:
                task = group.create_task(ref.ask(2))
                group.create_task(ref.send(1))
            assert task.result() == 2
            operation = ref.ask(0)
            assert [await operation, await operation] == [0, 0]     # awaiting it again is a new one
            stopped = asyncio.create_task(ref.stopped())
            await asyncio.sleep(5)
            ref.stop()
            assert await stopped == "stopped"
            with pytest.raises(ValueError):
                ref.ask(1, timeout=-1)

    run(main)


def test_a_cancelled_error_raised_inside_a_handler_does_not_hang_the_asker_and_is_a_failure():
    async def cancels_itself(message):
        asyncio.current_task().cancel()
        await asyncio.sleep(1)

    def raises_it(message):
        raise asyncio.CancelledError

    async def main():
        async with ActorSystem("s") as system:
            for behavior in (cancels_itself, raises_it):
                ref = system.spawn(behavior)
                with pytest.raises(ActorStopped):
                    await ref.ask(1)
                assert isinstance(await ref.stopped(), asyncio.CancelledError)

    run(main)


def test_a_stop_iteration_reaches_the_asker_as_a_runtime_error():
    async def main():
        async with ActorSystem("s") as system:
            with pytest.raises(RuntimeError):
                await system.spawn(Echo).ask(StopIteration())

    run(main)


def test_keyboard_interrupt_and_system_exit_end_the_program():
    for error in (KeyboardInterrupt, SystemExit):
        for cls in (Echo, Sleeper):

            async def main(cls=cls, error=error):
                async with ActorSystem("s") as system:
                    system.spawn(cls).tell(error())
                    await asyncio.sleep(1)

            with pytest.raises(error):
                run(main)


# --- replies later ---


def test_a_reply_can_be_given_later_and_the_value_returned_is_ignored():
    class Later(Actor):
        def __init__(self):
            self.replies = []

        def receive(self, message):
            if message == "now":
                for i, reply in enumerate(self.replies):
                    reply.set_result(i)
                return "done"
            self.replies.append(self.reply_later())
            assert self.reply_later() is self.replies[-1]
            return "ignored"

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Later)
            asks = [asyncio.create_task(ref.ask(i)) for i in range(2)]
            told = asyncio.create_task(asyncio.sleep(0.1))
            await told
            ref.tell("told")
            assert await ref.ask("now") == "done"
            assert await asyncio.gather(*asks) == [0, 1]
            replies = ref._cell.actor.replies
            assert all(reply.done() for reply in replies)
            with pytest.raises(asyncio.InvalidStateError):
                replies[0].set_result(1)
            with pytest.raises(RuntimeError):
                ref._cell.actor.reply_later()

    run(main)


def test_a_reply_is_done_when_the_asker_has_given_up_and_answering_then_makes_a_dead_letter():
    replies, done = [], []

    class Later(Actor):
        def receive(self, message):
            replies.append(self.reply_later())
            replies[-1].add_done_callback(done.append)

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Later)
            with pytest.raises(TimeoutError):
                await ref.ask(1, timeout=1)
            await asyncio.sleep(0)
            assert replies[0].done() and done == replies
            replies[0].set_result("late")
            assert [letter.message for letter in system.dead_letters] == ["late"]
            ask = asyncio.create_task(ref.ask(2))
            await asyncio.sleep(0.1)
            ref.stop()
            with pytest.raises(ActorStopped):
                await ask

    run(main)


def test_a_deadlock_report_names_the_actors():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(lambda message: asyncio.Event().wait(), name="stuck")
            await asyncio.create_task(ref.ask(1, timeout=None), name="asker")

    with pytest.raises(Deadlock) as caught:
        run(main)
    assert "asker: blocked in <ask of <ActorRef /user/stuck" in str(caught.value)
    assert "actor /user/stuck" in str(caught.value)
