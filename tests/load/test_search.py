"""The largest rate: double, then bisect, and be honest about void runs."""

import asyncio
import re

import pytest

from asyncpatterns.load import largest_rate, open_loop
from asyncpatterns.testing import run


def search(make_target, **options):
    options = {"slo": 0.2, "duration": 5} | options

    async def main():
        return await largest_rate(make_target(), **options)
    return run(main)


@pytest.mark.parametrize("start", [None, 10, 60, 400])
def test_it_finds_the_rate_where_the_promise_breaks(targets, start):
    """A queue with service time 5 ms, for five seconds, keeps 200 ms up to about 200/s."""
    found = search(lambda: targets.Queue(0.005), start=start)
    assert 180 < found.rate < 210 and found.bound == "target"
    assert float(found) == found.rate


def test_it_passed_at_the_rate_and_did_not_just_above(targets):
    found = search(lambda: targets.Queue(0.005), precision=0.02)
    verdicts = {report.rate: bool(report.verdict(0.2)) for report in found.runs}
    assert verdicts[found.rate]
    above = min(rate for rate in verdicts if rate > found.rate)
    assert not verdicts[above] and above / found.rate <= 1.02


def test_it_doubles_then_bisects(targets):
    rates = [report.rate for report in search(lambda: targets.Queue(0.005), start=20).runs]
    assert rates[:5] == [20, 40, 80, 160, 320]
    assert rates[5] == pytest.approx((160 * 320) ** 0.5)


def test_a_run_at_a_low_rate_is_long_enough_to_be_able_to_pass(targets):
    found = search(lambda: targets.Queue(0.037), slo=1.0, duration=10)
    assert 20 < found.rate < 27
    assert all(report.sent >= 838 for report in found.runs)


def test_a_target_that_never_keeps_the_promise_is_told_so(targets):
    found = search(lambda: targets.takes(0.3))
    assert found.rate == 0 and not found and "none: not even" in repr(found)
    assert max(report.duration for report in found.runs) <= 50


def test_it_stops_at_the_limit_and_says_at_least(targets):
    found = search(lambda: targets.takes(0.01), limit=500, duration=2)
    assert found.rate == 500 and found.bound == "limit"
    assert "at least 500/s" in repr(found) and "limit" in repr(found)


def lagging_above(targets, limit):
    """(a target, arrivals): the generator's own fault, which blocks the loop at rates above `limit`."""
    too_fast = False

    def even(rate, duration, seed):
        nonlocal too_fast
        too_fast = rate > limit
        return [number / rate for number in range(int(rate * duration))]

    async def target(number):
        if too_fast and number % 10 == 0:
            targets.block(0.02)

    return target, even


def test_a_void_run_is_repeated_and_what_stays_void_bounds_the_search_honestly(targets):
    target, arrivals = lagging_above(targets, limit=300)
    found = search(lambda: target, start=200, arrivals=arrivals)
    assert found.bound == "generator" and 285 < found.rate <= 300
    assert "at least" in repr(found) and "void" in repr(found) and "lagged" in repr(found)
    voids = [report.rate for report in found.runs if report.void]
    assert voids and all(rate > 300 and voids.count(rate) == 3 for rate in voids)


def test_a_run_that_is_void_once_is_repeated_and_then_counts(targets):
    runs = 0

    def on_run(report):
        nonlocal runs
        runs += 1

    async def target(number):
        if runs == 1:
            targets.block(0.003)
        await asyncio.sleep(0.01)

    found = search(lambda: target, limit=400, start=200, on_run=on_run)
    assert [bool(report.void) for report in found.runs] == [False, True, False]
    assert found.rate == 400 and runs == 3


def test_every_run_uses_the_same_seed_and_the_slo(targets):
    found = search(lambda: targets.Queue(0.005), seed=5)
    assert {(report.seed, report.slo) for report in found.runs} == {(5, 0.2)}


def test_it_can_be_cancelled(targets):
    async def main():
        task = asyncio.create_task(largest_rate(targets.takes(0.01), slo=0.1, duration=5))
        await asyncio.sleep(7)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


@pytest.mark.parametrize("options", [{"slo": 0}, {"duration": -1}, {"start": 0}, {"precision": 0}, {"limit": 0},
                                     {"percentile": 99}])
def test_options_that_make_no_sense_are_refused(targets, options):
    with pytest.raises(ValueError, match=r"must be|between"):
        search(lambda: targets.takes(0.01), **options)


def test_the_repr_is_one_line_that_teaches(targets):
    text = repr(search(lambda: targets.Queue(0.005), start=100))
    assert re.fullmatch(r"<LargestRate (1\d|2\d)\d/s within 200 ms \(p99\), \d+ runs>", text)


def test_what_was_found_holds_in_a_run_of_its_own(targets):
    found = search(lambda: targets.Queue(0.005))

    async def main():
        return await open_loop(targets.Queue(0.005), 0.9 * found.rate, 60, seed=99)

    assert run(main).verdict(0.2)
