"""The checks of chapter 14: the solutions pass, and each way to get them wrong has a hint of its own."""

import itertools
import random
from bisect import bisect

import pytest

from asyncpatterns.lessons.check import chapter14 as check
from asyncpatterns.serving.ring import HashRing, place_of


def solution(place, places):
    return places[bisect(places, (place,)) % len(places)][1]


OWNERS = {
    "That is the place before the key": lambda place, places: places[bisect(places, (place,)) - 1][1],
    "behind the last place comes the first": lambda place, places: places[bisect(places, (place,))][1],
    "the host is its second half": lambda place, places: places[bisect(places, (place,)) % len(places)],
    "Every key went to the first place": lambda place, places: places[0][1],
    "compare a pair with them": lambda place, places: places[bisect(places, place) % len(places)][1],
    "where the key would be sorted in": lambda place, places: places[place % len(places)][1],
}


def test_the_ring_of_the_solution_passes():
    verdict = check.owner(solution)
    assert verdict and "just these moved" in verdict.saw


@pytest.mark.parametrize("hint", OWNERS)
def test_a_wrong_ring_gets_a_hint_of_its_own(hint):
    verdict = check.owner(OWNERS[hint])
    assert not verdict and hint.lower() in verdict.hint.lower(), verdict


def test_a_choice_by_number_that_looks_right_on_a_small_ring_does_not_pass():
    def by_number(place, places):
        return solution(place, places) if len(places) == 4 else places[place % len(places)][1]
    verdict = check.owner(by_number)
    assert not verdict and "Only the keys of the host that left may move" in verdict.hint


class Store:
    """The exercise, and ways to get it wrong."""

    def __init__(self):
        self.states, self.owners, self.tokens = {}, {}, itertools.count(1)

    def claim(self, key):
        self.owners[key] = token = next(self.tokens)
        return token

    def save(self, key, token, state):
        if self.owners.get(key) != token:
            return False
        self.states[key] = state
        return True


class Stub(Store):
    def claim(self, key):
        ...  # your code here

    def save(self, key, token, state):
        ...  # your code here


class Trusting(Store):
    def save(self, key, token, state):
        self.states[key] = state
        return True


class HalfHearted(Store):
    def save(self, key, token, state):
        self.states[key] = state
        return self.owners.get(key) == token


class Silent(Store):
    def save(self, key, token, state):
        return super().save(key, token, state) or None


class SameToken(Store):
    def claim(self, key):
        self.owners[key] = key
        return key


class OneForAll(Store):
    def claim(self, key):
        self.newest = next(self.tokens)
        return self.newest

    def save(self, key, token, state):
        if token != self.newest:
            return False
        self.states[key] = state
        return True


class Never(Store):
    def save(self, key, token, state):
        return False


STORES = {Trusting: "Compare the token with the newest", HalfHearted: "compare first, then store",
          Silent: "return False", SameToken: "next(self.tokens)", OneForAll: "remember it by key",
          Never: "may save: put the state"}


def test_the_store_of_the_solution_passes():
    assert check.fence(Store)


def test_an_untouched_stub_is_met_with_kindness():
    for verdict in (check.fence(Stub), check.owner(...), check.assignment(...)):
        assert verdict.kind == "todo"


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.__name__)
def test_a_wrong_store_gets_a_hint_of_its_own(store):
    verdict = check.fence(store)
    assert verdict.kind == "wrong" and STORES[store] in verdict.hint, verdict


def highest_bid(key, hosts):
    return max(hosts, key=lambda host: place_of((host, str(key))))


def on_a_ring(points):
    rings = {len(hosts): HashRing(hosts, points=points) for hosts in (check.HOSTS, check.HOSTS[:-1])}
    return lambda key, hosts: rings[len(hosts)].owner(str(key))


def test_the_highest_bid_beats_the_ring_and_so_do_many_points():
    assert check.assignment(highest_bid)
    assert check.assignment(on_a_ring(512))


WRONG = {
    "Even, but not steady": lambda key, hosts: hosts[place_of(str(key)) % len(hosts)],
    "The number to beat is 1.12": on_a_ring(128),
    "salts `hash(str)` anew": lambda key, hosts: hosts[hash(key) % len(hosts)],
    "`random` is as forgetful": lambda key, hosts: random.choice(hosts),
    "Return one of `hosts`": lambda key, hosts: hosts.index(hosts[0]),
}


@pytest.mark.parametrize("hint", WRONG)
def test_a_worse_assignment_gets_a_hint_of_its_own(hint):
    verdict = check.assignment(WRONG[hint])
    assert verdict.kind == "wrong" and hint in verdict.hint, verdict


def test_the_checks_say_the_same_each_time():
    assert repr(check.assignment(highest_bid)) == repr(check.assignment(highest_bid))
