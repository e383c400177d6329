"""The open loop: the world decides when to ask."""

import asyncio

import pytest

from asyncpatterns.load import constant, open_loop, poisson
from asyncpatterns.testing import run


def load(target, rate=100, duration=10, **options):
    """The report of an open loop on a virtual clock; `target` may be a class to be made inside the run."""
    async def main():
        return await open_loop(target() if isinstance(target, type) else target, rate, duration, **options)
    return run(main)


def test_requests_are_sent_at_the_moments_of_the_schedule():
    sent = []

    async def target(number):
        sent.append((number, asyncio.get_running_loop().time()))

    load(target, rate=200, duration=5, seed=3)
    numbers, moments = zip(*sent, strict=True)
    assert list(numbers) == list(range(len(numbers)))
    assert moments == pytest.approx(list(poisson(200, 5, 3)), abs=2e-6)


def test_a_target_gets_the_requests_number(targets):
    numbers = []

    async def target(number):
        numbers.append(number)

    assert load(target).sent == len(numbers) == numbers[-1] + 1 and numbers[0] == 0


def test_an_awaitable_that_is_no_coroutine_is_a_fine_answer():
    def target(number):
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.25, future.set_result, None)
        return future

    assert load(target).p50 == pytest.approx(0.25)


def test_latency_counts_from_the_scheduled_moment(targets):
    """One pause of a second hurts all who came during it, not only the one who was being served."""
    async def target(number):
        if number == 500:
            targets.block(1.0)
        await asyncio.sleep(0.001)

    report = load(target, rate=100, duration=10, arrivals=constant)
    late = [latency for latency in report.latencies if latency > 0.002]
    assert len(late) == pytest.approx(100, abs=2)
    assert sorted(late)[len(late) // 2] == pytest.approx(0.5, abs=0.02)
    assert report.max == pytest.approx(1.001)


def test_a_slow_server_is_not_asked_less(targets):
    """A closed loop would send 100 requests a second to this one; the open loop sends what was scheduled."""
    report = run_queue(targets, 0.01, rate=200, duration=10)
    assert report.sent == len(poisson(200, 10))
    assert report.max > 5


def run_queue(targets, seconds, **options):
    async def main():
        return await open_loop(targets.Queue(seconds), **options)
    return run(main)


def test_offered_is_what_was_sent_per_second(targets):
    report = load(targets.takes(0.01), rate=500, duration=10)
    assert report.offered == len(poisson(500, 10)) / 10


def test_answered_is_all_that_was_offered_when_the_server_keeps_up(targets):
    report = load(targets.takes(0.5), rate=500, duration=2)
    assert report.answered == report.offered


def test_answered_is_the_servers_capacity_when_it_does_not_keep_up(targets):
    report = run_queue(targets, 0.01, rate=200, duration=10, grace=60)
    assert len(report.latencies) == report.sent         # all of them, in twice the time
    assert report.answered == pytest.approx(100, rel=0.01)


def test_one_straggler_does_not_change_the_rate():
    async def target(number):
        await asyncio.sleep(4.0 if number == 900 else 0.01)

    report = load(target, rate=100, duration=10)
    assert report.answered == pytest.approx(report.offered, rel=0.002) and report.max == pytest.approx(4.0)


def test_the_clock_governs_all_a_half_hour_takes_no_time(targets):
    assert load(targets.takes(0.01), rate=10, duration=1800).sent == pytest.approx(18_000, rel=0.03)


def test_a_run_reports_the_moments_of_its_schedule_whenever_it_began():
    async def main():
        async def target(number):
            await asyncio.sleep(0.01)

        return [(await open_loop(target, 100, 2, seed=seed)).moments for seed in (3, 3, 4)]
    first, again, other = run(main)
    assert list(first) == list(again) == list(poisson(100, 2, 3)) != list(other)


def test_equal_seeds_give_equal_runs(targets):
    first, again, other = (load(targets.takes(0.01), seed=seed) for seed in (1, 1, 2))
    assert list(first.moments) == list(again.moments) != list(other.moments)
    assert list(first.latencies) == list(again.latencies)


# --- void ---

def test_a_run_whose_generator_lagged_is_void_and_says_so(targets):
    async def target(number):
        if number % 20 == 0:
            targets.block(0.05)

    report = load(target)
    assert report.void and "lagged" in report.void and "VOID" in repr(report)
    assert report.lag > 0.005
    assert not report.verdict(10.0)


def test_a_punctual_run_is_not_void(targets):
    report = load(targets.takes(3.0))
    assert not report.void and report.lag < 1e-5


@pytest.mark.parametrize(("slo", "lag", "void"), [(None, 0.0049, False), (None, 0.0051, True), (0.1, 0.0009, False),
                                                  (0.1, 0.0011, True), (2.0, 0.019, False), (2.0, 0.021, True)])
def test_the_limit_of_the_lag_is_one_percent_of_the_slo_and_5_ms_without_one(targets, slo, lag, void):
    """Requests come in pairs; the first of each blocks the loop, so half of all start late by exactly `lag`."""
    async def target(number):
        if number % 2 == 0:
            targets.block(lag)

    def pairs(rate, duration, seed):
        return [float(second) for second in range(100) for _ in range(2)]

    report = load(target, rate=2, duration=100, arrivals=pairs, slo=slo)
    assert report.lag == pytest.approx(lag)
    assert bool(report.void) is void


def test_a_lag_of_less_than_one_request_in_a_hundred_does_not_void(targets):
    async def target(number):
        if number == 500:
            targets.block(0.02)

    report = load(target, rate=100, duration=100)
    assert not report.void


# --- errors ---

def test_errors_are_counted_by_kind():
    class Busy(Exception):
        status = 503

    async def target(number):
        await asyncio.sleep(0.01)
        if number % 4 == 1:
            raise ValueError(f"number {number}")
        if number % 4 == 2:
            raise Busy("come back later")
        if number % 4 == 3:
            raise TimeoutError

    report = load(target)
    each = report.sent // 4
    assert set(report.errors) == {"ValueError", "HTTP 503", "TimeoutError"}
    assert all(count == pytest.approx(each, abs=1) for count in report.errors.values())
    assert report.examples["ValueError"] == "number 1" and report.examples["HTTP 503"] == "come back later"
    assert report.sent == len(report.latencies) + sum(report.errors.values())


def test_errors_have_no_latency():
    async def target(number):
        await asyncio.sleep(0.01 if number % 2 else 0.5)
        if not number % 2:
            raise OSError

    assert load(target).max == pytest.approx(0.01)


def test_what_never_ends_is_an_error_after_the_grace_period():
    async def target(number):
        if number == 7:
            await asyncio.get_running_loop().create_future()

    async def main():
        report = await open_loop(target, 100, 2, grace=3)
        return report, asyncio.get_running_loop().time()

    report, ended = run(main)
    assert report.errors == {"unanswered": 1} and len(report.latencies) == report.sent - 1
    assert ended == pytest.approx(5, abs=0.1)


def test_the_run_waits_for_requests_in_flight():
    async def target(number):
        await asyncio.sleep(4.0)

    report = load(target, rate=10, duration=1)
    assert len(report.latencies) == report.sent and not report.errors


def test_a_cancellation_inside_the_target_is_an_error():
    async def target(number):
        other = asyncio.ensure_future(asyncio.sleep(10))
        asyncio.get_running_loop().call_soon(other.cancel)
        await other

    report = load(target)
    assert report.errors == {"CancelledError": report.sent}


def test_a_request_cancelled_from_outside_is_an_error_even_before_its_first_step():
    async def target(number):
        await asyncio.sleep(0.01)

    async def main():
        def cancel(progress):
            for task in asyncio.all_tasks():
                if task.get_name() == "request 3":
                    task.cancel()
        return await open_loop(target, 4, 1, arrivals=lambda *_: [0.1, 0.1, 0.1, 0.1], on_progress=cancel)

    report = run(main)
    assert report.sent == 4 == len(report.latencies) + sum(report.errors.values())
    assert sum(report.errors.values()) == 1


def test_an_empty_schedule_gives_an_empty_report(targets):
    report = load(targets.takes(0.01), rate=1, duration=1, arrivals=lambda *_: [])
    assert report.sent == 0 and report.answered == 0 and not report.void and not report.verdict(1.0)
    assert "none answered" in repr(report)
