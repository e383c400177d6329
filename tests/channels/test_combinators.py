"""after, ticker, merge, broadcast, and how all combinators end: no task is left, nothing was complained about."""

import asyncio
import gc

import pytest

from asyncpatterns.channels import Channel, ChannelClosed, after, broadcast, go, merge, pipeline, select, ticker

from .combining import collect, source_of, tidy

# --- after and ticker ---


def test_after_delivers_the_loop_time_once_and_closes():
    async def main():
        assert await collect(after(5)) == [5.0]
        assert (await select(Channel().receive(), after(2).receive())) == (1, 7.0, False)
        assert await after(0).receive() == await after(-1).receive() == 7.0

    tidy(main)


def test_after_is_kept_for_a_late_reader():
    async def main():
        channel = after(5)
        await asyncio.sleep(100)
        assert (len(channel), channel.closed) == (1, True)
        assert await channel.receive() == 5.0
        with pytest.raises(ChannelClosed):
            await channel.receive()

    tidy(main)


def test_after_that_is_dropped_or_closed_leaves_no_timer():
    async def main():
        loop = asyncio.get_running_loop()
        for _ in range(100):
            assert (await select(source_of(1).receive(), after(3600).receive())).index == 0
            after(3600).close()
        gc.collect()
        assert all(timer.cancelled() for timer in loop._scheduled)

    tidy(main)


def test_ticker_keeps_a_fixed_rate_from_the_call_without_drift():
    async def main():
        ticks = ticker(0.1)
        times = []
        for _ in range(1_000):
            times.append(await ticks.receive())
            await asyncio.sleep(0.03)
        assert times == [number * 0.1 for number in range(1, 1_001)]
        ticks.close()

    tidy(main)


def test_at_most_one_tick_waits_and_ticks_nobody_takes_are_dropped():
    async def main():
        ticks = ticker(1)
        await asyncio.sleep(10.5)
        assert len(ticks) == 1
        assert [await ticks.receive(), await ticks.receive()] == [1.0, 11.0]
        assert ticks.statistics().dropped == 9
        ticks.close()
        with pytest.raises(ChannelClosed):
            await ticks.receive()

    tidy(main)


def test_a_ticker_that_is_dropped_stops():
    async def main():
        ticker(1)
        gc.collect()
        await asyncio.sleep(10)
        assert all(timer.cancelled() for timer in asyncio.get_running_loop()._scheduled)

    tidy(main)


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), "1", None])
def test_an_interval_that_is_no_positive_number_is_a_value_error(wrong):
    async def main():
        with pytest.raises(ValueError, match="interval"):
            ticker(wrong)

    tidy(main)


@pytest.mark.parametrize("wrong", [float("nan"), "1", None])
def test_a_delay_that_is_no_number_is_a_value_error(wrong):
    async def main():
        with pytest.raises(ValueError, match="delay"):
            after(wrong)

    tidy(main)


# --- merge ---


def test_merge_has_all_values_keeps_the_order_of_each_and_closes_after_the_last():
    async def main():
        values = await collect(merge(source_of(1, 2, 3), source_of("a", "b"), source_of()))
        assert [v for v in values if isinstance(v, int)] == [1, 2, 3]
        assert [v for v in values if isinstance(v, str)] == ["a", "b"]
        assert await collect(merge()) == []

    tidy(main)


def test_merge_reads_from_receiver_ends_too():
    async def main():
        channel = source_of(1, 2)
        assert await collect(merge(channel.receiver())) == [1, 2]
        with pytest.raises(TypeError, match="merge"):
            merge([1, 2])

    tidy(main)


def outputs_of(kind, source):
    if kind == "merge":
        return (merge(source, source_of()),)
    if kind == "broadcast":
        return broadcast(source, 3)
    if kind == "pipeline":
        return (pipeline(source, lambda value: value),)
    return (pipeline(source, asyncio.sleep, workers=3, ordered=kind == "ordered"),)


KINDS = ["merge", "broadcast", "pipeline", "ordered", "unordered"]


@pytest.mark.parametrize("state", ["not started", "idle", "busy"])
@pytest.mark.parametrize("kind", KINDS)
def test_closing_an_output_ends_the_tasks_at_once_and_closes_the_sources(kind, state):
    async def main():
        source = Channel(100)
        outputs = outputs_of(kind, source)
        if state == "busy":
            for _ in range(50):
                source.send_nowait(1)
        if state != "not started":
            await asyncio.sleep(10)
        for output in outputs:
            assert not source.closed
            output.close()
        assert source.closed
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert await collect(outputs[0]) == []

    tidy(main)


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_that_nobody_holds_any_more_ends_the_tasks_too(kind):
    async def main():
        source = Channel(3)
        outputs = outputs_of(kind, source)
        await asyncio.sleep(1)
        del outputs
        gc.collect()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert source.closed
        assert asyncio.all_tasks() == {asyncio.current_task()}

    tidy(main)


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_somebody_waits_for_is_not_collected(kind):
    async def main():
        source = Channel()
        tasks = [go(collect(output)) for output in outputs_of(kind, source)]
        await asyncio.sleep(1)
        gc.collect()
        await source.send(1)
        source.close()
        assert len(await tasks[0]) == 1
        await asyncio.wait(tasks)

    tidy(main)


@pytest.mark.parametrize("kind", KINDS)
def test_closing_flows_downstream_through_several_stages(kind):
    async def main():
        source = source_of(0, 0, 0)
        chain = merge(*outputs_of(kind, pipeline(source, lambda value: value)))
        assert len(await collect(chain)) == (9 if kind == "broadcast" else 3)

    tidy(main)


# --- broadcast ---


def test_broadcast_delivers_every_value_to_every_output():
    async def main():
        outputs = broadcast(source_of(*range(20)), 3)
        assert isinstance(outputs, tuple)
        assert await asyncio.gather(*(collect(output) for output in outputs)) == [list(range(20))] * 3

    tidy(main)


def test_broadcast_waits_for_the_slowest_open_output_and_not_for_a_closed_one():
    async def main():
        source = Channel()
        quick, slow = broadcast(source, 2)
        got = []

        async def read():
            async for value in quick:
                got.append(value)

        reader = go(read())
        producer = go(_produce(source, 10))
        await asyncio.sleep(1)
        assert got == [0]
        assert await slow.receive() == 0
        await asyncio.sleep(1)
        assert got == [0, 1]
        slow.close()
        await reader
        await producer
        assert got == list(range(10))

    tidy(main)


async def _produce(channel, number):
    for value in range(number):
        await channel.send(value)
    channel.close()


def test_one_reader_may_take_the_outputs_in_any_order():
    async def main():
        first, second = broadcast(source_of(1, 2), 2)
        assert [await second.receive(), await first.receive()] == [1, 1]
        assert [await first.receive(), await second.receive()] == [2, 2]
        first.close()
        second.close()

    tidy(main)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"], ids=repr)
def test_broadcast_wants_a_positive_number_of_outputs(wrong):
    async def main():
        with pytest.raises(ValueError, match="outputs"):
            broadcast(Channel(), wrong)

    tidy(main)
