"""Closing a channel, and its counted ends."""

import asyncio
import gc
import warnings

import pytest

from asyncpatterns.channels import Channel, ChannelBroken, ChannelClosed, WouldBlock, go, select
from asyncpatterns.testing import run


def quiet(main):
    async def wrapped():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        return await main()

    return wrapped


async def waiting(*operations):
    tasks = [go(operation) for operation in operations]
    await asyncio.sleep(0)
    return tasks


def test_buffered_values_can_still_be_received_then_receive_raises():
    async def main():
        channel = Channel(2)
        await channel.send(1)
        await channel.send(2)
        assert not channel.closed
        channel.close()
        channel.close()
        assert channel.closed
        assert [await channel.receive(), channel.receive_nowait()] == [1, 2]
        with pytest.raises(ChannelClosed):
            await channel.receive()
        with pytest.raises(ChannelClosed):
            channel.receive_nowait()
        with pytest.raises(ChannelClosed):
            await channel.receive(timeout=0)

    run(main)


def test_send_raises_channel_closed_also_for_senders_already_waiting():
    async def main():
        channel = Channel(1)
        channel.send_nowait(0)
        tasks = await waiting(channel.send(1), channel.send(2, timeout=9), channel.receive(), channel.send(3))
        channel.close()
        await asyncio.wait(tasks)
        assert [type(task.exception()) for task in tasks] == [type(None), ChannelClosed, type(None), ChannelClosed]
        for send in (lambda: channel.send(4), lambda: channel.send(4, timeout=0)):
            with pytest.raises(ChannelClosed) as caught:
                await send()
            assert not isinstance(caught.value, ChannelBroken)
        with pytest.raises(ChannelClosed):
            channel.send_nowait(4)
        assert [value async for value in channel] == [1]

    run(quiet(main))


def test_each_waiter_gets_an_exception_object_of_its_own():
    async def main():
        channel = Channel()
        tasks = await waiting(*(channel.receive() for _ in range(5)))
        channel.close()
        await asyncio.wait(tasks)
        errors = [task.exception() for task in tasks]
        assert all(isinstance(error, ChannelClosed) for error in errors)
        assert len({id(error) for error in errors}) == 5

    run(quiet(main))


def test_ends_have_the_methods_of_their_direction_only():
    channel = Channel(1)
    with channel.sender() as sender, channel.receiver() as receiver:
        assert not any(hasattr(sender, name) for name in ("receive", "receive_nowait", "__aiter__"))
        assert not any(hasattr(receiver, name) for name in ("send", "send_nowait"))
        assert repr(sender) == "<Sender of <Channel 0/1>>"
    assert repr(receiver) == "<Receiver of <Channel 0/1, closed, broken>, closed>"


def test_ends_send_and_receive():
    async def main():
        channel = Channel(1, "c")
        with channel.sender() as sender, channel.receiver() as receiver:
            await sender.send(1)
            assert await receiver.receive() == 1
            sender.send_nowait(2)
            assert receiver.receive_nowait() == 2
            with pytest.raises(WouldBlock):
                receiver.receive_nowait()
            with pytest.raises(TimeoutError):
                await receiver.receive(timeout=1)
            assert (await select(receiver.receive(), sender.send(3))).index == 1
            sender.close()
            assert [value async for value in receiver] == [3]

    run(main)


def test_when_the_last_sender_end_closes_the_channel_closes():
    async def main():
        channel = Channel(5)
        with channel.sender() as first:
            with channel.sender() as second:
                await first.send(1)
                await second.send(2)
                assert channel.statistics().open_senders == 2
            assert not channel.closed
        assert channel.closed
        assert [value async for value in channel] == [1, 2]
        assert channel.statistics().open_senders == 0

    run(main)


def test_when_the_last_receiver_end_closes_every_send_raises_channel_broken():
    async def main():
        channel = Channel(2)
        sender = channel.sender()
        receivers = [channel.receiver(), channel.receiver()]
        for number in range(2):
            await sender.send(number)
        tasks = await waiting(channel.send("waiting"), sender.send("waiting"))
        receivers[0].close()
        receivers[0].close()
        await channel.receive()
        receivers[1].close()
        await asyncio.wait(tasks)
        assert [type(task.exception()) for task in tasks] == [type(None), ChannelBroken]
        for send in (channel.send, sender.send, channel.send_nowait, sender.send_nowait):
            with pytest.raises(ChannelBroken):
                result = send(1)
                await result
        with pytest.raises(ChannelBroken):
            await select(channel.send(1))
        statistics = channel.statistics()
        assert (statistics.dropped, statistics.buffered, statistics.open_receivers) == (2, 0, 0)
        assert statistics.sent == statistics.received + statistics.dropped
        sender.close()

    run(quiet(main))


