"""A channel by itself: what it accepts, what it says of itself, and what its operations do without rivals."""

import asyncio
import gc
import math
import warnings

import pytest

from asyncpatterns.channels import Channel, ChannelClosed, WouldBlock, go, select
from asyncpatterns.testing import run


@pytest.mark.parametrize("wrong", [-1, 1.0, 2.5, "3", None, True, False, math.nan, -math.inf], ids=repr)
def test_a_capacity_that_is_no_int_from_zero_on_nor_infinity_is_a_value_error(wrong):
    with pytest.raises(ValueError, match="capacity"):
        Channel(wrong)


def test_infinity_has_to_be_spelled_out():
    channel = Channel(math.inf)
    for number in range(10_000):
        channel.send_nowait(number)
    assert (len(channel), channel.capacity, Channel().capacity) == (10_000, math.inf, 0)


def test_a_channel_is_always_true():
    assert Channel() and len(Channel()) == 0
    closed = Channel()
    closed.close()
    assert closed


def test_none_and_any_other_object_is_a_value():
    async def main():
        channel = Channel(10)
        values = [None, False, ..., Channel, ValueError("a value"), (1, 2), ()]
        for value in values:
            await channel.send(value)
        assert [await channel.receive() for _ in values] == values

    run(main)


def test_the_repr_says_how_full_it_is_and_who_waits():
    async def main():
        jobs = Channel(10, "jobs")
        assert repr(Channel()) == "<Channel 0/0>"
        assert repr(Channel(math.inf, name="log")) == "<Channel 'log' 0/inf>"
        waiting = [go(jobs.receive()) for _ in range(2)]
        await asyncio.sleep(0)
        assert repr(jobs) == "<Channel 'jobs' 0/10, 2 receivers waiting>"
        assert repr(jobs.send(1)) == "<send to <Channel 'jobs' 0/10, 2 receivers waiting>>"
        for _ in range(5):
            jobs.send_nowait("x")
        assert repr(jobs) == "<Channel 'jobs' 3/10>"
        meeting = Channel(name="meeting")
        go(meeting.send(1))
        await asyncio.sleep(0)
        assert repr(meeting) == "<Channel 'meeting' 0/0, 1 sender waiting>"
        jobs.close()
        assert repr(jobs) == "<Channel 'jobs' 3/10, closed>"
        assert repr(jobs.receive()) == "<receive from <Channel 'jobs' 3/10, closed>>"
        assert "'jobs'" in repr(aiter(jobs))
        await meeting.receive()
        await asyncio.wait(waiting)

    run(main)


def test_statistics_have_exactly_these_fields():
    async def main():
        channel = Channel(3, "c")
        for number in range(3):
            await channel.send(number)
        await channel.receive()
        statistics = channel.statistics()
        assert statistics._asdict() == {
            "buffered": 2, "capacity": 3, "receivers_waiting": 0, "senders_waiting": 0, "open_senders": 0,
            "open_receivers": 0, "sent": 3, "received": 1, "dropped": 0, "peak": 3,
        }     # fmt: skip

    run(main)


def test_nothing_happens_until_an_operation_is_awaited():
    async def main():
        channel = Channel(1)
        send, receive = channel.send(1), channel.receive()
        await asyncio.sleep(1)
        assert channel.statistics().sent == 0
        await send
        assert await receive == 1

    run(main)


def test_dropping_an_operation_warns_of_nothing_and_leaks_nothing():
    class Value:
        pass

    channel = Channel(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        channel.send(Value())
        channel.receive(timeout=1)
        select(channel.receive(), channel.send(Value()))
        gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Value)]


def test_awaiting_an_operation_again_is_a_new_operation():
    async def main():
        channel = Channel(5)
        send, receive = channel.send("again"), channel.receive(timeout=1)
        for _ in range(3):
            await send
        assert [await receive, await receive, await channel.receive()] == ["again"] * 3
        chosen = select(channel.send(1))
        await chosen
        await chosen
        assert len(channel) == 2

    run(main)


def test_one_operation_may_be_awaited_by_two_tasks_at_once():
    async def main():
        channel = Channel()
        operation = channel.receive()
        tasks = [go(operation), go(operation)]
        for number in range(2):
            await channel.send(number)
        assert [await task for task in tasks] == [0, 1]

    run(main)


