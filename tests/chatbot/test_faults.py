"""Broken models, poisoned messages, crashed conversations: nobody else notices, and every turn ends."""

import asyncio
import random

import pytest

from asyncpatterns.chatbot import Chat, Library, ModelCrash, PerfectModel, Population
from asyncpatterns.testing import run

from .talking import Slow, acts, chatting, knows_a_few


def test_a_conversation_that_crashes_restarts_alone_with_the_state_of_its_last_turn():
    async def main():
        async with chatting() as chat:
            await chat.say("al", "I would like my money back")
            await chat.say("bo", "I would like my money back")
            assert await acts(chat, "al", 5) == ("apology",)                # no str: the handler raises
            assert chat.apologies == {"TypeError": 1}
            assert await acts(chat, "al", "it is KR-482913") == ("refund",)
            assert await acts(chat, "bo", "it is KR-482913") == ("refund",)

    run(main)


def test_a_stage_that_raises_is_an_apology_and_what_the_turn_had_done_so_far_is_undone(monkeypatch):
    async def main():
        async with chatting() as chat:
            await chat.say("al", "I would like my money back")
            with monkeypatch.context() as patch:
                patch.setattr(chat.users._cls, "facts", lambda self: 1 / 0)
                assert await acts(chat, "al", "I want to go to Rosk") == ("apology",)
            view = await chat.look("al")
            assert view.topics == ("refund",) and view.facts == {} and len(view.history) == 1

    run(main)


def test_a_killed_conversation_comes_back_with_its_state():
    async def main():
        async with chatting(Slow()) as chat:
            await chat.say("al", "I would like my money back")
            turn = asyncio.ensure_future(chat.say("al", "is there wifi"))
            await asyncio.sleep(0.002)
            chat.kill_conversation("al")
            assert (await turn).acts == ("wifi", "back_to", "ask_ticket")       # made again by the next incarnation
            chat.kill_conversation("al")
            assert (await chat.look("al")).topics == ("refund",)
            for _ in range(20):
                chat.kill_conversation("al")
            assert await acts(chat, "al", "it is KR-482913") == ("refund",)

    run(main)


@pytest.mark.parametrize("crash", [lambda chat: chat.kill_model(), lambda chat: chat.model._went_fatal(ModelCrash())])
def test_a_model_that_dies_comes_back_and_nobody_notices_more_than_a_pause(crash):
    async def main():
        async with chatting(Slow()) as chat:
            await chat.say("al", "thank you")
            turns = [asyncio.ensure_future(chat.say(f"user-{n}", "is there wifi")) for n in range(20)]
            await asyncio.sleep(0.002)
            crash(chat)
            assert {answer.acts for answer in await asyncio.gather(*turns)} == {("wifi",)}

    run(main)


def test_a_poisoned_sentence_spoils_nobody_elses_batch():
    async def poisoned(rows):
        if any(len(row) == 1 for row in rows):
            raise ValueError("I hate single words")
        return await knows_a_few(rows)

    async def main():
        async with chatting(poisoned) as chat:
            said = [("al", "bye"), *((f"user-{n}", "is there wifi") for n in range(10))]
            answers = await asyncio.gather(*(chat.say(*one) for one in said))
            assert [answer.acts for answer in answers] == [("apology",)] + [("wifi",)] * 10
            assert await acts(chat, "al", "is there wifi") == ("wifi",)

    run(main)


def test_a_model_that_is_gone_for_good_is_an_apology_for_everybody():
    async def broken(rows):
        raise ModelCrash("no weights")

    async def main():
        async with chatting(broken) as chat:
            assert await acts(chat, "al", "is there wifi") == ("apology",)

    run(main)


def test_a_store_that_fails_is_an_apology():
    class Full(dict):
        def __setitem__(self, key, value):
            if len(value[3]) > 1:
                raise OSError("disk full")
            super().__setitem__(key, value)

    async def main():
        async with Chat(knows_a_few, store=Full()) as chat:
            await chat.say("al", "I would like my money back")
            assert await acts(chat, "al", "is there wifi") == ("apology",)
            assert len((await chat.look("al")).history) == 1

    run(main)


def test_a_chat_that_has_ended_apologises():
    async def main():
        async with chatting() as chat:
            line = chat.connect("al")
        assert line.closed and await acts(chat, "al", "hi") == ("apology",)

    run(main)


POISON = ["", "   ", "\ud800", "\x00" * 50, "x" * 100_000, "🚆" * 600, "?!?!", ". . .", "'" * 300, None, 7, b"hi"]


@pytest.mark.parametrize("seed", range(3))
def test_random_faults_and_poison_are_noticed_by_nobody_else(seed):
    """Half of the users are victims: their messages are poison, their conversations are killed. The model breaks for
    all, and is killed."""
    model = PerfectModel()

    class Broken(Slow):
        async def __call__(self, rows):
            await super().__call__(rows)
            return model(rows)

    async def main():
        rng = random.Random(seed)
        slow = Broken(crashes=0.01, seed=seed)
        population = Population(200, Library(model.alone), seed=seed, duration=60)
        async with Chat(slow, workers=2) as chat:
            talking = asyncio.ensure_future(population.talk(chat))
            ends = []
            while not talking.done():
                victim = f"victim-{rng.randrange(200)}"
                fault = rng.random()
                if fault < 0.5:
                    ends.append(asyncio.ensure_future(chat.say(victim, rng.choice(POISON))))
                elif fault < 0.9:
                    ends.append(asyncio.ensure_future(chat.say(victim, "is there wifi")))
                    await asyncio.sleep(rng.random() * 0.004)
                    chat.kill_conversation(victim)
                elif fault < 0.92:
                    chat.kill_model()
                await asyncio.sleep(rng.expovariate(20.0))
            report = await talking
            assert (report.wrong, report.apologies) == (0, 0), report.examples
            assert report.turns > 1_000 and chat.supervisor.children()["model"]._cell.extras.restarts > 10
            victims = await asyncio.gather(*ends)
            assert all(answer.text and answer.acts for answer in victims)
            assert {"apology", "unsure"} <= {act for answer in victims for act in answer.acts}
            assert len(asyncio.all_tasks()) <= 4

    run(main, seed)
