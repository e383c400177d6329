"""The arithmetic of a report, against brute force, and what it says about itself."""

import json
import math
import random
from collections import Counter

import pytest

from asyncpatterns.load import Report

SEEDS = pytest.mark.parametrize("seed", range(30))


def made_up(seed, loop="open", slo=None):
    """A report of random requests: latencies from three very different distributions, and some errors."""
    rng = random.Random(seed)
    duration = rng.choice([0.5, 2.0, 10.0])
    answers = rng.choice([1, 2, 3, 99, 100, 101, 1000])
    kind = rng.choice([lambda: rng.expovariate(100), lambda: rng.uniform(0, 0.3), lambda: rng.choice([0.01, 0.2])])
    pairs = [(rng.uniform(0, duration), kind()) for _ in range(answers)]
    errors = Counter({"HTTP 503": rng.randrange(20), "TimeoutError": rng.randrange(3)})
    return Report(loop, duration, answers + errors.total(), [moment for moment, _ in pairs],
                  [latency for _, latency in pairs], +errors, rate=answers / duration, clients=3, slo=slo)


def report_of(latencies, errors=0, duration=10.0, void=""):
    count = len(latencies) + errors
    moments = [duration * number / count for number in range(len(latencies))]
    return Report("open", duration, count, moments, latencies, Counter({"OSError": errors} if errors else {}),
                  rate=count / duration, void=void)


@SEEDS
def test_a_percentile_is_the_smallest_latency_that_so_many_answers_do_not_exceed(seed):
    report = made_up(seed)
    ordered = sorted(report.latencies)
    for share, value in ((0.5, report.p50), (0.9, report.p90), (0.99, report.p99), (1.0, report.max),
                         (0.999, report.percentile(0.999)), (0.0, report.min)):
        reached = [latency for latency in ordered
                   if sum(other <= latency for other in ordered) >= share * len(ordered) - 1e-9]
        assert value == reached[0]


def test_a_percentile_is_not_moved_by_rounding():
    """0.07 × 100 is 7.000000000000001 in floats, and still the seventh."""
    report = report_of([float(rank) for rank in range(1, 101)])
    assert [report.percentile(rank / 100) for rank in range(1, 101)] == list(report.latencies)


@SEEDS
def test_goodput_never_exceeds_answered_which_never_exceeds_offered(seed):
    for loop in ("open", "closed"):
        report = made_up(seed, loop)
        goodputs = [report.goodput(slo) for slo in (0.001, 0.01, 0.05, 0.2, 0.5, 10)]
        assert goodputs == sorted(goodputs) and goodputs[-1] == report.answered == report.goodput(math.inf)
        assert report.answered <= report.offered


@SEEDS
def test_answered_of_an_open_loop_is_a_count_over_a_window_as_long_as_the_run(seed):
    report = made_up(seed)
    end = report.duration + min(report.latencies)
    in_window = [m + l <= end + 1e-9 for m, l in zip(report.moments, report.latencies, strict=True)]  # noqa: E741
    assert report.answered == pytest.approx(sum(in_window) / report.duration)


@SEEDS
def test_answered_of_a_closed_loop_is_the_higher_of_two_averages(seed):
    report = made_up(seed, "closed")
    ends = [m + l for m, l in zip(report.moments, report.latencies, strict=True)]  # noqa: E741
    by_the_end = sum(end <= report.duration + 1e-9 for end in ends) / report.duration
    by_the_last = len(ends) / max(report.duration, *ends, 0.0)
    assert report.answered == pytest.approx(max(by_the_end, by_the_last))


def test_goodput_counts_answers_within_the_slo_per_second():
    report = report_of([0.01] * 900 + [0.2] * 50, errors=50)
    assert report.goodput(0.1) == 90 and report.goodput(0.01) == 90 and report.goodput(0.009) == 0
    assert report.offered == 100


