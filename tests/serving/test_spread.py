"""Virtual actors on several hosts: the same calls, each turn once, and a dead host costs at most the turn in flight."""

import asyncio
import contextlib
import random
from typing import ClassVar

import pytest

from asyncpatterns import Actor, SqliteStore
from asyncpatterns.serving.front import HostLost, SpreadActors, Unavailable
from asyncpatterns.serving.local import LocalNode
from asyncpatterns.serving.shared import SharedStore
from asyncpatterns.testing import run

NAMES = ("amber", "beryl", "coral")


class Diary(Actor):
    """Writes down what it is told, and answers how much that is."""

    born: ClassVar[list] = []

    def __init__(self, key):
        self.key, self.pages = key, []
        Diary.born.append(key)

    def restore(self, state):
        self.pages = list(state)

    def snapshot(self):
        return list(self.pages)

    async def receive(self, message):
        if message == "read":
            return list(self.pages)
        if isinstance(message, Exception):
            raise message
        await asyncio.sleep(0.010)
        self.pages.append(message)
        return len(self.pages)


class Plain(Actor):
    """Keeps nothing, and takes its time to answer."""

    def __init__(self, key):
        self.key = key

    def receive(self, message):
        reply = self.reply_later()
        asyncio.get_running_loop().call_later(0.1, reply.set_result, (self.key, message))


class Town:
    """Hosts, the store they share, and a front."""

    def __init__(self, cls=Diary, states=None, names=NAMES, **options):
        self.store = SharedStore(states)
        self.nodes = {name: LocalNode(cls, self.store, name=name, **{"delay": 0.001, **options}) for name in names}

    async def __aenter__(self):
        Diary.born = []
        for node in self.nodes.values():
            await node.start()
        self.users = await SpreadActors(self.nodes, front="front").__aenter__()
        return self

    async def __aexit__(self, *exc_info):
        await self.users.__aexit__(*exc_info)
        for node in self.nodes.values():
            await node.stop()

    def node_of(self, key):
        return self.nodes[self.users.home_of(key)]


def in_town(body, *, seed=0, **options):
    async def main():
        async with Town(**options) as town:
            return await body(town)
    return run(main, seed=seed)


def now():
    return asyncio.get_running_loop().time()


def test_the_call_is_that_of_one_process_and_the_keys_are_spread():
    async def body(town):
        keys = [f"user-{number}" for number in range(60)]
        assert await asyncio.gather(*(town.users[key].ask("hello") for key in keys)) == [1] * 60
        assert await town.users["user-7"].ask("again") == 2
        live = await town.users.live()
        assert sum(live.values()) == 60 and min(live.values()) > 5
        assert {key: town.store.states[key] for key in keys} == {
            key: ["hello", "again"] if key == "user-7" else ["hello"] for key in keys}
    in_town(body)


def test_messages_to_one_key_keep_their_order():
    async def body(town):
        alice = town.users["alice"]
        for number in range(300):
            alice.tell(number)
        assert await alice.ask("read", timeout=60) == list(range(300))
    in_town(body)


def test_calls_between_processes_are_shared_by_what_gathered_meanwhile():
    async def body(town):
        posts = []
        node = town.nodes["amber"]
        post = node.post
        node.post = lambda front, turns: (posts.append(len(turns)), post(front, turns))[1]
        keys = [key for key in map(str, range(400)) if town.users.home_of(key) == "amber"]
        await asyncio.gather(*(town.users[key].ask("hello") for key in keys))
        assert sum(posts) == len(keys) > 100 and len(posts) <= 2
    in_town(body)


def test_a_handler_that_raises_tells_its_asker_and_the_state_is_that_before():
    async def body(town):
        alice = town.users["alice"]
        await alice.ask("one")
        with pytest.raises(ValueError, match="torn page") as caught:
            await alice.ask(ValueError("torn page"))
        assert "alice" in caught.value.__notes__[0]
        assert await alice.ask("read") == ["one"]
    in_town(body)