def test_nowait_raises_would_block_instead_of_waiting():
    channel = Channel(1)
    with pytest.raises(WouldBlock):
        channel.receive_nowait()
    channel.send_nowait(1)
    with pytest.raises(WouldBlock):
        channel.send_nowait(2)
    assert channel.receive_nowait() == 1
    with pytest.raises(WouldBlock):
        Channel().send_nowait(1)


def test_nowait_meets_whoever_waits():
    async def main():
        channel = Channel()
        receiver = go(channel.receive())
        await asyncio.sleep(0)
        channel.send_nowait("to the receiver")
        sender = go(channel.send("from the sender"))
        await asyncio.sleep(0)
        assert channel.receive_nowait() == "from the sender"
        assert await receiver == "to the receiver"
        await sender

    run(main)


def test_async_for_ends_when_the_channel_is_closed_and_drained():
    async def main():
        channel = Channel(5)
        for number in range(5):
            channel.send_nowait(number)
        channel.close()
        assert [value async for value in channel] == [0, 1, 2, 3, 4]
        assert [value async for value in channel] == []
        assert await anext(aiter(channel), "default") == "default"

    run(main)


def test_a_full_channel_holds_its_senders_back():
    async def main():
        channel = Channel(2)
        log = []

        async def produce():
            for number in range(5):
                await channel.send(number)
                log.append(number)

        task = go(produce())
        await asyncio.sleep(1)
        assert log == [0, 1]
        assert [await channel.receive() for _ in range(5)] == [0, 1, 2, 3, 4]
        await task
        assert channel.statistics().peak == 2

    run(main)


def test_a_rendezvous_ends_when_both_sides_have_come():
    async def main():
        channel = Channel()
        loop = asyncio.get_running_loop()

        async def send():
            await channel.send("x")
            return loop.time()

        sender = go(send())
        await asyncio.sleep(5)
        assert (await channel.receive(), await sender) == ("x", 5.0)

    run(main)


@pytest.mark.parametrize("work", ["send and receive", "select", "timeout", "closed", "async for"])
def test_a_loop_that_never_waits_lets_others_run_now_and_then(work):
    async def main():
        channel, closed, full = Channel(10), Channel(), Channel(10_000)
        closed.close()
        turns = 0

        async def other():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        go(other())
        if work == "async for":
            for number in range(10_000):
                full.send_nowait(number)
            full.close()
            async for _ in full:
                pass
        for _ in range(0 if work == "async for" else 5_000):
            if work == "closed":
                with pytest.raises(ChannelClosed):
                    await closed.receive()
            elif work == "timeout":
                with pytest.raises(TimeoutError):
                    await channel.receive(timeout=0)
            elif work == "select":
                await select(closed.receive(), channel.receive())
            else:
                await channel.send(1)
                await channel.receive()
        assert turns >= 20

    run(main)


def test_even_fresh_channels_do_not_starve_others():
    async def main():
        ran = asyncio.Event()
        go(_set(ran))
        for _ in range(1_000):
            channel = Channel(1)
            await channel.send(1)
            await channel.receive()
        assert ran.is_set()

    run(main)


async def _set(event):
    event.set()


def test_a_channel_may_be_used_from_several_event_loops_one_after_another():
    channel = Channel(1)

    async def talk(value):
        task = go(channel.receive())
        await asyncio.sleep(0)
        await channel.send(value)
        return await task

    assert [asyncio.run(talk(number)) for number in range(3)] == [0, 1, 2]
    assert run(lambda: talk("virtual")) == "virtual"


def test_those_who_waited_on_a_loop_that_was_closed_do_not_wedge_the_channel():
    channel, other = Channel(), Channel()
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(_wait(operation)) for operation in (
        channel.receive(), select(channel.receive(), other.send(1)), other.send("old"),
    )]      # fmt: skip
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run_forever()
    loop.close()

    async def main():
        with pytest.raises(WouldBlock):
            channel.send_nowait(1)
        with pytest.raises(TimeoutError):
            await select(other.receive(), channel.send(2), timeout=1)
        task = go(channel.receive())
        await asyncio.sleep(0)
        await channel.send("new")
        assert await task == "new"

    run(main)
    for task in tasks:
        task._log_destroy_pending = False


async def _wait(operation):
    return await operation
