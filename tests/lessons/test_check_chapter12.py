"""The checks of chapter 12: the solution passes, and each way to get it wrong has a hint of its own."""

import asyncio
import math
import random

import pytest

from asyncpatterns import Overloaded
from asyncpatterns.lessons.check import chapter12 as check


@pytest.mark.parametrize("bet", [32, 40])
def test_the_bet_is_won_by_a_short_queue(bet):
    assert check.best_queue(bet)


@pytest.mark.parametrize(("bet", "hint"), [
    (8, "room for more"), (64, "these two batches"), (1024, "these two batches"), (math.inf, "these two batches"),
    ("32", "a whole number"), (0, "a whole number"), (3.5, "a whole number"), (True, "a whole number"),
])
def test_each_lost_bet_gets_a_hint(bet, hint):
    verdict = check.best_queue(bet)
    assert not verdict and hint in verdict.hint, verdict


async def solution(kes, item, attempts):
    for attempt in range(1, attempts + 1):
        try:
            return await kes(item)
        except Overloaded as refusal:
            if attempt == attempts:
                raise
            await asyncio.sleep(refusal.retry_after * random.uniform(1, 2))
    raise AssertionError("nobody asks less than once")


def client(wait=lambda after: after * random.uniform(1, 2), extra=0, last=True, early=True, catches=Overloaded):
    """A client like the solution, with one thing different."""
    async def asks(kes, item, attempts):
        for attempt in range(1, attempts + extra + 1):
            try:
                return await kes(item)
            except catches as refusal:
                if early and last and attempt == attempts + extra:
                    raise
                await asyncio.sleep(wait(getattr(refusal, "retry_after", 0.5)))
                if last and attempt == attempts + extra:
                    raise
        return None
    return asks


async def one_knock(kes, item, attempts):
    return await kes(item)


async def never_asks(kes, item, attempts):
    await asyncio.sleep(1)


async def loses_the_answer(kes, item, attempts):
    await solution(kes, item, attempts)


WRONG_CLIENTS = [
    (never_asks, "Ask first"),
    (one_knock, "Catch `Overloaded`"),
    (client(wait=lambda after: 0), "closed door"),
    (client(wait=lambda after: 0.01), "closed door"),
    (client(wait=lambda after: 60), "open long before"),
    (loses_the_answer, "Return what"),
    (client(extra=10**6), "never gives up"),
    (client(extra=1), "the first one too"),
    (client(last=False), "belongs to whoever asked"),
    (client(early=False), "raise at once"),
    (client(catches=Exception), "as poisonous the second time"),
    (client(wait=lambda after: after), "Let chance spread them"),
]


def test_the_client_who_waits_and_then_gives_up():
    assert check.turned_away(solution) and check.turned_away(client())


@pytest.mark.parametrize(("wrong", "hint"), WRONG_CLIENTS, ids=[hint for _, hint in WRONG_CLIENTS])
def test_each_wrong_client_gets_a_hint(wrong, hint):
    verdict = check.turned_away(wrong)
    assert not verdict and hint in verdict.hint, verdict


@pytest.mark.parametrize("options", [{"max_batch_size": 52, "timeout": 0.024},
                                     {"max_batch_size": 50, "timeout": 0.025}])
def test_a_wait_and_a_ride_that_fit_beat_the_promise(options):
    assert check.beats_the_promise(options)


@pytest.mark.parametrize(("options", "hint"), [
    ({"slo": 0.06}, "what the promise makes"),
    ({"max_queue": 40}, "by counting who waits"),
    ({"max_queue": math.inf}, "for the wait"),
    ({"timeout": 0.06}, "a batch of 64 takes 42 ms"),
    ({"timeout": 0.01}, "Some give up"),
    ({"timeout": 0.018}, "how many come while one waits"),
    ({"max_batch_size": 20, "timeout": 0.040}, "how many come while one waits"),
    (0.024, "A dict"),
])
def test_each_setting_that_does_not_beat_it_gets_a_hint(options, hint):
    verdict = check.beats_the_promise(options)
    assert not verdict and hint in verdict.hint, verdict


def test_a_setting_that_is_none_is_an_error_in_words():
    verdict = check.beats_the_promise({"patience": 3})
    assert verdict.kind == "error" and "patience" in verdict.saw


async def untouched(kes, item, attempts):
    ...


@pytest.mark.parametrize("one", [check.best_queue, check.turned_away, check.beats_the_promise])
def test_a_stub_fails_kindly(one):
    for stub in (..., None, untouched):
        assert one(stub).kind == "todo"


def test_the_verdict_is_the_same_each_time():
    assert len({repr(check.beats_the_promise({"timeout": 0.018})) for _ in range(2)}) == 1
    assert len({repr(check.turned_away(solution)) for _ in range(3)}) == 1
