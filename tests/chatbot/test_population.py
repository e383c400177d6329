"""The population: its schedule, its checks, and what it must show, at a size for every day."""

import asyncio
import gc
import statistics
import tracemalloc
from itertools import islice, pairwise
from random import Random

import pytest

from asyncpatterns.chatbot import Answer, Library, PerfectModel, Population, Said
from asyncpatterns.chatbot.population import is_right
from asyncpatterns.chatbot.scripts import SCENES, script
from asyncpatterns.testing import run

from .talking import chatting


@pytest.fixture(scope="module")
def model():
    return PerfectModel()


@pytest.fixture(scope="module")
def library(model):
    return Library(model.alone)


class Late:
    """A perfect model that takes 5 ms a batch."""

    def __init__(self, model):
        self.model = model
        self.batches = []

    async def __call__(self, rows):
        await asyncio.sleep(0.005)
        self.batches.append(len(rows))
        return self.model(rows)


def test_the_same_seed_gives_the_same_schedule_and_another_one_another(library):
    one, same, other = (Population(20, library, seed=seed, duration=60).moments for seed in (1, 1, 2))
    assert one == same != other
    assert one == sorted(one, key=lambda moment: moment.at) and one[0].at >= 0 and one[-1].at < 60


def test_people_think_talk_in_bursts_and_leave(library):
    moments = Population(400, library, duration=120, think=8.0, burst=0.2, leave=0.05).moments
    users: dict[str, list[float]] = {}
    for moment in moments:
        users.setdefault(moment.user, []).append(moment.at)
    pauses = [b - a for times in users.values() for a, b in pairwise(times)]
    assert 0.15 < sum(pause <= 0.8 for pause in pauses) / len(pauses) < 0.25
    assert 6.5 < statistics.median(pause for pause in pauses if pause > 0.8) < 9.5
    assert sum(times[-1] < 60 for times in users.values()) > 100        # gone for good
    assert 5 <= sum(name.startswith("vip") for name in users) <= 40


def test_every_scene_is_played_and_a_script_never_ends(library):
    assert all(list(scene(library, Random(seed))) for scene in SCENES for seed in range(50))
    said = list(islice(script(library, Random(3)), 200))
    assert len(said) == 200 and any(turn.by == "human" for turn in said)


def test_a_sentence_that_the_model_takes_for_another_is_never_said(model):
    def errs_about_dogs(texts):
        return [meaning._replace(intent="book") if "dog" in text else meaning
                for text, meaning in zip(texts, model.alone(texts), strict=True)]

    library = Library(errs_about_dogs)
    said = {turn.text for seed in range(300) for turn in islice(script(library, Random(seed)), 10)}
    assert len(said) > 500 and not any("dog" in text for text in said)
    with pytest.raises(LookupError, match="no sentence of 'wifi' with the slots"):
        library.pick(Random(0), "wifi", frozenset({"class", "ticket"}))


@pytest.mark.parametrize("answer, right", [
    (Answer("Booked: Rosk", ("book",)), True),
    (Answer("Booked: Orlen", ("book",)), False),        # the right thing about the wrong place
    (Answer("Booked: Rosk", ("dropped",)), False),
    (Answer("Booked: Rosk", ("apology",)), False),
])  # fmt: skip
def test_what_is_checked(answer, right):
    assert is_right(Said("yes", ("book",), ("Rosk",)), answer) is right


def test_everybody_is_answered_right_whoever_talks_at_the_same_time(model, library):
    async def main():
        late = Late(model)
        population = Population(1_000, library, duration=60)
        async with chatting(late, workers=2) as chat:
            report = await population.talk(chat)
            assert len(asyncio.all_tasks()) <= 4, asyncio.all_tasks()     # nobody who is idle owns one
        assert (report.wrong, report.apologies) == (0, 0), report.examples
        assert report.right == report.turns > 4_000
        assert report.latency(0.99) < 0.030
        assert max(late.batches) > 2 and "turns" in repr(report)

    run(main)


def test_a_model_that_mixes_up_its_answers_is_found_out(model, library):
    class Mixed(Late):
        async def __call__(self, rows):
            return (await super().__call__(rows))[::-1]

    async def main():
        async with chatting(Mixed(model)) as chat:
            report = await Population(200, library, duration=30, burst=0.5).talk(chat)
        assert report.wrong > 10 and len(report.examples) == 10

    run(main)


def test_far_more_are_known_than_are_live_and_everyone_goes_on_where_they_were(model, library):
    async def main():
        async with chatting(Late(model), limit=50) as chat:
            report = await Population(500, library, duration=120).talk(chat)
            assert (report.wrong, report.apologies) == (0, 0), report.examples
            assert len(chat.users) <= 60 and len(chat.store) == len(set(chat.store)) == 500

    run(main)


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_live_conversation_costs_at_most_4_kilobytes_beyond_what_was_said(count, model, library):
    async def instant(rows):
        return model(rows)

    async def main():
        async with chatting(instant, limit=count + 1, max_queue=count) as chat:
            await chat.say("warm", "hi")
            scripts = [[turn.text for turn in islice(script(library, Random(seed)), 3)] for seed in range(100)]
            gc.collect()
            tracemalloc.start()
            try:
                for start in range(0, count, 1_000):
                    for turn in range(3):
                        await asyncio.gather(*(chat.say(f"user-{number}", scripts[number % 100][turn])
                                               for number in range(start, start + 1_000)))
                gc.collect()
                each = tracemalloc.get_traced_memory()[0] / count
            finally:
                tracemalloc.stop()
            assert len(chat.users) == count + 1 and len(asyncio.all_tasks()) <= 2
            assert each <= 4_096, each

    asyncio.run(main())
