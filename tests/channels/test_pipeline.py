"""`pipeline`. After each test no task is left and nothing was complained about."""

import asyncio

import pytest

from asyncpatterns.channels import Channel, ChannelClosed, broadcast, merge, pipeline, select

from .combining import collect, source_of, tidy


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
        assert asyncio.get_running_loop().time() == 10

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
