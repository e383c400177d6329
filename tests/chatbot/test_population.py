"""The population: its schedule, its checks, and what it must show, at a size for every day."""

import asyncio
import statistics
import subprocess
import sys
from itertools import islice, pairwise
from pathlib import Path
from random import Random

import pytest

from asyncpatterns.chatbot import Answer, HumanDesk, Library, PerfectModel, Population, Said
from asyncpatterns.chatbot.population import is_right
from asyncpatterns.chatbot.scripts import SCENES, script
from asyncpatterns.testing import run

from .talking import chatting

ROOT = Path(__file__).parents[2]


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


def test_a_desk_with_few_places_is_staffed_while_the_population_talks(model, library):
    async def main():
        async with chatting(Late(model), humans=HumanDesk(capacity=3)) as chat:
            report = await Population(500, library, duration=60).talk(chat)
            assert (report.wrong, report.apologies) == (0, 0), report.examples
            assert report.acts["hand_over"] > 20 and len(chat.humans) == 0

    run(main)


def test_a_driver_that_is_late_keeps_the_order_of_a_users_words(model, library):
    class Blocking(Late):
        async def __call__(self, rows):
            if len(self.batches) % 40 == 39:
                asyncio.get_running_loop()._now += 2.0      # as if somebody had blocked the loop: much is due at once
            return await super().__call__(rows)

    async def main():
        async with chatting(Blocking(model)) as chat:
            report = await Population(300, library, duration=60, burst=0.5).talk(chat)
            assert (report.wrong, report.apologies) == (0, 0), report.examples
            assert report.acts["passed_on"] > 5 and report.lag > 1

    run(main)


def test_a_talk_that_is_cancelled_leaves_nobody_at_the_desk(model, library):
    async def main():
        async with chatting(Late(model)) as chat:
            talking = asyncio.ensure_future(Population(50, library, duration=60).talk(chat))
            await asyncio.sleep(10.0)
            talking.cancel()
            await asyncio.sleep(1.0)
            assert not [task for task in asyncio.all_tasks() if "HumanDesk.work" in repr(task)]

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


@pytest.mark.parametrize("turns, counts", [(3, (2_000, 6_000, 10_000)), (22, (1_000, 2_000))])
def test_a_live_conversation_costs_at_most_4_kilobytes_beyond_what_was_said(turns, counts):
    """However many there are, and with a history that is full. Of the system's memory, in a process of its own; a
    hundred thousand are in `benchmarks/conversations.py`."""
    command = [sys.executable, "-m", "tests.chatbot.memory", *map(str, (turns, *counts))]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True).stdout
    *memory, said = [int(line) for line in output.split()]
    each = [(after - before) / (many - few) - said
            for (few, before), (many, after) in pairwise(zip((0, *counts), memory, strict=True))]
    assert all(0 < cost <= 4_096 for cost in each), each
    assert each[-1] < 1.25 * each[-2], each     # the next thousands cost no more than those before
