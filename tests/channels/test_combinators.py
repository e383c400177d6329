"""after, ticker, merge, broadcast, pipeline, go. After each test no task is left and nothing was complained about."""

import asyncio
import gc
import warnings
import weakref

import pytest

from asyncpatterns.channels import Channel, ChannelClosed, after, broadcast, go, merge, pipeline, select, ticker
from asyncpatterns.testing import run


def tidy(main):
    """Run main; then no task may be left, no warning shown and nothing told to the exception handler."""

    async def wrapped():
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        await main()
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left and not complaints
        gc.collect()
        await asyncio.sleep(0)
        assert not complaints

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(wrapped)


def source_of(*values, capacity=None):
    channel = Channel(len(values) if capacity is None else capacity, "source")
    for value in values:
        channel.send_nowait(value)
    channel.close()
    return channel


async def collect(channel):
    return [value async for value in channel]


def now():
    return asyncio.get_running_loop().time()


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


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
def test_an_interval_that_is_no_positive_number_is_a_value_error(wrong):
    async def main():
        with pytest.raises(ValueError, match="interval"):
            ticker(wrong)

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


# --- pipeline ---


@pytest.mark.parametrize("workers", [1, 3])
def test_a_plain_function_runs_on_the_loop(workers):
    async def main():
        assert await collect(pipeline(source_of(1, 2, 3), str, workers=workers)) == ["1", "2", "3"]

    tidy(main)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_async_functions_run_concurrently_and_the_order_is_kept(workers):
    async def main():
        running = peak = 0

        async def work(value):
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            await asyncio.sleep(20 - value)
            running -= 1
            return value

        assert await collect(pipeline(source_of(*range(20)), work, workers=workers)) == list(range(20))
        assert peak == workers

    tidy(main)


def test_unordered_results_come_as_they_are_ready():
    async def main():
        async def work(value):
            await asyncio.sleep(value)
            return value

        assert await collect(pipeline(source_of(3, 1, 2), work, workers=3, ordered=False)) == [1, 2, 3]

    tidy(main)


def test_a_slow_item_does_not_stop_the_other_workers_at_once():
    async def main():
        async def work(value):
            await asyncio.sleep(10 if value == 0 else 1)
            return value

        await collect(pipeline(source_of(*range(4)), work, workers=2))
        assert now() == 10

    tidy(main)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_at_most_two_items_per_worker_are_in_flight(workers, ordered):
    async def main():
        source = Channel(100)
        for number in range(100):
            source.send_nowait(number)

        async def work(value):
            await asyncio.sleep(1)
            return value

        output = pipeline(source, work, workers=workers, ordered=ordered)
        for taken in range(20):
            await asyncio.sleep(10)
            assert 100 - len(source) - taken <= 2 * workers
            await output.receive()
        output.close()

    tidy(main)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_if_the_function_raises_the_output_raises_it_after_the_results_before_it_and_closes(workers, ordered):
    async def main():
        source = Channel(100)
        for number in range(100):
            source.send_nowait(number)

        async def work(value):
            await asyncio.sleep(1)
            if value == 7:
                raise ValueError(value)
            return value

        output = pipeline(source, work, workers=workers, ordered=ordered)
        got = []
        with pytest.raises(ValueError, match="7"):
            async for value in output:
                await asyncio.sleep(5)
                got.append(value)
        assert got == list(range(7)) if ordered else set(range(5)) <= set(got)
        assert output.closed and source.closed
        with pytest.raises(ChannelClosed):
            await output.receive()

    tidy(main)


def test_the_failure_of_an_earlier_item_comes_first():
    async def main():
        async def work(value):
            await asyncio.sleep(5 - value)
            raise ValueError(value)

        with pytest.raises(ValueError, match="0"):
            await pipeline(source_of(0, 1, 2), work, workers=3).receive()

    tidy(main)


def test_a_plain_function_that_raises_with_somebody_waiting():
    async def main():
        output = pipeline(source := Channel(), lambda value: 1 // value)
        task = asyncio.create_task(collect(output))
        await source.send(1)
        await source.send(0)
        with pytest.raises(ZeroDivisionError):
            await task

    tidy(main)


def test_a_failure_flows_downstream():
    async def main():
        failing = pipeline(source_of(1, 0), lambda value: 1 // value)
        merged = merge(pipeline(failing, lambda value: value, workers=2), Channel())
        assert await merged.receive() == 1
        with pytest.raises(ZeroDivisionError):
            await merged.receive()
        first, second = broadcast(pipeline(source_of(0), lambda value: 1 // value), 2)
        with pytest.raises(ZeroDivisionError) as one:
            await select(first.receive())
        with pytest.raises(ZeroDivisionError) as other:
            await second.receive()
        assert one.value is not other.value

    tidy(main)


def test_closing_the_output_cancels_the_function():
    async def main():
        log = []

        async def work(value):
            try:
                await asyncio.sleep(100)
            finally:
                log.append(value)

        output = pipeline(source_of(1, 2, 3), work, workers=2)
        await asyncio.sleep(1)
        output.close()
        await asyncio.sleep(0)
        assert log == [1, 2]

    tidy(main)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True])
def test_pipeline_checks_its_arguments(wrong):
    async def main():
        with pytest.raises(ValueError, match="workers"):
            pipeline(Channel(), str, workers=wrong)
        with pytest.raises(TypeError, match="function"):
            pipeline(Channel(), "no function")
        with pytest.raises(TypeError, match="channels"):
            pipeline([1], str)

    tidy(main)


# --- go ---


def test_go_starts_a_coroutine_an_operation_or_a_future_and_returns_a_task():
    async def main():
        future = asyncio.get_running_loop().create_future()
        future.set_result("future")
        channel = source_of("operation")
        tasks = [go(asyncio.sleep(1, "coroutine"), name="sleeper"), go(channel.receive()), go(future)]
        assert all(isinstance(task, asyncio.Task) for task in tasks) and tasks[0].get_name() == "sleeper"
        assert [await task for task in tasks] == ["coroutine", "operation", "future"]
        with pytest.raises(TypeError, match="await"):
            go(3)

    tidy(main)


def test_go_holds_its_task_while_it_runs():
    async def main():
        done = []

        async def lonely():
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(1, lambda ref: ref() and ref().set_result(1), weakref.ref(future))
            await future
            done.append(True)

        go(lonely())
        await asyncio.sleep(0)
        gc.collect()
        await asyncio.sleep(2)
        assert done

    tidy(main)


def test_a_failure_reaches_the_exception_handler_even_while_the_task_is_held():
    async def main():
        seen = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))

        async def fail():
            raise ValueError("x")

        task = go(fail())
        await asyncio.sleep(1)
        assert [str(context["exception"]) for context in seen] == ["x"] and seen[0]["task"] is task
        with pytest.raises(ValueError, match="x"):
            await task
        cancelled = go(asyncio.sleep(10))
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert len(seen) == 1

    run(main)
