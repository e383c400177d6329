"""The checks of chapter 03: solutions pass, stubs are met kindly, and each wrong one gets a hint of its own."""

import itertools

import pytest

from asyncpatterns.lessons.check import chapter03

SHARED = itertools.count()


def turns(servers):
    turn = itertools.cycle(servers)
    return lambda: next(turn)


def test_solutions_pass():
    assert chapter03.takes_turns(turns)
    assert chapter03.largest_rate(lambda call, hop, cores: cores / (call + hop))


def stub(*arguments):
    ...  # your code here


@pytest.mark.parametrize("check", [chapter03.takes_turns, chapter03.largest_rate])
def test_a_stub_is_met_kindly(check):
    assert check(stub).kind == "todo"


def ends(servers):
    turn = iter(servers)
    return lambda: next(turn, None)


@pytest.mark.parametrize(("wrong", "hint"), [
    (lambda servers: servers[0], "Return a function"),
    (lambda servers: lambda: next(itertools.cycle(servers)), "remembered between two calls"),
    (lambda servers: turns(servers[:-1]), "the last one too"),
    (ends, "the last one too"),
    (lambda servers: turns(servers[::-1]), "In order"),
    (lambda servers: lambda: servers[next(SHARED) % len(servers)], "a turn of its own"),
])
def test_each_wrong_balancer_gets_a_hint_of_its_own(wrong, hint):
    global SHARED
    SHARED = itertools.count()
    verdict = chapter03.takes_turns(wrong)
    assert not verdict and hint in verdict.hint, verdict


@pytest.mark.parametrize(("wrong", "hint"), [
    (lambda call, hop, cores: cores / call, "without the hop"),
    (lambda call, hop, cores: 1 / (call + hop), "one core"),
    (lambda call, hop, cores: (call + hop) * cores * 1e6, "do not multiply"),
    (lambda call, hop, cores: cores / call - 400, "a hop that costs nothing"),
    (lambda call, hop, cores: 7, "call + hop seconds"),
    (lambda call, hop, cores: "1600", "A number"),
])
def test_each_wrong_rate_gets_a_hint_of_its_own(wrong, hint):
    verdict = chapter03.largest_rate(wrong)
    assert not verdict and (hint in verdict.hint or hint in verdict.saw), verdict
