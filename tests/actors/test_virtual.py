"""Virtual actors: one for each key, in memory only while it is used."""

import asyncio
import gc
import tracemalloc

import pytest

from asyncpatterns import Actor, ActorSystem, SqliteStore
from asyncpatterns.testing import run

LOG: list = []


class Counter(Actor):
    """Counts its messages, and keeps the count."""

    def __init__(self, key):
        self.key = key
        self.count = 0
        LOG.append(("born", key))

    def restore(self, state):
        self.count = state

    def snapshot(self):
        return self.count

    def receive(self, message):
        if isinstance(message, Exception):
            raise message
        self.count += 1
        return self.count

    def on_stop(self, reason):
        LOG.append(("gone", self.key, reason))


class SlowCounter(Counter):
    async def restore(self, state):
        await asyncio.sleep(1)
        super().restore(state)

    async def snapshot(self):
        await asyncio.sleep(1)
        return self.count

    async def receive(self, message):
        await asyncio.sleep(message if isinstance(message, int) else 0)
        return super().receive(message)


@pytest.fixture(autouse=True)
def fresh_log():
    LOG.clear()


def now():
    return asyncio.get_running_loop().time()


def test_the_first_message_creates_it_and_idleness_stores_and_stops_it_to_the_tick():
    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Counter, idle=300.0)
            alice = users["alice"]
            assert not LOG and len(users) == 0 and "passive" in repr(alice)
            assert await alice.ask("hi") == 1
            await asyncio.sleep(200)
            alice.tell("again")
            await asyncio.sleep(299.9)
            assert len(users) == 1
            await asyncio.sleep(0.2)
            assert len(users) == 0 and users.store == {"alice": 2}
            assert LOG == [("born", "alice"), ("gone", "alice", "passivated")]
            assert await alice.ask("back") == 3

    run(main)


def test_leaving_the_system_stores_all_snapshots_and_handles_queued_mail():
    async def main():
        store = {}
        async with ActorSystem("s") as system:
            users = system.virtual(SlowCounter, store=store)
            for key in range(20):
                users[key].tell(1)
        assert store == dict.fromkeys(range(20), 1) and now() == 2
        assert not [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]
        async with ActorSystem("s") as system:
            users = system.virtual(SlowCounter, store=store)
            assert await users[7].ask(0) == 2
        users[7].tell(1)
        assert system.dead_letters.total == 1

    run(main)


def test_past_the_limit_the_least_recently_used_goes_first():
    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Counter, limit=3)
            for key in "abcade":
                await users[key].ask(1)
            assert sorted(users) == ["a", "d", "e"]
            await asyncio.sleep(0.1)
            assert [key for what, key, *_ in LOG if what == "gone"] == ["b", "c"]

    run(main)


def test_a_message_that_arrives_during_passivation_is_not_lost_and_there_are_never_two_incarnations():
    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(SlowCounter, idle=10.0)
            alice = users["alice"]
            assert await alice.ask(0) == 1
            await asyncio.sleep(10.5)       # its snapshot takes until 11
            assert await alice.ask(0) == 2 and now() == 12      # and its restore until 12
            assert LOG == [("born", "alice"), ("gone", "alice", "passivated"), ("born", "alice")]
            await asyncio.sleep(10.5)
            alice.tell(0)                   # and now the system is left in the middle of it
        assert users.store == {"alice": 3}

    run(main)


def test_a_busy_actor_is_not_idle_and_idleness_counts_from_the_end_of_its_work():
    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(SlowCounter, idle=10.0)
            users["a"].tell(100)
            await asyncio.sleep(109)
            assert len(users) == 1 and not users.store
            await asyncio.sleep(2.5)
            assert users.store == {"a": 1}

    run(main)


def test_one_that_fails_is_restarted_from_its_last_snapshot_with_its_mail():
    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Counter, idle=10.0)
            alice = users["alice"]
            await alice.ask(1)
            await asyncio.sleep(11)
            for message in (1, 1, ValueError("boom")):
                alice.tell(message)
            assert await alice.ask(1) == 2      # from the snapshot, which says 1
            assert system.dead_letters.total == 0

    run(main)


def test_after_three_restarts_in_five_seconds_its_mail_is_lost_and_the_next_message_starts_afresh(caplog):
    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Counter)
            alice = users["alice"]
            for _ in range(4):
                alice.tell(ValueError("boom"))
            alice.tell("lost")
            await asyncio.sleep(1)
            assert [letter.message for letter in system.dead_letters] == ["lost"] and len(users) == 0
            assert await alice.ask(1) == 1

    run(main)
    assert "failed too often" in caplog.text


def test_a_restore_that_fails_is_a_failing_start():
    class Bad(Counter):
        def restore(self, state):
            raise ValueError("unreadable")

    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Bad, store={"a": 1})
            users["a"].tell(1)
            await asyncio.sleep(1)
            assert system.dead_letters.total == 1 and len([entry for entry in LOG if entry[0] == "born"]) == 4
            assert await users["b"].ask(1) == 1

    run(main)


def test_its_own_reference_is_the_one_that_is_always_good():
    class Own(Counter):
        def receive(self, message):
            if message == "stop":
                self.stop()
            return self.ref

    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Own)
            own = await users["a"].ask(1)
            assert own == users["a"] and hash(own) == hash(users["a"]) and own != users["b"] and own.key == "a"
            own.tell("stop")
            own.tell(1)
            await asyncio.sleep(0.1)
            assert len(users) == 0 and users.store == {"a": 0}
            assert await own.ask(1) == own
            own.kill()
            await asyncio.sleep(0.1)
            assert len(users) == 0
            with pytest.raises(TypeError):
                own.stopped()

    run(main)