def test_a_latency_of_exactly_the_slo_is_in_time_whatever_the_rounding():
    report = report_of([0.1 + 0.2] * 500)
    assert report.goodput(0.3) == 50 and report.verdict(0.3)


def test_percentiles_speak_of_answered_requests_only():
    assert report_of([0.01] * 10, errors=990).p99 == 0.01


def test_the_mean_is_the_mean():
    assert report_of([0.1, 0.2, 0.6]).mean == pytest.approx(0.3)


def test_without_answers_latencies_are_unknown_and_rates_are_zero():
    report = report_of([], errors=3)
    assert all(math.isnan(value) for value in (report.p50, report.p99, report.max, report.mean))
    assert report.answered == report.goodput(1.0) == 0


def test_a_percentile_is_a_share():
    with pytest.raises(ValueError, match="between 0 and 1"):
        report_of([0.1]).percentile(99)


@pytest.mark.parametrize("method", ["goodput", "verdict"])
def test_the_slo_of_the_run_is_the_default_and_without_one_it_must_be_said(method):
    assert made_up(1, slo=0.25).goodput() == made_up(1).goodput(0.25)
    assert made_up(1, slo=0.25).verdict().slo == 0.25
    with pytest.raises(ValueError, match="which slo"):
        getattr(made_up(1), method)()
    with pytest.raises(ValueError, match="positive number of seconds"):
        getattr(made_up(1), method)(0)


# --- what it says ---

def test_the_repr_is_one_line_that_teaches():
    report = Report("open", 10.0, 4998, [number / 500 for number in range(4998)], [0.0013] * 4900 + [0.0034] * 98,
                    rate=500)
    assert repr(report) == "<Report open loop 500/s for 10 s: 4,998 answered, p50 1.3 ms, p99 3.4 ms, 0 errors>"


def test_the_repr_counts_errors_by_kind():
    report = Report("closed", 2.0, 7, [0.0, 0.5], [0.5, 1.5], Counter({"TimeoutError": 1, "HTTP 503": 4}), clients=1)
    assert repr(report) == ("<Report closed loop, 1 client for 2 s: 2 answered (1/s), p50 500 ms, p99 1.5 s, "
                            "5 errors (4 HTTP 503, 1 TimeoutError)>")


def test_the_repr_of_a_void_run_begins_with_it_and_ends_with_the_reason():
    text = repr(report_of([0.01] * 500, void="the generator lagged by 12 ms"))
    assert text.startswith("<Report VOID open loop") and text.endswith("; the generator lagged by 12 ms>")


def test_the_repr_of_an_overloaded_run_tells_the_rate():
    report = Report("open", 10.0, 1000, [n / 100 for n in range(1000)], [n / 100 for n in range(1000)], rate=100)
    assert "1,000 answered (50.1/s)" in repr(report)


def test_a_caption_says_what_a_published_figure_must():
    report = Report("open", 10.0, 4998, [0.0], [0.1], rate=500, cores=2)
    assert report.caption("T(n) = 1 ms + 0.05 ms·n") == (
        "open loop 500/s for 10 s, 500/s offered, 4,998 samples, 2 cores, T(n) = 1 ms + 0.05 ms·n")


@SEEDS
def test_the_json_is_json_and_says_what_a_published_figure_must(seed):
    values = json.loads(json.dumps(made_up(seed, slo=0.05).to_json(raw=True), allow_nan=False))
    report = made_up(seed)
    assert values["loop"] == "open" and values["offered"] == report.offered and values["cores"] >= 1
    assert values["samples"] == len(values["latencies"]) == len(values["moments"]) == len(report.latencies)
    assert values["p99"] == report.p99 and values["errors"] == report.errors
    assert values["goodput"] == report.goodput(0.05) and values["passed"] == bool(report.verdict(0.05))


def test_the_json_of_a_run_without_answers_is_json_too():
    values = json.loads(json.dumps(report_of([], errors=3).to_json(), allow_nan=False))
    assert values["p99"] is None and "latencies" not in values and "goodput" not in values