def test_an_ask_has_its_timeout_and_the_message_is_handled_all_the_same():
    async def body(town):
        began = now()
        with pytest.raises(TimeoutError):
            await town.users["alice"].ask("slow", timeout=0.005)
        assert now() - began == pytest.approx(0.005)
        await asyncio.sleep(1)
        assert await town.users["alice"].ask("read") == ["slow"]
        with pytest.raises(ValueError, match="seconds >= 0"):
            await town.users["alice"].ask("x", timeout=-1)
    in_town(body)


def test_idle_actors_are_passivated_and_come_back_with_their_state():
    async def body(town):
        await town.users["alice"].ask("one")
        await asyncio.sleep(31)
        assert sum((await town.users.live()).values()) == 0
        assert town.store._owners == {}, "a key nobody holds is still claimed"
        assert await town.users["alice"].ask("two") == 2
        assert Diary.born == ["alice", "alice"]
    in_town(body, idle=30.0)


def test_the_states_are_those_that_one_process_would_keep(tmp_path):
    path = tmp_path / "states.sqlite"
    with SqliteStore(path) as before:
        before["alice"] = ["long ago"]

    async def body(town):
        assert await town.users["alice"].ask("today") == 2
        town.store.states.close()
    in_town(body, states=lambda: SqliteStore(path))
    with SqliteStore(path) as after:
        assert after["alice"] == ["long ago", "today"]


def test_an_actor_without_a_state_and_with_a_promised_reply():
    async def body(town):
        assert await town.users["alice"].ask("hello") == ("alice", "hello")
        assert town.store.states == {}
    in_town(body, cls=Plain)


class Selfish(Actor):
    """Calls its own methods, as an actor may, and has all hooks."""

    __slots__ = ("key", "log")

    def __init__(self, key):
        self.key, self.log = key, []

    def on_start(self):
        self.log.append("start")

    def on_stop(self, reason):
        self.log.append("stop")

    def restore(self, state):
        self.log = list(state)

    def snapshot(self):
        return tuple(self.log)

    def receive(self, message):
        if message == "twice":
            return self.receive("one"), self.receive("two")
        self.log.append(message)
        return self.snapshot()


def test_an_actor_may_call_its_own_methods_and_its_hooks_run_in_their_order():
    async def body(town):
        alice = town.users["alice"]
        assert await alice.ask("hello") == ("start", "hello")
        assert await alice.ask("twice") == (("start", "hello", "one"), ("start", "hello", "one", "two"))
        assert town.store.states["alice"] == ("start", "hello", "one", "two")
        await asyncio.sleep(31)
        assert town.store.states["alice"] == ("start", "hello", "one", "two", "stop")
        assert await alice.ask("back") == ("start", "hello", "one", "two", "stop", "start", "back")
    in_town(body, cls=Selfish, idle=30.0)


def test_the_chatbots_conversations_go_on_elsewhere():
    from asyncpatterns.chatbot import Chat, Order, PerfectModel
    from asyncpatterns.chatbot.chat import conversation_class
    model = PerfectModel(sentences=1)

    @contextlib.asynccontextmanager
    async def kes():
        async with Chat(model) as chat:
            yield conversation_class(chat)

    async def body(town):
        alice = town.users["alice"]
        for text in ("sell me a day return to Hartsea", "thanks"):
            assert (await alice.ask(text)).text
        before = await alice.ask(Order.SHOW)
        town.node_of("alice").kill()
        after = await alice.ask(Order.SHOW)
        assert after.history == before.history and len(after.history) == 2
        assert (after.facts, after.topics) == (before.facts, before.topics)
    in_town(body, cls=kes)


def test_what_all_actors_of_a_host_share_is_opened_and_closed_with_it():
    log = []

    @contextlib.asynccontextmanager
    async def shared():
        log.append("open")
        yield Diary
        log.append("close")

    async def body(town):
        assert await town.users["alice"].ask("hello") == 1
        assert log == ["open"] * 3
    in_town(body, cls=shared)
    assert log == ["open"] * 3 + ["close"] * 3


# --- hosts that die ---

