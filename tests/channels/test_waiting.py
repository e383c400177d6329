"""Order, timeouts and cancellation: nothing lost, nothing doubled, nobody robbed."""

import asyncio
import math

import pytest

from asyncpatterns.channels import Channel, ChannelClosed, WouldBlock, go, select
from asyncpatterns.testing import run


async def turn():
    await asyncio.sleep(0)


async def waiting(*operations):
    tasks = [go(operation) for operation in operations]
    await turn()
    return tasks


def test_receivers_are_served_first_come_first_served():
    async def main():
        channel = Channel()
        tasks = await waiting(*(channel.receive() for _ in range(100)))
        for number in range(100):
            await channel.send(number)
        assert [await task for task in tasks] == list(range(100))

    run(main)


def test_senders_are_served_first_come_first_served():
    async def main():
        for capacity in (0, 1, 7):
            channel = Channel(capacity)
            await waiting(*(channel.send(number) for number in range(100)))
            assert [await channel.receive() for _ in range(100)] == list(range(100))

    run(main)


def test_a_newcomer_never_steals_what_was_handed_to_a_waiter():
    async def main():
        channel = Channel(1)
        [task] = await waiting(channel.receive())
        channel.send_nowait("for the waiter")
        with pytest.raises(WouldBlock):
            channel.receive_nowait()
        channel.send_nowait("for the newcomer")
        assert await channel.receive() == "for the newcomer"
        assert await task == "for the waiter"

    run(main)


def test_a_newcomer_never_overtakes_a_sender_that_waits():
    async def main():
        channel = Channel(1)
        await channel.send(0)
        await waiting(channel.send(1))
        assert channel.receive_nowait() == 0
        with pytest.raises(WouldBlock):
            channel.send_nowait(2)
        assert channel.receive_nowait() == 1

    run(main)


# --- timeouts ---


def test_every_operation_raises_the_builtin_timeout_error_when_its_time_is_up():
    async def main():
        channel, full = Channel(), Channel(1)
        full.send_nowait(0)
        loop = asyncio.get_running_loop()
        for operation in (channel.receive(timeout=2), channel.send(1, timeout=2), full.send(1, timeout=2),
                          select(channel.receive(), timeout=2), select(timeout=2), select(None, timeout=2)):
            start = loop.time()
            with pytest.raises(TimeoutError):
                await operation
            assert loop.time() == start + 2
        assert (channel.statistics().receivers_waiting, channel.statistics().senders_waiting) == (0, 0)
        assert (full.receive_nowait(), len(full)) == (0, 0)

    run(main)


@pytest.mark.parametrize("timeout", [0, -1, 0.0])
def test_a_timeout_of_zero_tries_once(timeout):
    async def main():
        channel = Channel(1)
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            await channel.receive(timeout=timeout)
        await channel.send(1, timeout=timeout)
        with pytest.raises(TimeoutError):
            await channel.send(2, timeout=timeout)
        assert await channel.receive(timeout=timeout) == 1
        with pytest.raises(TimeoutError):
            await select(channel.receive(), timeout=timeout)
        assert loop.time() == 0

    run(main)


def test_an_infinite_timeout_is_none():
    async def main():
        channel = Channel()
        [task] = await waiting(channel.receive(timeout=math.inf))
        await channel.send(1)
        assert await task == 1

    run(main)


@pytest.mark.parametrize("wrong", ["1", [], math.nan], ids=repr)
def test_a_timeout_that_is_no_number_is_a_type_error(wrong):
    with pytest.raises(TypeError, match="timeout"):
        Channel().receive(timeout=wrong)
    with pytest.raises(TypeError, match="timeout"):
        select(timeout=wrong)


def test_a_send_that_raises_timeout_error_did_not_happen():
    """In the tick of the timer everything may come at once; either the send happened, or it raised."""

    async def one(order):
        channel = Channel()
        loop = asyncio.get_running_loop()
        got = []

        def receive():
            try:
                got.append(channel.receive_nowait())
            except WouldBlock:
                got.append(None)

        if order == "receiver first":
            loop.call_at(loop.time() + 1, receive)
        task = go(channel.send("x", timeout=1))
        await turn()
        if order == "timer first":
            loop.call_at(loop.time() + 1, receive)
        await asyncio.wait([task])
        await turn()
        return got, task.exception() is None

    async def main():
        assert await one("receiver first") == (["x"], True)
        assert await one("timer first") == ([None], False)

    run(main)


def test_a_timeout_does_not_cancel_the_task():
    async def main():
        with pytest.raises(TimeoutError) as caught:
            await Channel().receive(timeout=1)
        assert caught.value.__cause__ is None and caught.value.__context__ is None
        assert asyncio.current_task().cancelling() == 0

    run(main)


# --- cancellation ---


def test_a_value_handed_to_a_receiver_that_is_cancelled_in_the_same_tick_goes_to_the_next():
    async def main():
        channel = Channel()
        first, second = await waiting(channel.receive(), channel.receive())
        channel.send_nowait("x")
        first.cancel()
        assert await second == "x"
        assert first.cancelled()

    run(main)


