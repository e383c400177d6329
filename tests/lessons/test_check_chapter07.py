"""The checks of chapter 07: the solution passes, and each way to get it wrong has a hint of its own."""

import asyncio

import pytest

from asyncpatterns import Actor, ActorSystem, Child, Supervisor
from asyncpatterns.lessons.check import chapter07 as check
from asyncpatterns.testing import run

RIGHT = {"one_for_one": ["fares"], "one_for_all": ["timetable", "fares", "answers", "log"],
         "rest_for_one": ["fares", "answers", "log"]}


class Clerk(Actor):
    def __init__(self, lookup):
        self.lookup = lookup

    async def receive(self, question):
        async with asyncio.timeout(1):
            return await self.lookup(question)


class Patient(Clerk):
    async def receive(self, question):
        return await self.lookup(question)


class Swallows(Clerk):
    async def receive(self, question):
        try:
            async with asyncio.timeout(1):
                return await self.lookup(question)
        except TimeoutError:
            return "sorry"


class TooPatient(Clerk):
    async def receive(self, question):
        async with asyncio.timeout(10):
            return await self.lookup(question)


class SaysNothing(Clerk):
    async def receive(self, question):
        async with asyncio.timeout(1):
            await self.lookup(question)


class DoesNotAsk(Clerk):
    async def receive(self, question):
        return question.upper()


class Hasty(Clerk):
    async def receive(self, question):
        async with asyncio.timeout(0.1):
            return await self.lookup(question)


def nested(session, answers, maps):
    return Child("kes", Supervisor, [
        Child("talk", Supervisor, [session, answers], strategy="rest_for_one"),
        Child("extras", Supervisor, [maps], max_restarts=1_000),
    ])


def flat(strategy, **limits):
    return lambda *children: Child("kes", Supervisor, [*children], strategy=strategy, **limits)


def flat_in_order(session, answers, maps):
    """One supervisor does as well, if `maps` stands at the right end."""
    return flat("rest_for_one", max_restarts=1_000)(session, answers, maps)


def maps_first(session, answers, maps):
    return flat("rest_for_one", max_restarts=1_000)(maps, session, answers)


def nested_one_for_all(session, answers, maps):
    return Child("kes", Supervisor, [
        Child("talk", Supervisor, [session, answers], strategy="rest_for_one"),
        Child("extras", Supervisor, [maps], max_restarts=1_000),
    ], strategy="one_for_all", max_restarts=1_000)


def impatient_extras(session, answers, maps):
    """The supervisor of `maps` gives up again and again, and takes its neighbour along."""
    return Child("kes", Supervisor, [
        Child("talk", Supervisor, [session, answers], strategy="rest_for_one"),
        Child("extras", Supervisor, [maps]),
    ], strategy="one_for_all", max_restarts=1_000)


def temporary_maps(session, answers, maps):
    maps.restart = "temporary"
    return nested(session, answers, maps)


def forgets_maps(session, answers, maps):
    return Child("kes", Supervisor, [session, answers])


WRONG_TREES = [
    (flat("one_for_one"), "A supervisor puts up with 3 restarts"),
    (flat("one_for_one", max_restarts=1_000), "Whom does a new session have to take along"),
    (flat("one_for_all", max_restarts=1_000), "does not depend on `maps`"),
    (maps_first, "does not depend on `maps`"),
    (temporary_maps, "Who is restarted although"),
    (forgets_maps, "All three have to be in it"),
    (lambda session, answers, maps: [session, answers, maps], "Return a `Child("),
    (lambda session, answers, maps: session, "has to be a Supervisor"),
]


def test_the_solutions_pass():
    assert check.restarted(RIGHT)
    assert check.notices_a_stall(Clerk)
    for tree in (nested, flat_in_order, nested_one_for_all):
        assert check.survives(tree)


def test_what_the_first_check_calls_right_is_what_the_supervisor_does():
    class Member(Actor):
        def receive(self, message):
            raise ValueError(message)

    async def main():
        for strategy, right in check.RIGHT.items():
            async with ActorSystem("s") as system:
                team = system.spawn(Supervisor, [Child(name, Member) for name in check.TEAM], strategy=strategy)
                await asyncio.sleep(1)
                team.children()[check.FAILS].tell("now")
                await asyncio.sleep(1)
                restarted = [node.name for _, node in system.tree().walk() if node.restarts]
                assert tuple(restarted) == right

    run(main)


@pytest.mark.parametrize(("guess", "hint"), [
    ({}, "For each strategy a list"),
    ({**RIGHT, "one_for_one": ["timetable"]}, "All are permanent"),
    ({**RIGHT, "one_for_one": ["fares", "log"]}, "Each for itself"),
    ({**RIGHT, "one_for_all": ["fares", "log"]}, "All or none"),
    ({**RIGHT, "rest_for_one": ["timetable", "fares"]}, "cannot depend on it"),
    ({**RIGHT, "rest_for_one": ["fares"]}, "It, and those started after it"),
    ({**RIGHT, "rest_for_one": ["fares", "db"]}, "There is no 'db'"),
])
def test_each_wrong_guess_gets_a_hint_of_its_own(guess, hint):
    verdict = check.restarted(guess)
    assert verdict.kind == "wrong" and hint in verdict.hint, verdict


@pytest.mark.parametrize(("wrong", "hint"), [
    (Patient, "`async with asyncio.timeout(1):`"),
    (Swallows, "Do not catch the TimeoutError"),
    (TooPatient, "One second is the limit"),
    (SaysNothing, "Return what the lookup returns"),
    (DoesNotAsk, "`await self.lookup(question)`"),
    (Hasty, "Return what the lookup returns"),
])
def test_each_wrong_clerk_gets_a_hint_of_its_own(wrong, hint):
    verdict = check.notices_a_stall(wrong)
    assert verdict.kind == "wrong" and hint in verdict.hint, verdict


@pytest.mark.parametrize(("tree", "hint"), WRONG_TREES, ids=[hint[:30] for _, hint in WRONG_TREES])
def test_each_wrong_tree_gets_a_hint_of_its_own(tree, hint):
    verdict = check.survives(tree)
    assert verdict.kind == "wrong" and hint in verdict.hint, verdict


def test_stubs_fail_kindly():
    def tree(session, answers, maps): ...

    class Stub(Actor):
        def __init__(self, lookup):
            self.lookup = lookup

        async def receive(self, question): ...

    for verdict in (check.restarted(None), check.notices_a_stall(Stub), check.survives(tree)):
        assert verdict.kind == "todo"


def test_the_verdict_is_the_same_each_time():
    for tree in (nested, impatient_extras):
        assert len({repr(check.survives(tree)) for _ in range(3)}) == 1
