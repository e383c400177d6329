"""The turn that the first in line waits before it makes a future must not be seen, except in the time it saves."""

import asyncio

import pytest

from asyncpatterns.channels import Channel, ChannelClosed, WouldBlock, core, go, waiting
from asyncpatterns.testing import run


async def turn():
    await asyncio.sleep(0)


class CountingLoop(asyncio.SelectorEventLoop):
    turns = futures = 0

    def _run_once(self):
        self.turns += 1
        super()._run_once()

    def create_future(self):
        self.futures += 1
        return super().create_future()


def test_two_that_answer_each_other_need_one_turn_a_round_and_no_future():
    async def main():
        there, back = Channel(), Channel()

        async def pong():
            async for ball in there:
                await back.send(ball)

        player = asyncio.create_task(pong())
        for number in range(100):
            await there.send(number)
            assert await back.receive() == number
        there.close()
        await player

    loop = CountingLoop()
    loop.run_until_complete(main())
    loop.close()
    assert loop.turns < 110 and loop.futures == 0


@pytest.mark.parametrize("between", range(4))
@pytest.mark.parametrize("before", range(4))
def test_who_was_served_first_runs_first_however_long_each_has_waited(before, between):
    async def main():
        channel, order = Channel(), []

        async def receive(who):
            order.append((who, await channel.receive()))

        tasks = []
        for who in range(4):
            tasks.append(go(receive(who)))
            for _ in range(between):
                await turn()
        for _ in range(before + (not between)):
            await turn()
        for value in range(4):
            await channel.send(value)
        await asyncio.wait(tasks)
        assert order == [(number, number) for number in range(4)]

    run(main)


@pytest.mark.parametrize("turns", range(1, 4))
@pytest.mark.parametrize("sending", [False, True])
def test_cancelled_while_it_spins_it_leaves_no_trace(sending, turns):
    async def main():
        channel = Channel()
        task = go(channel.send("lost") if sending else channel.receive())
        for _ in range(turns):
            await turn()
        task.cancel()
        with pytest.raises(WouldBlock):
            channel.receive_nowait() if sending else channel.send_nowait(1)
        await asyncio.wait([task])
        assert task.cancelled() and channel.statistics()[:4] == (0, 0, 0, 0) and channel.statistics().sent == 0

    run(main)


@pytest.mark.parametrize("turns", range(1, 4))
def test_handed_something_and_cancelled_while_it_spins_it_gives_back(turns):
    async def main():
        channel = Channel()
        task = go(channel.receive())
        for _ in range(turns):
            await turn()
        channel.send_nowait("x")
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() and channel.receive_nowait() == "x"

    run(main)


@pytest.mark.parametrize("sending", [False, True])
def test_closed_while_it_spins_it_is_told(sending):
    async def main():
        channel = Channel()
        task = go(channel.send(1) if sending else channel.receive())
        task.get_loop().set_exception_handler(lambda loop, context: None)
        await turn()
        channel.close()
        await asyncio.wait([task])
        assert isinstance(task.exception(), ChannelClosed)

    run(main)


@pytest.mark.parametrize("sending", [False, True])
def test_one_whose_loop_is_closed_while_it_spins_is_passed_over(sending):
    channel = Channel()
    loop = asyncio.new_event_loop()
    task = loop.create_task(_await(channel.send("old") if sending else channel.receive()))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert channel.statistics().senders_waiting + channel.statistics().receivers_waiting == 1
    loop.close()
    with pytest.raises(WouldBlock):
        channel.receive_nowait() if sending else channel.send_nowait("new")
    assert channel.statistics()[:4] == (0, 0, 0, 0)
    task._log_destroy_pending = False


class Withdrawn:
    """A task whose cancellation is withdrawn before it runs, which Python 3.13 allows."""

    def __init__(self, loop):
        self.loop, self.requests = loop, 0

    def cancelling(self):
        return self.requests

    def get_loop(self):
        return self.loop


@pytest.mark.parametrize("sending", [False, True])
@pytest.mark.parametrize("looked_at", [False, True])
def test_a_cancellation_that_is_withdrawn_has_not_happened(sending, looked_at, monkeypatch):
    async def main():
        channel = Channel()
        stand_in = Withdrawn(asyncio.get_running_loop())
        monkeypatch.setattr(waiting, "current_task", lambda loop=None: stand_in)
        task = go(channel.send("kept") if sending else channel.receive())
        await turn()
        monkeypatch.undo()
        stand_in.requests = 1
        if looked_at:
            assert not (channel._core.can_take() if sending else channel._core.can_put())
        else:
            with pytest.raises(WouldBlock):
                channel.receive_nowait() if sending else channel.send_nowait("x")
        stand_in.requests = 0
        await turn()
        if sending:
            assert await channel.receive() == "kept"
        else:
            await channel.send("x")
        assert await task == (None if sending else "x")
        assert core.Core.statistics(channel._core)[:4] == (0, 0, 0, 0)

    run(main)


def test_a_task_that_has_ignored_a_cancellation_still_waits_in_turn():
    async def main():
        channel, started = Channel(), asyncio.Event()

        async def stubborn():
            try:
                started.set()
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                return await channel.receive()

        task = go(stubborn())
        await started.wait()
        await turn()
        task.cancel()
        await turn()
        await turn()
        await channel.send("x")
        assert await task == "x"

    run(main)


async def _await(operation):
    return await operation
