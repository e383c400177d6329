"""The checks of chapter 11: the stub is told kindly, solutions pass, each wrong one gets a hint of its own."""

import asyncio

import pytest

from asyncpatterns import Actor
from asyncpatterns.chatbot import Chat, Library, PerfectModel, Population
from asyncpatterns.lessons.check import chapter11 as check
from asyncpatterns.testing import run

from ..chatbot.talking import chatting


def test_the_right_stage_passes_and_it_is_what_the_conversation_does():
    async def main():
        async with chatting() as chat:
            await chat.say("al", "I want to go to Rosk")
            await chat.say("al", "tomorrow")
            return (await chat.look("al")).pipeline.names

    names = run(main)
    assert check.switched_in(names[names.index("track") + 1])


@pytest.mark.parametrize("stage, hint", [
    ("need date", "asks for what is missing"), ("do", "money would be spent"), ("hand over", "No human"),
    ("wifi", "It is one of"), (3, "in quotes"),
])  # fmt: skip
def test_each_wrong_stage_gets_a_hint_of_its_own(stage, hint):
    verdict = check.switched_in(stage)
    assert verdict.kind == "wrong" and hint in verdict.hint


def test_stubs_are_told_kindly():
    class Stub(Small):
        def snapshot(self): ...

        def restore(self, state): ...

    assert check.switched_in(None).kind == "todo"
    assert check.survives(Stub).kind == "todo"
    assert check.few_awake(None).kind == "todo"


class Small(Actor):
    def __init__(self, key):
        self.said, self.topic = [], None

    def receive(self, message):
        if message == "show":
            return list(self.said), self.topic
        self.said.append(message)
        if message == "refund":
            self.topic = message
        if message == "boom":
            raise ValueError("half done")
        return None


class Right(Small):
    def snapshot(self):
        return tuple(self.said), self.topic

    def restore(self, state):
        said, self.topic = state
        self.said = list(said)


class Copies(Small):
    def snapshot(self):
        return {"said": list(self.said), "topic": self.topic}

    async def restore(self, state):
        await asyncio.sleep(0.1)
        self.said, self.topic = list(state["said"]), state["topic"]


class Alias(Right):
    def snapshot(self):
        return self.said, self.topic

    def restore(self, state):
        self.said, self.topic = state


class Forgets(Right):
    def restore(self, state):
        self.memory = state


class NoTopic(Right):
    def restore(self, state):
        self.said = list(state[0])


class StoresNothing(Right):
    def snapshot(self):
        self.kept = self.said


class OnlyHalf(Small):
    def snapshot(self):
        return self.said


@pytest.mark.parametrize("cls", [Right, Copies])
def test_states_that_survive_pass(cls):
    assert check.survives(cls)


@pytest.mark.parametrize("cls, hint", [
    (Alias, "a copy"), (Forgets, "put into self"), (NoTopic, "Two things"), (StoresNothing, "Return what"),
    (OnlyHalf, "write both"),
])  # fmt: skip
def test_each_state_that_does_not_survive_gets_a_hint_of_its_own(cls, hint):
    verdict = check.survives(cls)
    assert verdict.kind == "wrong" and hint in verdict.hint, verdict


def test_the_number_to_beat_can_be_beaten_and_not_by_far():
    model = PerfectModel(sentences=2_000)
    crowd = Population(300, Library(model.alone, sentences=2_000), duration=60)

    class Counting(dict):
        woken = 0

        def __getitem__(self, key):
            self.woken += 1
            return super().__getitem__(key)

    async def instant(rows):
        return model(rows)

    def awake(limit):
        async def main():
            store = Counting()
            async with Chat(instant, store=store, limit=limit) as chat:
                report = await crowd.talk(chat)
            return limit, store.woken, report.turns

        return run(main)

    def verdict_of(limit):
        return check.few_awake(awake(limit))

    assert verdict_of(265)
    assert "too many are put to sleep" in verdict_of(200).hint
    assert "is possible" in verdict_of(300).hint
