"""A hundred thousand actors are ordinary."""

import asyncio
import gc
import tracemalloc

import pytest

from asyncpatterns import Actor, ActorSystem


class Idle(Actor):
    def receive(self, message):
        return message


def memory():
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_idle_actors_cost_at_most_600_bytes_beyond_the_users_object_and_leave_nothing_behind(count):
    async def main():
        tracemalloc.start()
        try:
            before = memory()
            objects = [Idle() for _ in range(count)]
            own = (memory() - before) / count
            del objects
            async with ActorSystem("s") as system:
                empty = memory()
                refs = [system.spawn(Idle) for _ in range(count)]
                each = (memory() - empty) / count - own
                assert each <= 600, each
                assert len(asyncio.all_tasks()) == 1
                for ref in refs:
                    ref.stop()
                assert await refs[-1].stopped() == "stopped"
                del refs, ref
                assert memory() - empty < 20 * count / 10 + 50_000
        finally:
            tracemalloc.stop()

    asyncio.run(main())


def test_an_actor_that_was_busy_gives_its_mailbox_back():
    async def main():
        async with ActorSystem("s") as system:
            ref = system.spawn(Idle)
            for i in range(1_000):
                ref.tell(i)
            await asyncio.sleep(0.05)
            assert ref._cell.mail is None

    asyncio.run(main())