def test_what_is_given_back_when_nobody_is_left_is_dropped():
    async def main():
        channel = Channel()
        receiver = channel.receiver()
        [task] = await waiting(receiver.receive())
        channel.send_nowait("x")
        receiver.close()
        task.cancel()
        await asyncio.wait([task])
        statistics = channel.statistics()
        assert (statistics.sent, statistics.received, statistics.buffered, statistics.dropped) == (1, 0, 0, 1)

    run(main)


def test_a_value_handed_over_before_its_end_was_closed_arrives():
    async def main():
        channel = Channel()
        receiver = channel.receiver()
        [task] = await waiting(receiver.receive())
        channel.send_nowait("x")
        receiver.close()
        assert await task == "x"

    run(main)


def test_using_a_closed_end_raises_channel_closed_while_the_others_go_on():
    async def main():
        channel = Channel(5)
        with channel.sender() as sender, channel.receiver() as receiver:
            closed_sender, closed_receiver = channel.sender(), channel.receiver()
            closed_sender.close()
            closed_receiver.close()
            assert closed_sender.closed and not sender.closed
            await sender.send(1)
            for use in (lambda: closed_sender.send(1), lambda: closed_receiver.receive(),
                        lambda: closed_receiver.receive(timeout=1), lambda: select(closed_receiver.receive()),
                        lambda: select(closed_sender.send(1), Channel().receive())):
                with pytest.raises(ChannelClosed):
                    await use()
            with pytest.raises(ChannelClosed):
                closed_sender.send_nowait(1)
            with pytest.raises(ChannelClosed):
                closed_receiver.receive_nowait()
            assert await receiver.receive() == 1

    run(main)


def test_closing_an_end_wakes_its_own_waiters_so_and_no_others():
    async def main():
        full = Channel(1)
        full.send_nowait(0)
        channel = Channel()
        mine, other = channel.receiver(), channel.receiver()
        my_sender, other_sender = full.sender(), full.sender()
        tasks = await waiting(
            mine.receive(), select(Channel().receive(), mine.receive()), mine.receive(timeout=9),
            my_sender.send(1), select(my_sender.send(2), Channel().receive()), _collect(mine),
            other.receive(), other_sender.send(3), channel.receive(),
        )       # fmt: skip
        mine.close()
        my_sender.close()
        await asyncio.wait(tasks[:6])
        assert [type(task.exception()) for task in tasks[:6]] == [ChannelClosed] * 6
        assert channel.statistics().receivers_waiting == 2
        assert full.statistics().senders_waiting == 1
        await channel.send("still")
        assert await tasks[6] == "still"
        tasks[8].cancel()
        assert [full.receive_nowait(), full.receive_nowait()] == [0, 3]
        await tasks[7]
        other.close()
        other_sender.close()

    run(quiet(main))


async def _collect(source):
    return [value async for value in source]


@pytest.mark.parametrize("kind", ["sender", "receiver"])
def test_an_end_left_open_when_it_is_collected_warns(kind):
    channel = Channel(name="jobs")
    with pytest.warns(ResourceWarning, match="'jobs'"):
        getattr(channel, kind)()
        gc.collect()
    assert channel.closed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with getattr(channel, kind)():
            pass
        gc.collect()


def test_an_end_is_not_collected_while_somebody_waits_through_it():
    async def main():
        channel = Channel()
        [task] = await waiting(channel.receiver().receive())
        gc.collect()
        await channel.send(1)
        with pytest.warns(ResourceWarning):
            assert await task == 1
            del task
            await asyncio.sleep(0)
            gc.collect()

    run(main)


def test_a_collected_end_wakes_those_who_wait_for_the_closing():
    async def main():
        channel = Channel()
        [task] = await waiting(_collect(channel))
        sender = channel.sender()
        with pytest.warns(ResourceWarning):
            await asyncio.to_thread(lambda end: None, sender)
            del sender
            gc.collect()
        assert await task == []

    run(main)