@pytest.mark.parametrize("when", ["before it is born", "while it starts", "idle", "busy", "while it ends"])
@pytest.mark.parametrize("cls", [Counter, SlowCounter])
def test_what_comes_after_a_kill_is_for_the_next_incarnation(cls, when):
    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(cls, store={"a": 10})
            ref = users["a"]
            if when != "before it is born":
                ref.tell(5)
                await asyncio.sleep({"while it starts": 0.5, "idle": 10}.get(when, 2))
            if when == "while it ends":
                ref.kill()
                await asyncio.sleep(0)
            ref.tell("lost")
            ref.kill()
            lost = system.dead_letters.total
            ref.tell(0)
            assert await ref.ask(0) == 12
            assert system.dead_letters.total == lost and len(users) == 1
            births = [event[0] for event in LOG]
            assert births == ["born", "gone"] * (len(births) // 2) + ["born"], "two incarnations at a time"
        assert users.store == {"a": 12}

    run(main)


def test_what_came_after_a_kill_is_handled_before_the_system_is_left():
    class Slow(Counter):
        async def on_stop(self, reason):
            await asyncio.sleep(1)

    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Slow)
            await users["a"].ask(0)
            users["a"].kill()
            answers = [asyncio.ensure_future(users["a"].ask(0)) for _ in range(2)]
            await asyncio.sleep(0)
        assert await asyncio.gather(*answers) == [1, 2] and users.store == {"a": 2}

    run(main)


def test_one_that_owes_an_answer_is_not_idle():
    class Owing(Actor):
        def __init__(self, key):
            pass

        def receive(self, message):
            reply = self.reply_later()
            asyncio.get_running_loop().call_later(25, reply.set_result, "at last")

    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Owing, idle=10.0)
            assert await users["a"].ask(1, timeout=None) == "at last"
            await asyncio.sleep(10.1)
            assert len(users) == 0

    run(main)


def test_its_own_ticks_do_not_keep_it():
    class Ticking(Counter):
        def on_start(self):
            self.timers.every("t", 3, "tick")

    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Ticking, idle=10.0)
            await users["a"].ask(1)
            await asyncio.sleep(10.1)
            assert len(users) == 0

    run(main)


def test_keys_that_look_alike_are_two_actors_and_bad_options_are_refused():
    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Counter)
            assert [await users[1].ask(0), await users["1"].ask(0)] == [1, 1]
            with pytest.raises(TypeError):
                users[[]]
            for options in ({"idle": 0}, {"limit": 0}):
                with pytest.raises(ValueError):
                    system.virtual(Counter, **options)
            with pytest.raises(TypeError):
                system.virtual(len)

    run(main)


def test_a_sqlite_store_survives_the_process(tmp_path):
    path = tmp_path / "states.db"

    async def visit(expected):
        with SqliteStore(path) as store:
            async with ActorSystem("s") as system:
                assert await system.virtual(Counter, store=store)["alice"].ask(1) == expected
            assert store["alice"] == expected and "1 states" in repr(store)
        assert "closed" in repr(store)

    run(lambda: visit(1))
    run(lambda: visit(2))


def test_a_sqlite_store_is_a_mutable_mapping(tmp_path):
    with SqliteStore(tmp_path / "states.db") as store:
        store[1], store["1"] = [1], {"x": 2}
        assert dict(store) == {1: [1], "1": {"x": 2}} and len(store) == 2 and 1 in store and 2 not in store
        del store[1]
        for missing in (lambda: store[1], lambda: store.pop(1)):
            with pytest.raises(KeyError):
                missing()
        with pytest.raises(TypeError):
            store[(1, 2)] = 3


def test_plain_hooks_start_it_without_a_task_and_a_restore_that_raises_is_a_failure_like_any_other():
    class Picky(Counter):
        def restore(self, state):
            super().restore(state)
            LOG.append(len(asyncio.all_tasks()))
            if len(LOG) < 5:
                raise ValueError("not yet")

    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Picky, store={"alice": 7})
            assert await users["alice"].ask("hi") == 8
            assert LOG == [("born", "alice"), 1] * 3

    run(main)


def test_a_constructor_that_raises_for_ever_loses_its_mail_and_leaves_nothing_behind():
    class Broken(Actor):
        def __init__(self, key):
            LOG.append(key)
            raise ValueError("no")

    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Broken)
            users["alice"].tell("hi")
            await asyncio.sleep(1)
            assert LOG == ["alice"] * 4 and len(users) == 0
            assert [letter.message for letter in system.dead_letters] == ["hi"]
            assert len(asyncio.all_tasks()) == 1

    run(main)


def test_an_idle_one_with_a_timer_costs_at_most_2_kilobytes():
    class Waiting(Actor):
        __slots__ = ("key",)

        def __init__(self, key):
            self.key = key

        async def receive(self, message):
            self.timers.once("quiet", 30.0, None)

    async def main():
        async with ActorSystem("s") as system:
            users = system.virtual(Waiting)
            await users["warm"].ask(1)
            gc.collect()
            tracemalloc.start()
            try:
                for key in range(3_000):
                    await users[key].ask(1)
                gc.collect()
                each = tracemalloc.get_traced_memory()[0] / 3_000
            finally:
                tracemalloc.stop()
            assert each <= 2_048, each

    run(main)
