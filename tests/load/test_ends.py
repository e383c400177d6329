"""How a run ends: cancelled, by an exception, by bad arguments; and that nothing is left behind."""

import asyncio

import pytest

from asyncpatterns.load import closed_loop, open_loop
from asyncpatterns.testing import run

LOOPS = {"open": lambda target, **options: open_loop(target, 100, 5, **options),
         "closed": lambda target, **options: closed_loop(target, 10, 5, **options)}
both = pytest.mark.parametrize("load", LOOPS.values(), ids=LOOPS)


def left_behind():
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    timers = [timer for timer in loop._scheduled if not timer.cancelled()]
    return [*tasks, *timers]


@both
def test_cancelling_the_run_ends_its_requests_and_leaves_nothing_behind(load):
    cancelled, ended = [], []

    async def target(number):
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append(number)
            await asyncio.sleep(0.1)                    # tidying up takes time, and is waited for
            ended.append(number)

    async def main():
        run_ = asyncio.create_task(load(target, on_progress=lambda progress: None))
        await asyncio.sleep(1)
        run_.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run_
        assert len(cancelled) > 1 and cancelled == sorted(ended) and not left_behind()

    run(main)


@both
def test_a_second_cancellation_does_not_leave_requests_behind_either(load):
    async def target(number):
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(5)

    async def main():
        run_ = asyncio.create_task(load(target))
        await asyncio.sleep(1)
        for _ in range(3):
            run_.cancel()
            await asyncio.sleep(0.001)
        with pytest.raises(asyncio.CancelledError):
            await run_
        assert not left_behind()

    run(main)


@both
def test_a_finished_run_leaves_nothing_behind(load, targets):
    async def main():
        await load(targets.takes(0.2), on_progress=lambda progress: None)
        assert not left_behind()

    run(main)


@both
def test_unanswered_requests_are_cancelled_and_waited_for(load):
    cancelled = []

    async def target(number):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    async def main():
        report = await load(target, grace=1)
        assert report.errors == {"unanswered": report.sent} and len(cancelled) == report.sent
        assert not left_behind()

    run(main)


@both
def test_a_target_that_is_not_async_ends_the_run_with_a_sentence(load):
    async def main():
        with pytest.raises(TypeError, match="target must be async"):
            await load(lambda number: 5)
        with pytest.raises(TypeError, match="target must be async"):
            await load(lambda number: None)
        assert not left_behind()

    run(main)


@both
def test_a_target_that_takes_no_number_is_refused_before_the_run(load):
    async def no_number():
        raise AssertionError("never called")

    async def main():
        for wrong in (no_number, 42, None):
            with pytest.raises(TypeError, match="number"):
                await load(wrong)
        coroutine = no_number()
        with pytest.raises(TypeError, match="number"):
            await load(coroutine)

    run(main)


@both
def test_what_is_not_an_exception_of_a_request_ends_the_run(load):
    class Stop(BaseException):
        pass

    async def target(number):
        await asyncio.sleep(0.1)
        raise Stop

    async def main():
        with pytest.raises(Stop):
            await load(target)
        assert not left_behind()

    run(main)


@both
def test_a_failing_on_progress_ends_the_run_with_its_exception(load, targets):
    def on_progress(progress):
        if progress.elapsed > 1:
            raise LookupError("the bar is gone")

    async def main():
        with pytest.raises(LookupError, match="the bar is gone"):
            await load(targets.takes(0.1), on_progress=on_progress)
        assert not left_behind()

    run(main)


@both
def test_progress_is_told_at_most_ten_times_a_second_and_adds_up(load, targets):
    told = []

    async def target(number):
        await asyncio.sleep(0.25)
        if number % 3 == 0:
            raise OSError

    async def main():
        report = await load(target, on_progress=told.append)
        assert 40 <= len(told) <= 10 * 5.25 + 3
        assert [latency for progress in told for latency in progress.recent] == list(report.latencies)
        last = told[-1]
        assert (last.sent, last.answered, last.failed) == (report.sent, len(report.latencies), report.errors.total())
        assert last.in_flight == 0 and max(progress.in_flight for progress in told) >= 10
        assert [progress.elapsed for progress in told] == sorted(progress.elapsed for progress in told)

    run(main)


@both
@pytest.mark.parametrize("options", [{"slo": 0}, {"slo": -1.0}, {"slo": float("nan")}, {"grace": -1},
                                     {"grace": float("nan")}])
def test_options_that_make_no_sense_are_refused(load, targets, options):
    async def main():
        with pytest.raises(ValueError, match="must be"):
            await load(targets.takes(0.1), **options)

    run(main)