def test_or_back_in_front_of_everything_buffered_even_beyond_capacity():
    async def main():
        for capacity in (0, 2):
            channel = Channel(capacity)
            [task] = await waiting(channel.receive())
            channel.send_nowait("handed")
            task.cancel()
            for number in range(capacity):
                channel.send_nowait(number)
            await asyncio.wait([task])
            assert len(channel) == capacity + 1
            with pytest.raises(WouldBlock):
                channel.send_nowait("no room")
            assert [channel.receive_nowait() for _ in range(capacity + 1)] == ["handed", *range(capacity)]
            assert channel.statistics().received == capacity + 1

    run(main)


def test_or_back_after_close():
    async def main():
        channel = Channel()
        [task] = await waiting(channel.receive())
        channel.send_nowait("handed")
        channel.close()
        task.cancel()
        await asyncio.wait([task])
        assert [value async for value in channel] == ["handed"]
        with pytest.raises(ChannelClosed):
            await channel.receive()

    run(main)


@pytest.mark.parametrize("second", ["receive", "async for", "select"])
def test_what_is_given_back_after_close_reaches_one_who_was_told_of_the_closing_in_that_tick(second):
    async def main():
        channel = Channel()

        async def values():
            return [value async for value in channel]

        waits = {"receive": channel.receive, "async for": values, "select": lambda: select(channel.receive())}
        first, other = await waiting(channel.receive(), waits[second]())
        channel.send_nowait("x")
        channel.close()
        first.cancel()
        assert await other == {"receive": "x", "async for": ["x"], "select": (0, "x", False)}[second]

    run(main)


def test_several_given_back_keep_the_order_in_which_they_were_handed_out():
    async def main():
        channel = Channel(3)
        tasks = await waiting(*(channel.receive() for _ in range(6)))
        for number in range(5):
            channel.send_nowait(number)
        for task in reversed(tasks):
            task.cancel()
        await asyncio.wait(tasks)
        channel.send_nowait("x") if len(channel) < 3 else None
        assert [channel.receive_nowait() for _ in range(5)] == [0, 1, 2, 3, 4]
        assert channel.statistics().receivers_waiting == 0

    run(main)


def test_those_who_are_not_cancelled_keep_what_they_were_handed():
    async def main():
        channel = Channel()
        first, second, third, fourth = await waiting(*(channel.receive() for _ in range(4)))
        for number in (1, 2, 3):
            channel.send_nowait(number)
        first.cancel()
        third.cancel()
        assert await second == 2
        assert await fourth == 1
        assert channel.receive_nowait() == 3

    run(main)


def test_a_select_cancelled_in_the_tick_it_was_committed_gives_back():
    async def main():
        left, right = Channel(), Channel()
        chosen, plain = await waiting(select(left.receive(), right.receive()), left.receive())
        left.send_nowait("x")
        chosen.cancel()
        assert await plain == "x"
        assert right.statistics().receivers_waiting == 0
        [chosen] = await waiting(select(right.receive(), left.receive()))
        right.send_nowait("y")
        chosen.cancel()
        await asyncio.wait([chosen])
        assert right.receive_nowait() == "y"

    run(main)


def test_a_cancelled_send_either_happened_or_left_no_trace():
    async def main():
        channel = Channel()
        before, after = await waiting(channel.send("before"), channel.send("after"))
        assert channel.receive_nowait() == "before"
        before.cancel()         # it happened, although its task will never know
        after.cancel()          # it did not
        with pytest.raises(WouldBlock):
            channel.receive_nowait()
        await asyncio.wait([before, after])
        statistics = channel.statistics()
        assert (statistics.sent, statistics.received, statistics.senders_waiting) == (1, 1, 0)

    run(main)


def test_a_cancelled_waiter_is_passed_over_before_its_task_has_run():
    async def main():
        channel = Channel()
        first, second = await waiting(channel.receive(), channel.receive())
        first.cancel()
        channel.send_nowait("x")
        assert await second == "x"
        [sender] = await waiting(channel.send("y"))
        sender.cancel()
        with pytest.raises(WouldBlock):
            channel.receive_nowait()

    run(main)


def test_a_task_cancelled_in_the_pause_of_a_busy_loop_has_lost_nothing():
    async def main():
        channel = Channel(1_000)
        for number in range(1_000):
            channel.send_nowait(number)
        got = []

        async def consume():
            while True:
                got.append(await channel.receive())

        while len(channel):
            [task] = await waiting(consume())
            task.cancel()
            await asyncio.wait([task])
        assert got == list(range(1_000))

    run(main)


def test_asyncio_timeout_around_an_operation_loses_nothing():
    async def main():
        channel = Channel()
        loop = asyncio.get_running_loop()
        got = []
        for number in range(50):
            loop.call_later(1, lambda number=number: go(channel.send(number, timeout=5)))
            try:
                async with asyncio.timeout(1):
                    got.append(await channel.receive())
            except TimeoutError:
                got.append(await channel.receive())
        assert got == list(range(50))

    run(main)
