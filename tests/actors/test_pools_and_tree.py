"""Pools, and the picture of a system."""

import asyncio
import collections

import pytest

from asyncpatterns import Actor, ActorStopped, ActorSystem, Child, Supervisor
from asyncpatterns.testing import run

from .helpers import Echo, Sleeper


class Who(Actor):
    def receive(self, message):
        if isinstance(message, Exception):
            raise message
        return self.ref.name


def test_round_robin_takes_turns():
    async def main():
        async with ActorSystem("s") as system:
            pool = system.spawn_pool(Who, 3)
            names = await asyncio.gather(*(pool.ask(i) for i in range(9)))
            assert names == ["member-0", "member-1", "member-2"] * 3
            assert "3 members" in repr(pool) and list(pool.children()) == names[:3]

    run(main)


def test_least_mailbox_picks_the_one_with_the_least_to_do():
    async def main():
        async with ActorSystem("s") as system:
            log = []
            pool = system.spawn_pool(Sleeper, 2, log, routing="least_mailbox")
            pool.tell(100)
            await asyncio.sleep(0)
            for _ in range(3):
                pool.tell(1)
                await asyncio.sleep(2)
            assert [i for what, i, _ in log if what == "end"] == [1, 1, 1]
            pool.kill()

    run(main)


def test_hash_sends_equal_messages_or_keys_to_the_same_member():
    async def main():
        async with ActorSystem("s") as system:
            pool = system.spawn_pool(Who, 4, routing="hash")
            for i in range(20):
                assert len({await pool.ask(i) for _ in range(3)}) == 1
            keyed = system.spawn_pool(Who, 4, routing="hash", key=lambda message: message[0])
            seen = collections.defaultdict(set)
            for i in range(100):
                seen[i % 10].add(await keyed.ask([i % 10, i]))
            assert all(len(names) == 1 for names in seen.values()) and len(set.union(*seen.values())) > 1

    run(main)


def test_a_failed_member_restarts_and_its_mail_survives():
    async def main():
        async with ActorSystem("s") as system:
            pool = system.spawn_pool(Who, 2)
            for _ in range(5):
                pool.tell(ValueError())
                pool.tell(ValueError())
                assert await asyncio.gather(pool.ask(1), pool.ask(1)) == ["member-0", "member-1"]
            pool.stop()
            assert await pool.stopped() == "stopped"
            with pytest.raises(ActorStopped):
                await pool.ask(1)

    run(main)


def test_bad_pools_are_refused():
    async def main():
        async with ActorSystem("s") as system:
            for n, routing in ((0, "hash"), (1.5, "hash"), (2, "random")):
                with pytest.raises(ValueError):
                    system.spawn_pool(Who, n, routing=routing)

    run(main)


def test_the_tree_shows_every_actor_with_path_state_mailbox_counters_and_restarts():
    async def main():
        async with ActorSystem("demo") as system:
            sup = system.spawn(Supervisor, [Child("a", Echo), Child("b", Sleeper)], name="sup")
            a, b = sup.children().values()
            await a.ask(1)
            a.tell(ValueError())
            await asyncio.sleep(0.1)
            b.tell(5)
            await asyncio.sleep(0)
            b.tell(6)
            tree = system.tree()
            lines = str(tree).splitlines()
            assert lines[0] == "demo: 3 actors, 0 dead letters"
            assert lines[3].split() == ["/user/sup/a", "Echo", "idle", "0/10000", "1", "1", "1"]
            assert lines[4].split() == ["/user/sup/b", "Sleeper", "busy", "1/10000", "0", "0", "0"]
            assert [(depth, node.name) for depth, node in tree.walk()] == [(0, "sup"), (1, "a"), (1, "b")]
            assert tree.roots[0].kind == "supervisor" and tree.roots[0].children[1].mailbox == 1
            html = tree._repr_html_()
            assert "/user/sup/b" in html and html.startswith("<table>")
            b.kill()

    run(main)


def test_a_large_tree_is_complete_as_text_and_cut_in_a_notebook():
    async def main():
        async with ActorSystem("<big>") as system:
            for _ in range(600):
                system.spawn(Echo)
            tree = system.tree()
            assert len(str(tree).splitlines()) == 602
            assert "100 more" in tree._repr_html_() and "&lt;big&gt;" in tree._repr_html_()

    run(main)
