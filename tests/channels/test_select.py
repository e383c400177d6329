"""`select`: exactly one operation, evenly chosen, whatever happens in the meantime."""

import asyncio
import functools
import random
import sys

import pytest

from asyncpatterns.channels import Channel, ChannelClosed, Selected, WouldBlock, go, select, select_nowait
from asyncpatterns.testing import Deadlock, run


async def turn():
    await asyncio.sleep(0)


def full(*values):
    channel = Channel(len(values))
    for value in values:
        channel.send_nowait(value)
    return channel


def closed_channel():
    channel = Channel()
    channel.close()
    return channel


def test_select_commits_exactly_one_operation():
    async def main():
        for _ in range(100):
            left, right, room = full(1), full(2), Channel(1)
            index, _value, _ = await select(left.receive(), right.receive(), room.send(3))
            moved = [len(left) == 0, len(right) == 0, len(room) == 1]
            assert sum(moved) == 1 and moved[index]

    run(main)


def test_select_unpacks_into_index_value_and_closed():
    async def main():
        index, value, closed = await select(None, full("x").receive())
        assert (index, value, closed) == (1, "x", False)
        selected = await select(Channel(1).send(5))
        assert isinstance(selected, Selected) and selected == Selected(0, None, False)
        assert (selected.index, selected.value, selected.closed) == (0, None, False)
        assert await select(None, None, closed_channel().receive()) == Selected(2, None, True)

    run(main)


def test_select_waits_and_then_commits_exactly_one():
    async def main():
        left, right = Channel(1), Channel(1)
        task = go(select(left.receive(), right.receive()))
        await turn()
        left.send_nowait("left")
        right.send_nowait("right")
        assert await task == (0, "left", False)
        assert right.receive_nowait() == "right"
        task = go(select(full(0).send(1), left.receive(), Channel().send(2)))
        await turn()
        assert not task.done()
        task.cancel()

    run(main)


def test_among_ready_ones_it_picks_at_random_evenly():
    """Each count has mean 3,000 and deviation 49: a fair select leaves 3,000 +- 330 less than once in 10^10 runs."""

    async def main():
        ready = [full(*range(12_000)) for _ in range(4)]
        counts = [0] * 4
        for _ in range(12_000):
            counts[(await select(*(channel.receive() for channel in ready), None)).index] += 1
        return counts

    for seed in range(3):
        assert all(abs(count - 3_000) < 330 for count in run(main, seed=seed))
    assert run(main, seed=1) == run(main, seed=1) != run(main, seed=2)


def test_without_a_random_on_the_loop_the_module_random_is_drawn_from():
    async def main():
        left, right = full(*range(50)), full(*range(50))
        random.seed(7)
        first = [(await select(left.receive(), right.receive())).index for _ in range(40)]
        random.seed(7)
        return first == [int(random.random() * 2) for _ in range(40)]

    assert asyncio.run(main())


def test_priority_picks_the_leftmost():
    async def main():
        channels = [full(*range(50)) for _ in range(3)]
        for _ in range(50):
            assert (await select(None, *(c.receive() for c in channels), priority=True)).index == 1
        assert select_nowait(*(c.receive() for c in channels), priority=True).index == 1

    run(main)


def test_nothing_but_none_waits_for_ever_or_until_its_timeout():
    async def main():
        with pytest.raises(TimeoutError):
            await select(None, None, timeout=3)
        await select(None)

    with pytest.raises(Deadlock, match="select of nothing"):
        run(main)


def test_select_nowait_raises_would_block_when_nothing_is_ready():
    with pytest.raises(WouldBlock):
        select_nowait(Channel().receive(), Channel().send(1), None)
    with pytest.raises(WouldBlock):
        select_nowait()
    assert select_nowait(Channel().receive(), full(1).receive()) == (1, 1, False)
    assert select_nowait(Channel(1).send(1)) == (0, None, False)


def test_an_operation_with_a_timeout_of_its_own_is_a_type_error():
    channel = Channel(1)
    for operation in (channel.receive(timeout=1), channel.send(1, timeout=0)):
        with pytest.raises(TypeError, match="timeout"):
            select(operation)
        with pytest.raises(TypeError, match="timeout"):
            select_nowait(None, operation)
    for wrong in (channel, 1, asyncio.sleep):
        with pytest.raises(TypeError, match="number 1"):
            select(channel.receive(), wrong)


def test_a_receive_on_a_closed_drained_channel_is_ready():
    async def main():
        channel = Channel(1)
        task = go(select(Channel().receive(), channel.receive()))
        await turn()
        channel.close()
        assert await task == (1, None, True)
        drained = full("last")
        drained.close()
        assert await select(drained.receive()) == (0, "last", False)
        assert await select(drained.receive()) == (0, None, True)

    run(main)


