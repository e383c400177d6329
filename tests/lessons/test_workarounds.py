"""The workarounds of chapter 03 do what they say."""

import asyncio
import gc
import itertools

import pytest

from asyncpatterns.lessons.workarounds import balanced, channel_hop, microseconds, rate_of_threads, redis_hop
from asyncpatterns.testing import run


def test_a_balancer_takes_turns():
    async def main():
        seen = []

        def server(name):
            async def ask(number):
                seen.append((name, number))
            return ask

        ask = balanced(server("A"), server("B"))
        for number in range(4):
            await ask(number)
        return seen
    assert run(main) == [("A", 0), ("B", 1), ("A", 2), ("B", 3)]


def test_a_channel_brings_back_what_was_sent():
    async def main():
        async with channel_hop() as hop:
            return [await hop(number) for number in range(5)], await asyncio.gather(*map(hop, range(50)))
    one_by_one, at_once = run(main)
    assert one_by_one == list(range(5)) and at_once == list(range(50))


def test_threads_are_counted_together():
    count = itertools.count()
    rate = rate_of_threads(lambda: next(count), threads=3, seconds=0.05)
    assert 0 < rate * 0.05 <= next(count) * 1.2


def test_redis_brings_back_what_was_sent_or_says_that_it_cannot_run():
    async def main():
        async with redis_hop() as hop:
            if hop is None:
                pytest.skip("no Redis runs here")
            return await hop(7), await microseconds(hop, times=5)
    (_, value), took = asyncio.run(main())
    assert value == b"7" and took > 0


def test_redis_is_left_at_once_and_nothing_fails_behind_its_back():
    failed = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failed.append(context))
        for _ in range(5):
            async with redis_hop() as hop:
                if hop is None:
                    pytest.skip("no Redis runs here")
                await microseconds(hop, times=50)
        gc.collect()            # a failed task that nobody awaited tells of it now

    asyncio.run(asyncio.wait_for(main(), 30))       # takes a second; it was a minute for each
    assert failed == []


def test_where_redis_cannot_run_there_is_none(monkeypatch):
    from asyncpatterns.lessons import workarounds

    async def main():
        async with redis_hop() as hop:
            return hop
    monkeypatch.setattr(workarounds, "_redis", lambda: None)
    assert asyncio.run(main()) is None
