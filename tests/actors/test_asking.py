"""Asks: each ends exactly once, and none waits for itself."""

import asyncio
import dataclasses

import pytest

from asyncpatterns import Actor, ActorStopped, ActorSystem, AskCycle, Child, Supervisor
from asyncpatterns.actors.running import BUDGET
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


# --- cycles ---


class Asker(Actor):
    """Asks others as it is told: ("ask", ref, message) waits for the answer."""

    async def receive(self, message):
        match message:
            case ("ask", ref, further):
                return await ref.ask(further, timeout=None)
            case ("gather", refs, further):
                return await asyncio.gather(*(ref.ask(further, timeout=None) for ref in refs))
            case ("helpers", refs, further):
                return await asyncio.gather(*(self.help(ref, further) for ref in refs))
            case ("sleep", seconds):
                await asyncio.sleep(seconds)
        return message

    async def help(self, ref, further):
        return await ref.ask(further, timeout=None)


def test_an_actor_that_asks_itself_is_told_the_path():
    async def main():
        async with ActorSystem("s") as system:
            a = system.spawn(Asker, name="a")
            with pytest.raises(AskCycle, match="/user/a -> /user/a") as caught:
                await a.ask(("ask", a, 1))
            assert caught.value.path == ("/user/a", "/user/a")

    run(main)


@pytest.mark.parametrize("how", ["ask", "gather", "helpers"])
def test_a_cycle_through_several_actors_is_caught_also_through_gather_and_helper_tasks(how):
    async def main():
        async with ActorSystem("s") as system:
            a, b, c = (system.spawn(Asker, name=name) for name in "abc")
            targets = (lambda ref: ref) if how == "ask" else (lambda ref: [ref])
            message = (how, targets(b), (how, targets(c), (how, targets(a), 1)))
            with pytest.raises(AskCycle) as caught:
                await a.ask(message)
            assert caught.value.path == ("/user/c", "/user/a", "/user/b", "/user/c")

    run(main)


def test_a_cycle_through_tasks_that_a_plain_handler_starts_and_returns_is_caught():
    async def main():
        async with ActorSystem("s") as system:
            for start in (asyncio.gather, asyncio.ensure_future):
                ref = system.spawn(Echo)
                with pytest.raises(AskCycle) as caught:
                    await ref.ask(lambda actor, start=start: start(actor.ref.ask("again")))
                assert caught.value.path == (ref.path, ref.path)

    run(main)


def test_a_task_that_a_plain_handler_leaves_behind_waits_for_nobody():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Echo)
            helpers = []
            ref.tell(lambda actor: helpers.append(asyncio.ensure_future(actor.ref.ask("later"))))
            ref.tell(lambda actor: asyncio.sleep(1))
            assert await ref.ask("last") == "last"
            assert await helpers[0] == "later"
            ref.tell(lambda actor: helpers.append(asyncio.ensure_future(actor.ref.ask("later"))))
            for _ in range(2 * BUDGET):     # more than one activation handles: the helper asks in the middle of it
                ref.tell("more")
            await asyncio.sleep(0)
            assert await helpers[1] == "later"

    run(main)


def test_two_actors_that_ask_each_other_in_the_same_moment_do_not_wait_for_ever():
    async def main():
        async with ActorSystem("s") as system:
            a, b = system.spawn(Asker), system.spawn(Asker)
            results = await asyncio.gather(a.ask(("ask", b, 1)), b.ask(("ask", a, 1)), return_exceptions=True)
            assert any(isinstance(result, AskCycle) for result in results)
            assert asyncio.get_running_loop().time() == 0

    run(main)


def test_a_helper_that_outlives_its_handler_waits_for_nobody():
    tasks = set()

    class Background(Actor):
        async def receive(self, message):
            if message == "start":
                task = asyncio.create_task(self.work())
                tasks.add(task)
                return task
            if message == "slow":
                await asyncio.sleep(5)
            return message

        async def work(self):
            await asyncio.sleep(1)
            return await self.ref.ask("hello", timeout=None)     # while "slow" is being handled

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Background)

            class Start(Actor):
                async def receive(self, message): ...

            ref.tell("noise")
            ref.tell("start")
            ref.tell("slow")
            await asyncio.sleep(0.5)
            assert await next(iter(tasks)) == "hello"

    run(main)


def test_asks_that_are_no_cycle_are_not_taken_for_one():
    async def main():
        async with ActorSystem("s") as system:
            a, b, c = (system.spawn(Asker) for _ in "abc")
            assert await a.ask(("gather", [b, c, b], 5)) == [5, 5, 5]
            diamond = ("gather", [b, c], ("ask", system.spawn(Echo), 7))
            assert await a.ask(diamond) == [7, 7]
            # Again and again: an ask that has been answered is no edge any more.
            for _ in range(10):
                assert await asyncio.gather(a.ask(("ask", b, 1)), b.ask(1), a.ask(2)) == [1, 1, 2]
                assert await b.ask(("ask", a, 1)) == 1

    run(main)


def test_stashed_and_deferred_asks_keep_their_edges():
    class Keeper(Actor):
        async def receive(self, message):
            match message:
                case "stash":
                    self.stash()
                case "defer":
                    self.reply_later()
                case ("ask", ref):
                    return await ref.ask(1, timeout=None)
            return None

    async def main():
        for what in ("stash", "defer"):
            async with ActorSystem("s") as system:
                a, keeper = system.spawn(Asker), system.spawn(Keeper)
                pending = asyncio.create_task(a.ask(("ask", keeper, what)))
                await asyncio.sleep(0.1)
                with pytest.raises(AskCycle):
                    await keeper.ask(("ask", a))
                with pytest.raises(ActorStopped):
                    await pending

    run(main)


def test_a_helper_that_answers_later_works_on_behalf_of_the_asker():
    tasks = []

    class Deferring(Actor):
        def receive(self, message):
            reply = self.reply_later()
            tasks.append(asyncio.create_task(self.answer(reply, message)))

        async def answer(self, reply, ref):
            try:
                reply.set_result(await ref.ask("back", timeout=None))
            except AskCycle as cycle:
                reply.set_exception(cycle)

    async def main():
        async with ActorSystem("s") as system:
            a, deferring = system.spawn(Asker), system.spawn(Deferring)
            with pytest.raises(AskCycle):
                await a.ask(("ask", deferring, a))

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
