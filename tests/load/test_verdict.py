"""Early stopping: how many answers it takes to believe a percentile."""

from collections import Counter
from fractions import Fraction
from math import comb

import pytest

from asyncpatterns.load import Report, answers_needed


def verdict_of(in_time, misses=0, errors=0, void="", **options):
    latencies = [0.01] * in_time + [0.1] * misses
    report = Report("open", 10.0, len(latencies) + errors, [0.0] * len(latencies), latencies,
                    Counter({"OSError": errors} if errors else {}), void=void)
    return report.verdict(0.06, **options)


def chance_of_at_most(misses, trials, miss):
    return sum(comb(trials, k) * miss ** k * (1 - miss) ** (trials - k) for k in range(misses + 1))


@pytest.mark.parametrize(("misses", "needed"), [(0, 459), (1, 662), (2, 838), (10, 2010)])
def test_answers_needed_are_those_of_mlperf(misses, needed):
    assert answers_needed(misses) == needed


@pytest.mark.parametrize("misses", [0, 1, 2, 3, 7, 20])
@pytest.mark.parametrize(("percentile", "confidence"), [("0.99", "0.99"), ("0.9", "0.99"), ("0.95", "0.999"),
                                                        ("0.5", "0.5"), ("0.3", "0.9"), ("0.97", "0.05")])
def test_it_is_the_smallest_number_that_exact_arithmetic_allows(misses, percentile, confidence):
    needed = answers_needed(misses, float(percentile), float(confidence))
    miss, luck = 1 - Fraction(percentile), 1 - Fraction(confidence)
    assert chance_of_at_most(misses, needed, miss) <= luck
    assert needed == 1 or chance_of_at_most(misses, needed - 1, miss) > luck


def test_more_misses_need_more_answers_far_beyond_what_factorials_can_hold():
    needed = [answers_needed(misses) for misses in (0, 10, 100, 1_000, 10_000, 100_000)]
    assert needed == sorted(needed)
    assert needed[-1] == pytest.approx(100_000 / 0.01, rel=0.01)        # the bet is nearly even by then
    assert needed[-1] > 100_000 / 0.01


@pytest.mark.parametrize(("arguments", "text"), [((-1,), "int >= 0"), ((1.5,), "int >= 0"), ((True,), "int >= 0"),
                                                 ((0, 99), "percentile"), ((0, 0.99, 1.0), "confidence")])
def test_arguments_that_make_no_sense_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        answers_needed(*arguments)


@pytest.mark.parametrize("misses", [0, 1, 2, 10])
def test_it_passes_with_exactly_the_answers_needed_and_not_with_one_less(misses):
    needed = answers_needed(misses)
    assert verdict_of(needed - misses, misses)
    assert not verdict_of(needed - misses - 1, misses)


def test_errors_are_misses():
    assert verdict_of(660, errors=2).misses == 2
    assert not verdict_of(661, errors=2) and verdict_of(836, errors=2)
    assert not verdict_of(0, errors=1000)


def test_a_void_run_never_passes():
    assert verdict_of(100_000)
    verdict = verdict_of(100_000, void="the generator lagged by 12 ms")
    assert not verdict and "void" in repr(verdict) and "12 ms" in repr(verdict)


def test_too_few_answers_are_no_pass_and_it_says_how_many_more_are_needed():
    verdict = verdict_of(300)
    assert not verdict and verdict.more == 159
    assert "too few" in repr(verdict) and "159 more" in repr(verdict)
    assert "459 more" in repr(verdict_of(0))


def test_too_many_misses_are_no_pass_and_it_says_how_many():
    verdict = verdict_of(900, misses=100)
    assert not verdict
    assert "100 of 1,000 requests missed 60 ms, which is 10 % where 1 % may" in repr(verdict)


def test_a_pass_is_a_sentence_too():
    assert repr(verdict_of(4986, misses=12)) == (
        "<Pass: p99 within 60 ms at 99 % confidence: "
        "12 of 4,998 requests missed 60 ms, 2,277 requests suffice for that>")


def test_percentile_and_confidence_can_be_chosen():
    assert verdict_of(44, percentile=0.9) and not verdict_of(43, percentile=0.9)
    assert verdict_of(299, confidence=0.95) and not verdict_of(298, confidence=0.95)
    assert "p99.9" in repr(verdict_of(10, percentile=0.999))
    with pytest.raises(ValueError, match="percentile"):
        verdict_of(10, percentile=99)
