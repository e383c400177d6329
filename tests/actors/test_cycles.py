"""Ask cycles: an ask that would wait for itself is refused when it is made, and no other one is."""

import asyncio
import functools
import sys

import pytest

from asyncpatterns import Actor, ActorStopped, ActorSystem, AskCycle, Child, Supervisor
from asyncpatterns.actors.actor import traits_of
from asyncpatterns.actors.running import BUDGET
from asyncpatterns.testing import run

from .helpers import Echo

EAGER = pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")


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


class AsyncEcho(Echo):
    async def receive(self, message):
        answer = super().receive(message)
        return await answer if hasattr(answer, "__await__") else answer


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


@pytest.mark.parametrize("before", [0, 1, BUDGET + 1])
def test_such_a_cycle_is_caught_on_a_loop_that_does_not_show_its_queue(before):
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coroutine, **options: asyncio.Task(coroutine, loop=loop, **options))
        async with ActorSystem("s") as system:
            for cls in (Echo, AsyncEcho):
                ref = system.spawn(cls)
                for _ in range(before):
                    ref.tell("noise")
                with pytest.raises(AskCycle):
                    await ref.ask(lambda actor: asyncio.gather(actor.ref.ask("again", timeout=None)), timeout=None)

    run(main)


@pytest.mark.parametrize("start", [asyncio.gather, asyncio.ensure_future])
@pytest.mark.parametrize("before", [1, 2, BUDGET - 1, BUDGET, BUDGET + 1])
@pytest.mark.parametrize("noise", ["told", "leaves a task", "asked", "promised", "stashed", "sets a timer"])
def test_such_a_cycle_is_caught_whatever_was_handled_before_in_one_go(noise, before, start):
    tasks = []

    class Noisy(Echo):
        def receive(self, message):
            if message == "leaves a task":
                tasks.append(asyncio.ensure_future(asyncio.sleep(1)))
            elif message == "sets a timer":
                self.timers.once("key", 1, "tick")
            elif message == "promised":
                self.reply_later().set_result(message)
            elif message == "stashed":
                self.stash()
            return super().receive(message)

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Noisy)
            for _ in range(before):
                ref.tell(noise)
                if noise == "asked":
                    tasks.append(asyncio.ensure_future(ref.ask(noise)))
            await asyncio.sleep(0)
            for _ in range(before):
                ref.tell(noise)
            with pytest.raises(AskCycle) as caught:
                await ref.ask(lambda actor: start(actor.ref.ask("again", timeout=None)), timeout=None)
            assert caught.value.path == (ref.path, ref.path)

    run(main)


def test_a_handler_that_surely_returns_nothing_to_await_is_known_by_its_code():
    class Tells(Actor):
        def receive(self, message):
            if message:
                return
            self.seen = message

    class Returns(Actor):
        def receive(self, message):
            return self.seen if message else None

    class Generates(Actor):
        def receive(self, message):
            yield message

    class Wrapped(Actor):
        receive = functools.partialmethod(Returns.receive)

    kinds = (Tells, True), (Returns, False), (Generates, False), (Wrapped, False), (AsyncEcho, False)
    for cls, answers_nothing in kinds:
        assert traits_of(cls).answers_nothing is answers_nothing, cls


def test_an_instance_that_is_given_another_receive_is_no_worse_off_from_the_second_time_on():
    class Becomes(Actor):
        def receive(self, message):
            self.receive = lambda message: message(self)

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Becomes)
            ref.tell("become")
            assert await ref.ask(lambda actor: asyncio.ensure_future(asyncio.sleep(1, "slept"))) == "slept"
            ref.tell(lambda actor: None)
            with pytest.raises(AskCycle):
                await ref.ask(lambda actor: asyncio.ensure_future(actor.ref.ask("again", timeout=None)), timeout=None)

    run(main)


def test_a_cycle_is_caught_after_a_whole_turn_of_ticks_that_nobody_wants_any_more():
    class Ticking(Asker):
        async def receive(self, message):
            if message == "tick":
                for key in range(BUDGET):
                    self.timers.once(key, 1, "too late")
                await asyncio.sleep(2)
                raise ValueError("the next one finds the ticks of this one")
            return await super().receive(message)

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Supervisor, [Child("child", Ticking)]).children()["child"]
            ref.tell("tick")
            await asyncio.sleep(1.5)
            with pytest.raises(AskCycle):
                await ref.ask(("ask", ref, 1), timeout=None)

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