def test_a_dead_host_is_noticed_and_its_actors_go_on_elsewhere():
    async def body(town):
        alice = town.users["alice"]
        assert [await alice.ask(word) for word in ("one", "two")] == [1, 2]
        home = town.users.home_of("alice")
        town.node_of("alice").kill()
        assert await alice.ask("three") == 3
        assert town.users.down == (home,) and town.users.home_of("alice") != home
        assert home in repr(town.users)
        await town.nodes[home].start()
        await asyncio.sleep(2)
        assert town.users.down == () and town.users.home_of("alice") == home
        assert await alice.ask("four") == 4
    in_town(body)


def test_only_the_keys_of_the_dead_host_move():
    async def body(town):
        keys = [f"user-{number}" for number in range(100)]
        await asyncio.gather(*(town.users[key].ask("hello") for key in keys))
        homes = {key: town.users.home_of(key) for key in keys}
        town.nodes["beryl"].kill()
        Diary.born.clear()
        assert await asyncio.gather(*(town.users[key].ask("again") for key in keys)) == [2] * 100
        assert sorted(Diary.born) == sorted(key for key in keys if homes[key] == "beryl")
    in_town(body)


async def kill_all(town):
    """And every one of them is found dead."""
    for node in town.nodes.values():
        node.kill()
    await asyncio.sleep(0.1)
    assert set(town.users.down) == set(NAMES)


def test_with_no_host_left_an_ask_is_refused_at_once_and_says_when_to_come_back():
    async def body(town):
        await kill_all(town)
        began = now()
        with pytest.raises(Unavailable, match="try again in 1 s") as caught:
            await town.users["alice"].ask("hello")
        assert caught.value.retry_after == 1.0 and now() == began
        town.users["alice"].tell("hello")
        await asyncio.sleep(0.1)
        [(key, message, error)] = town.users.lost
        assert (key, message) == ("alice", "hello") and isinstance(error, Unavailable)
        for node in town.nodes.values():
            await node.start()
        await asyncio.sleep(1)
        assert await town.users["alice"].ask("hello") == 1
    in_town(body)


@pytest.mark.parametrize("moment", [0.0003, 0.0013, 0.005, 0.0117, 0.0122, 0.0127])
def test_what_was_on_its_way_when_the_last_host_died_is_never_refused_for_it_may_have_been_handled(moment):
    """Who is refused asks again, so a refusal is a promise that nothing happened."""
    async def body(town):
        turn = asyncio.ensure_future(town.users["alice"].ask("hello", timeout=20))
        town.users["bob"].tell("hello")
        await asyncio.sleep(moment)
        await kill_all(town)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(turn), 10)
        for node in town.nodes.values():
            await node.start()
        assert await turn == 1
        assert await town.users["alice"].ask("read") == await town.users["bob"].ask("read") == ["hello"]
        assert town.users.lost == []
    in_town(body)


def test_its_timeout_ends_the_wait_for_a_host():
    async def body(town):
        for node in town.nodes.values():
            node.kill()
        began = now()
        with pytest.raises(TimeoutError):
            await town.users["alice"].ask("hello", timeout=3)
        assert now() - began == pytest.approx(3)
    in_town(body)


def test_leaving_does_not_wait_for_hosts_that_are_not_there():
    async def body(town):
        town.users["bob"].tell("hello")
        turn = asyncio.ensure_future(town.users["alice"].ask("hello", timeout=None))
        await asyncio.sleep(0.005)
        await kill_all(town)
        began = now()
        await town.users.__aexit__(None, None, None)
        with pytest.raises(HostLost, match="may have been handled"):
            await turn
        assert now() - began < 1
        [(key, message, error)] = town.users.lost
        assert (key, message) == ("bob", "hello") and isinstance(error, HostLost)
    in_town(body)


@pytest.mark.parametrize("moment", [0.0003, 0.0008, 0.0011, 0.0013, 0.0018, 0.005, 0.0117, 0.0122, 0.0127, 0.02])
def test_a_turn_in_flight_is_handled_once_whenever_its_host_dies(moment):
    async def body(town):
        turn = asyncio.ensure_future(town.users["alice"].ask("hello"))
        await asyncio.sleep(moment)
        town.node_of("alice").kill()
        assert await turn == 1
        assert await town.users["alice"].ask("read") == ["hello"]
    in_town(body)


