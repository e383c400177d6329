"""The checks of chapter 09: the solution passes, and each way to get it wrong has a hint of its own."""

import math

import pytest

from asyncpatterns.lessons.check import chapter09 as check


def solution(rate, b, a):
    return b / (1 - rate * a) if rate * a < 1 else math.inf


WRONG_CYCLES = [
    (lambda rate, b, a: b + a, "all who came during the one before"),
    (lambda rate, b, a: b + a * rate * b, "solve for C"),
    (lambda rate, b, a: 1 / (1 - rate * a), "b, is missing"),
    (lambda rate, b, a: b / (1 - rate * b), "swapped"),
    (lambda rate, b, a: 1.5 * b / (1 - rate * a), "C − a·rate·C = b"),
    (lambda rate, b, a: b / (1 - rate * a), "never ends"),
    (lambda rate, b, a: max(0.0, b / (1 - rate * a + 1e-12)), "never ends"),
]


def test_the_cycle():
    assert check.cycle(solution)


@pytest.mark.parametrize(("wrong", "hint"), WRONG_CYCLES)
def test_each_wrong_cycle_gets_a_hint(wrong, hint):
    verdict = check.cycle(wrong)
    assert not verdict and hint in verdict.hint, verdict


def test_the_bet_is_won_by_not_waiting():
    assert check.best_linger(0) and check.best_linger(0.0)


@pytest.mark.parametrize(("bet", "hint"), [(0.002, "costs nobody"), (0.02, "costs nobody"), (5, "milliseconds"),
                                           (-0.001, "less than no time"), ("5 ms", "number of seconds")])
def test_each_lost_bet_gets_a_hint(bet, hint):
    verdict = check.best_linger(bet)
    assert not verdict and hint in verdict.hint, verdict


@pytest.mark.parametrize("options", [{"linger": 0.002}, {"linger": 0.003}, {"linger": 0.02, "max_batch_size": 8}])
def test_eight_callers_ride_together(options):
    verdict = check.eight_callers(options)
    assert verdict, verdict
    assert "batches of 8" in verdict.saw


@pytest.mark.parametrize(("options", "hint"), [
    ({}, "leave alone"), ({"linger": 0.0005}, "until he is there"), ({"linger": 0.02}, "a ninth"),
    ({"linger": 0.002, "max_batch_size": 4}, "can never all ride together"), (0.002, "A dict"),
])
def test_each_wrong_setting_gets_a_hint(options, hint):
    verdict = check.eight_callers(options)
    assert not verdict and hint in verdict.hint, verdict


def test_a_setting_that_is_none_is_an_error_in_words():
    verdict = check.eight_callers({"linger": "long"})
    assert verdict.kind == "error" and "number of seconds" in verdict.saw


def test_a_stub_fails_every_check_kindly():
    for one in (check.best_linger, check.cycle, check.eight_callers):
        for stub in (..., None):
            assert one(stub).kind == "todo"


def test_the_verdict_is_the_same_each_time():
    assert len({repr(check.eight_callers({})) for _ in range(3)}) == 1