def test_a_send_on_a_closed_channel_is_ready_and_raises_if_picked():
    async def main():
        with pytest.raises(ChannelClosed):
            await select(closed_channel().send(1), Channel().receive())
        with pytest.raises(ChannelClosed):
            select_nowait(closed_channel().send(1))
        assert (await select(full(1).receive(), closed_channel().send(1), priority=True)).value == 1
        outcomes = set()
        for _ in range(200):
            try:
                outcomes.add((await select(full(1).receive(), closed_channel().send(1))).index)
            except ChannelClosed:
                outcomes.add("closed")
        assert outcomes == {0, "closed"}
        waits = Channel()
        task = go(_await(select(waits.send(1), Channel().receive())))
        await turn()
        waits.close()
        with pytest.raises(ChannelClosed):
            await task

    run(main_with_quiet_handler(main))


def main_with_quiet_handler(main):
    """`go` tells failures to the loop's handler; here they are expected."""

    async def quiet():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        return await main()

    return quiet


async def _await(operation):
    return await operation


def test_the_same_channel_both_to_send_and_to_receive_never_meets_itself():
    async def main():
        channel = Channel()
        with pytest.raises(TimeoutError):
            await select(channel.send(1), channel.receive(), channel.send(2), channel.receive(), timeout=1)
        assert channel.statistics()[:6] == (0, 0, 0, 0, 0, 0)
        with pytest.raises(WouldBlock):
            select_nowait(channel.receive(), channel.send(1))

    run(main)


def test_two_selects_that_both_send_and_receive_on_one_channel_meet():
    async def main():
        for _ in range(100):
            channel = Channel()
            tasks = [
                go(select(channel.send(name), channel.receive(), channel.send(name), channel.receive()))
                for name in ("a", "b")
            ]
            (i, given, _), (j, taken, _) = [await task for task in tasks]
            assert i % 2 != j % 2                           # one sent, the other received
            assert {given, taken} == {None, "a" if i % 2 == 0 else "b"}
            assert channel.statistics().sent == channel.statistics().received == 1
            assert channel.statistics().receivers_waiting == channel.statistics().senders_waiting == 0

    run(main)


def test_many_selects_on_one_channel_pair_off():
    async def main():
        channel = Channel()
        tasks = [go(select(channel.send(number), channel.receive())) for number in range(100)]
        done = [await task for task in tasks]
        values = [value for index, value, _ in done if index == 1]
        assert len(values) == 50 and {number for number, it in enumerate(done) if it.index == 0} == set(values)

    run(main)


def test_the_losing_operations_leave_no_trace():
    async def main():
        channels = [Channel() for _ in range(10)]
        for round_ in range(100):
            task = go(select(*(c.receive() for c in channels), *(c.send(0) for c in channels)))
            await turn()
            await channels[round_ % 10].send(round_)
            assert (await task).value == round_
        assert all(c.statistics()[2:4] == (0, 0) for c in channels)

    run(main)


def test_a_select_that_waits_serves_in_turn_with_plain_receivers():
    async def main():
        channel = Channel()
        tasks = [go(channel.receive()), go(select(channel.receive())), go(channel.receive())]
        await turn()
        for number in range(3):
            await channel.send(number)
        assert [await tasks[0], (await tasks[1]).value, await tasks[2]] == [0, 1, 2]

    run(main)


def test_the_work_of_one_select_cancellation_or_timeout_does_not_depend_on_how_many_wait():
    """Counted in calls, of which a loop in debug mode makes more; benchmarks/channels.py looks at the time."""
    _, few, many = (run(functools.partial(calls_among, others)) for others in (10, 10, 1_000))     # the first warms up
    assert abs(many - few) < 20 < few


async def calls_among(others: int) -> int:
    left, right = Channel(), Channel()
    for _ in range(others):
        go(left.receive())
        go(right.receive())
    await turn()
    calls = 0

    def count(frame, event, what):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        for operation in (select(left.receive(), right.receive()), left.receive(), right.receive(timeout=1)):
            task = asyncio.create_task(_await(operation))
            await turn()
            task.cancel()
            await turn()
        for operation in (select(left.receive(), timeout=1), left.receive(timeout=1)):
            with pytest.raises(TimeoutError):
                await operation
    finally:
        sys.setprofile(None)
    return calls


def test_the_repr_lists_the_operations():
    jobs, log = Channel(1, "jobs"), Channel(2, "log")
    expected = "<select of <receive from <Channel 'jobs' 0/1>>, <send to <Channel 'log' 0/2>>>"
    assert repr(select(jobs.receive(), None, log.send(1))) == expected