@pytest.mark.parametrize("moment", [0.0008, 0.005, 0.0117, 0.0122])
def test_a_host_that_was_cut_off_and_works_on_is_refused_by_the_store(moment):
    async def body(town):
        turn = asyncio.ensure_future(town.users["alice"].ask("hello"))
        await asyncio.sleep(moment)
        zombie = town.node_of("alice")
        zombie.cut_off()
        assert await turn == 1
        assert await town.users["alice"].ask("more") == 2
        zombie.host.users["alice"].tell("from beyond")
        await asyncio.sleep(1)
        pages = await town.users["alice"].ask("read")
        assert pages[:2] == ["hello", "more"] and pages.count("hello") == 1, "old state over new, or a turn twice"
        await zombie.host.close()
    in_town(body)


def test_two_fronts_that_disagree_about_who_is_there_lose_and_double_nothing():
    async def body(town):
        home = town.users.home_of("alice")
        other = SpreadActors({name: node for name, node in town.nodes.items() if name != home}, front="other")
        async with other:
            asks = [(town.users if number % 2 else other)["alice"].ask(number, timeout=60) for number in range(20)]
            await asyncio.gather(*asks)
            assert sorted(await other["alice"].ask("read")) == list(range(20))
    in_town(body)


@pytest.mark.parametrize("seed", range(12))
def test_under_load_with_hosts_dying_every_acknowledged_turn_is_kept_once(seed):
    """Invariants: an answered turn is in the diary exactly once, an unanswered one at most once, though who is refused
    asks again; nothing hangs.
    """
    rng = random.Random(seed)

    async def body(town):
        keys = [f"user-{number}" for number in range(12)]
        answered = {key: [] for key in keys}
        asked = {key: [] for key in keys}

        async def visitor(key):
            for number in range(25):
                await asyncio.sleep(rng.expovariate(6))
                asked[key].append(number)
                with contextlib.suppress(TimeoutError):
                    await insist(town.users[key], number)
                    answered[key].append(number)

        async def insist(user, number):
            while True:
                try:
                    return await user.ask(number, timeout=20)
                except Unavailable as refusal:
                    await asyncio.sleep(refusal.retry_after)

        async def fate():
            while True:
                await asyncio.sleep(rng.expovariate(8))
                nodes = [town.nodes[name] for name in rng.sample(NAMES, rng.choice([1, 1, 1, 2, 3]))]
                for node in nodes:
                    rng.choice([node.kill, node.cut_off])()
                await asyncio.sleep(rng.expovariate(8))
                for node in nodes:
                    await node.start()

        trouble = asyncio.ensure_future(fate())
        async with asyncio.timeout(120):
            await asyncio.gather(*map(visitor, keys))
        trouble.cancel()
        await asyncio.sleep(5)
        for name in town.users.down:
            await town.nodes[name].start()
        await asyncio.sleep(2)
        for key in keys:
            pages = await town.users[key].ask("read")
            assert len(pages) == len(set(pages)), f"a turn of {key} was handled twice: {pages}"
            assert set(answered[key]) <= set(pages) <= set(asked[key])
        assert town.users.retried > 0
        return sum(map(len, answered.values()))

    assert in_town(body, seed=seed, detection=0.03) > 200


# --- the shared store ---

def test_the_store_takes_the_newest_claim_only():
    async def body(_):
        store = SharedStore({"alice": 1})
        old = await store.claim("alice")
        new = await store.claim("alice")
        assert (old.found, old.state, new.state) == (True, 1, 1)
        assert not await store.save("alice", old.token, 2) and store.states["alice"] == 1
        assert await store.save("alice", new.token, 3) and store.states["alice"] == 3
        await store.release("alice", old.token)
        assert await store.save("alice", new.token, 4)
        await store.release("alice", new.token)
        assert not await store.save("alice", new.token, 5)
        assert (await store.claim("bob")).found is False
        assert repr(store) == "<SharedStore of 1 states, 1 claimed>"
    in_town(body)


def test_what_is_wrong_is_said():
    with pytest.raises(ValueError, match="at least one host"):
        SpreadActors({})

    async def body(town):
        with pytest.raises(TypeError):
            town.users[[]]
        assert town.users["a"] == town.users["a"] != town.users["b"]
        assert len({town.users["a"], town.users["a"]}) == 1
    in_town(body)