def test_a_task_that_a_handler_left_behind_is_not_of_the_turn_that_follows_in_its_task():
    async def main():
        gate, helpers = asyncio.Event(), []

        async def helper(actor):
            await gate.wait()
            return await actor.ref.ask("later")

        def leaves(actor):
            helpers.append(asyncio.ensure_future(helper(actor)))
            return asyncio.sleep(1)

        async def opens():
            gate.set()
            await asyncio.sleep(1)

        async with ActorSystem("s") as system:
            ref = system.spawn(Echo)
            ref.tell(leaves)
            ref.tell(lambda actor: opens())
            assert await ref.ask("last") == "last"
            assert await helpers[0] == "later"

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


@pytest.mark.parametrize("handler", ["plain", "async"])
@pytest.mark.parametrize("leave", ["call_soon", "call_later"])
@pytest.mark.parametrize("slow", ["slow", "slow task"])
def test_a_callback_that_outlives_its_handler_waits_for_nobody(slow, handler, leave):
    answers = []

    class Leaves(Actor):
        def receive(self, message):
            loop = asyncio.get_running_loop()
            if message == "leave":
                if leave == "call_soon":
                    loop.call_soon(self.go)
                else:
                    loop.call_later(1, self.go)
            if message == "slow":
                return asyncio.sleep(5)
            return asyncio.ensure_future(asyncio.sleep(5)) if message == "slow task" else message

        def go(self):
            answers.append(asyncio.ensure_future(self.ref.ask("hello", timeout=None)))     # while "slow" is handled

    class LeavesToo(Leaves):
        async def receive(self, message):
            answer = super().receive(message)
            return await answer if message in ("slow", "slow task") else answer

    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Leaves if handler == "plain" else LeavesToo)
            for message in ("noise", "noise", "leave", slow):
                ref.tell(message)
            await asyncio.sleep(10)
            assert await answers.pop() == "hello"

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


class Walker(Actor):
    """Asks the next one on the way, in one of the ways in which a handler may; what it leaves behind asks itself."""

    def __init__(self, style, team, left):
        self.style, self.team, self.left = style, team, left

    def receive(self, way):
        if not way:
            return "there"
        if way == "noise":
            return None
        if way == "leave":
            self.left.append(asyncio.ensure_future(self.ref.ask([], timeout=None)))
            return None
        ask = self.team[way[0]].ask(way[1:], timeout=None)
        if self.style == "gather":
            return asyncio.gather(ask, asyncio.sleep(0.1))
        return asyncio.ensure_future(ask) if self.style == "task" else ask


class AsyncWalker(Walker):
    async def receive(self, way):
        answer = super().receive(way)
        return await answer if hasattr(answer, "__await__") else answer


@pytest.mark.parametrize("seed", range(40))
def test_asks_on_random_ways_all_end_and_none_is_refused_where_every_way_leads_upwards(seed):
    upwards = seed % 2 == 0

    async def main():
        random, left, team = asyncio.get_running_loop().random, [], []
        async with ActorSystem("s") as system:
            children = [Child(str(n), random.choice([Walker, AsyncWalker]), random.choice(["ask", "task", "gather"]),
                              team, left) for n in range(5)]
            supervisor = system.spawn(Supervisor, children, max_restarts=10_000)
            team.extend(supervisor.children().values())
            for _ in range(20):
                asks = []
                for _ in range(6):
                    for _ in range(random.randrange(4)):
                        random.choice(team).tell(random.choice(["noise", "leave"]))
                    way = [random.randrange(5) for _ in range(4)]
                    way = sorted(set(way)) if upwards else way
                    asks.append(team[way[0]].ask(way[1:], timeout=None))
                answers = await asyncio.gather(*asks, return_exceptions=True)
                kinds = (str, list) if upwards else (str, list, AskCycle)
                assert all(isinstance(answer, kinds) for answer in answers), answers
            assert set(await asyncio.gather(*left)) == {"there"}

    run(main, seed=seed)


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


@pytest.mark.parametrize("eager", [False, pytest.param(True, marks=EAGER)])
def test_a_helper_that_answers_later_works_on_behalf_of_the_asker(eager):
    tasks = []

    class Deferring(Actor):
        def receive(self, message):
            reply = self.reply_later()
            tasks.append(asyncio.create_task(self.answer(reply, message)))

        async def answer(self, reply, ref):
            try:
                reply.set_result(await ref.ask("back", timeout=None))
            except (AskCycle, ActorStopped) as error:
                reply.set_exception(error)

    async def main():
        if eager:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with ActorSystem("s") as system:
            a, deferring = system.spawn(Asker), system.spawn(Deferring)
            with pytest.raises(AskCycle):
                await a.ask(("ask", deferring, a))

    run(main)
