"""One user's conversation: its pipeline, its state, its timers."""

import asyncio
import json

import pytest

from asyncpatterns.chatbot import Chat, HumanDesk, Order
from asyncpatterns.chatbot.stages import LONGEST, Turn, normalise, register_of, stages_for
from asyncpatterns.chatbot.wording import sayings, words_for
from asyncpatterns.testing import run

from .talking import Slow, acts, chatting, knows_a_few

HEAD = ("normalise", "tokenise", "understand", "fill", "track")


# --- what was just said switches stages in and out ---


def test_a_refund_needs_a_ticket_number_until_it_has_one():
    async def main():
        async with chatting() as chat:
            assert (await chat.look("al")).pipeline.names == (*HEAD, "answer", "formal")
            assert await acts(chat, "al", "I would like my money back") == ("ask_ticket",)
            assert (await chat.look("al")).pipeline.names == (*HEAD, "need ticket", "answer", "formal")
            assert await acts(chat, "al", "is there wifi") == ("wifi", "back_to", "ask_ticket")
            answer = await chat.say("al", "it is KR-482913")
            assert answer.acts == ("refund",) and "KR-482913" in answer.text
            assert (await chat.look("al")).pipeline.names == (*HEAD, "answer", "formal")

    run(main)


def test_a_number_that_is_known_already_is_not_asked_for():
    async def main():
        async with chatting() as chat:
            assert await acts(chat, "al", "refund KR-111111") == ("refund",)
            assert await acts(chat, "bo", "it is KR-482913", "I would like my money back") == ("refund",)

    run(main)


def test_topics_are_a_stack_and_the_one_below_comes_back():
    async def main():
        async with chatting() as chat:
            assert await acts(chat, "al", "I would like my money back", "I want to go to Rosk") == ("ask_date",)
            assert (await chat.look("al")).topics == ("refund", "book")
            assert await acts(chat, "al", "tomorrow") == ("confirm_book",)
            assert "confirm" in (await chat.look("al")).pipeline
            assert await acts(chat, "al", "yes") == ("book", "back_to", "ask_ticket")
            assert await acts(chat, "al", "it is KR-482913") == ("refund",)

    run(main)


def test_a_no_drops_the_topic_and_starting_over_drops_everything():
    async def main():
        async with chatting() as chat:
            assert await acts(chat, "al", "I want to go to Rosk", "tomorrow", "no") == ("dropped",)
            assert await acts(chat, "al", "I would like my money back", "start over") == ("start_over",)
            view = await chat.look("al")
            assert view.topics == () and view.facts == {} and len(view.history) == 5

    run(main)


def test_a_bare_station_is_where_to_go_if_that_is_what_is_missing():
    async def main():
        async with chatting() as chat:
            assert await acts(chat, "al", "when is the next train") == ("ask_to",)
            answer = await chat.say("al", "from rosk")
            assert answer.acts == ("timetable",) and "Rosk" in answer.text

    run(main)


def test_repeating_does_again_what_was_done_last():
    async def main():
        async with chatting() as chat:
            assert await acts(chat, "al", "say it again") == ("unsure",)
            first = await chat.say("al", "I would like my money back")
            assert await chat.say("al", "say it again") == first

    run(main)


def test_users_differ_in_register_and_the_bot_talks_as_they_do():
    async def main():
        async with chatting() as chat:
            formal = await chat.say("al", "I would like my money back")
            casual = await chat.say("bo", "gimme my money back mate")
            assert formal.acts == casual.acts and formal.text != casual.text
            assert "casual" in (await chat.look("bo")).pipeline
            await chat.say("bo", "is there wifi")
            assert (await chat.look("bo")).register == "casual"         # until they talk otherwise
            await chat.say("bo", "I would like my money back")
            assert (await chat.look("bo")).register == "formal"

    run(main)


def test_several_sentences_stream_through_a_channel_and_share_a_batch():
    async def main():
        model = Slow()
        async with chatting(model) as chat:
            answer = await chat.say("al", "can i take my dog? is there wifi? I would like my money back.")
            assert answer.acts == ("pets", "wifi", "back_to", "ask_ticket")
            assert [len(batch) for batch in model.batches] == [3]
            pipeline = (await chat.look("al")).pipeline
            assert pipeline.names[:4] == ("normalise", "split", "tokenise", "understand")
            assert "══▶ understand" in str(pipeline)
            await chat.say("al", "bye")
            assert "split" not in (await chat.look("al")).pipeline

    run(main)


# --- humans and VIPs ---


def test_lost_property_is_for_a_human_until_the_human_gives_it_back():
    async def main():
        async with chatting() as chat:
            line = chat.connect("al")
            assert await acts(chat, "al", "I lost my umbrella") == ("hand_over",)
            assert (await chat.look("al")).pipeline.names == ("normalise", "relay", "answer", "formal")
            assert await acts(chat, "al", "is there wifi") == ("passed_on",)
            first, second = await chat.humans.receive(), await chat.humans.receive()
            assert (first.topic, first.is_new) == ("lost_property", True)
            assert (second.said, second.is_new) == ("is there wifi", False)
            chat.answer_as_human("al", "Which colour?")
            assert (await line.receive()).text == "Which colour?"
            assert await acts(chat, "al", "is there wifi") == ("passed_on",)
            chat.answer_as_human("al", "We have it.", done=True)
            assert (await line.receive()).acts == ("human",)
            assert await acts(chat, "al", "is there wifi") == ("wifi",)

    run(main)


def test_a_full_desk_is_said_so_and_the_bot_stays_in_charge():
    async def main():
        async with chatting(humans=HumanDesk(capacity=1)) as chat:
            await chat.say("al", "I lost my umbrella")
            assert await acts(chat, "bo", "I lost my umbrella") == ("no_colleague",)
            assert await acts(chat, "bo", "is there wifi") == ("wifi",)
            assert await acts(chat, "al", "is there wifi") == ("no_colleague",)

    run(main)


def test_a_vip_skips_the_line_before_the_model_and_before_the_humans():
    async def main():
        model = Slow()
        async with chatting(model, max_batch_size=1) as chat:
            said = [("user-1", "bye"), ("user-2", "bye"), ("user-3", "bye"), ("vip-1", "is there wifi")]
            turns = [asyncio.ensure_future(chat.say(key, text)) for key, text in said]
            await turns[3]
            assert [turn.done() for turn in turns] == [False, False, False, True]
            assert (await chat.look("vip-1")).pipeline.names[0] == "vip"
            await chat.say("user-1", "I lost my umbrella")
            await chat.say("vip-1", "I lost my umbrella")
            assert [(await chat.humans.receive()).user for _ in range(2)] == ["vip-1", "user-1"]
            await asyncio.gather(*turns)

    run(main)


# --- timers ---


def test_after_30_seconds_of_silence_it_asks_and_after_5_minutes_it_closes_and_goes_on_where_it_was():
    async def main():
        async with chatting() as chat:
            line, loop = chat.connect("al"), asyncio.get_running_loop()
            await chat.say("al", "I would like my money back")
            start = loop.time()
            assert (await line.receive()).acts == ("still_there",) and loop.time() - start == pytest.approx(30)
            assert (await line.receive()).acts == ("closing",) and loop.time() - start == pytest.approx(300)
            await asyncio.sleep(0.1)
            assert "al" not in chat.users
            assert await acts(chat, "al", "it is KR-482913") == ("refund",)

    run(main)


def test_every_word_puts_the_question_off():
    async def main():
        async with chatting() as chat:
            line = chat.connect("al")
            for _ in range(5):
                await chat.say("al", "is there wifi")
                await asyncio.sleep(29)
            assert len(line) == 0
            await asyncio.sleep(2)
            assert len(line) == 1

    run(main)


def test_a_line_nobody_reads_drops_what_comes_and_a_new_one_replaces_the_old():
    async def main():
        async with chatting() as chat:
            old = chat.connect("al")
            line = chat.connect("al")
            assert old.closed
            for number in range(30):
                chat.answer_as_human("al", str(number))
            await chat.look("al")
            assert len(line) == 16
            chat.disconnect("al", old)
            assert "al" in chat.lines
            chat.disconnect("al")
            assert line.closed and not chat.lines

    run(main)


# --- state ---


def test_a_passivated_conversation_goes_on_as_if_nothing_had_happened():
    async def main():
        said = ["gimme my money back mate", "I want to go to Rosk", "is there wifi", "tomorrow", "yes",
                "it is KR-482913", "say it again", "I lost my umbrella", "bye"]
        answers = []
        for limit in (1, 1_000):
            async with chatting(limit=limit) as chat:
                heard = []
                for text in said:
                    heard.append(await chat.say("al", text))
                    await chat.say("bo", "bye")
                    assert ("al" in chat.users) == (limit > 1)
                answers.append((heard, await chat.look("al")))
        (away, view), (present, other) = answers
        assert away == present
        assert view._replace(pipeline=None) == other._replace(pipeline=None)
        assert view.pipeline.stages == other.pipeline.stages

    run(main)


def test_a_state_survives_json():
    class Json(dict):
        def __setitem__(self, key, value):
            super().__setitem__(key, json.dumps(value))

        def __getitem__(self, key):
            return json.loads(super().__getitem__(key))

    async def main():
        async with chatting(store=Json(), limit=1) as chat:
            await acts(chat, "al", "I would like my money back")
            await chat.say("bo", "bye")
            assert await acts(chat, "al", "it is KR-482913") == ("refund",)

    run(main)


def test_history_is_bounded():
    async def main():
        async with chatting() as chat:
            await acts(chat, "al", *["is there wifi"] * 50)
            assert len((await chat.look("al")).history) == 20

    run(main)


def test_a_conversation_is_told_apart_from_what_it_shares():
    async def main():
        async with chatting() as one, Chat(knows_a_few) as other:
            await one.say("al", "I would like my money back")
            assert (await other.look("al")).topics == () and one.users["al"] != other.users["al"]
            assert await one.users["al"].ask(Order.SHOW) == await one.look("al")

    run(main)


# --- small parts ---


@pytest.mark.parametrize("said, clean", [
    ("  a \n b\t c ", "a b c"), ("\x00hi\x07", "hi"), ("\ud800hi", "?hi"), ("cafe\u0301", "café"), ("", ""),
    ("x" * 10_000, "x" * LONGEST),
])  # fmt: skip
def test_normalising_leaves_one_clean_line(said, clean):
    class User:
        register = "formal"

        def hears(self, register, several):
            pass

    turn = Turn(said)
    normalise(User(), turn)
    assert turn.said == clean and turn.parts == [clean]


@pytest.mark.parametrize("text, register", [
    ("hiya u ok", "casual"), ("I would be grateful", "formal"), ("train to rosk", "before"), ("now!!", "casual"),
])  # fmt: skip
def test_how_somebody_talks(text, register):
    assert register_of(text, "before") == register


def test_every_act_has_words_of_both_kinds_and_a_missing_fact_is_a_dash():
    assert all(formal and casual for formal, casual in sayings().values())
    assert words_for(["refund"], {}) == "The fare of ticket – will be in your account within five days."
    with pytest.raises(KeyError):
        words_for(["nonsense"], {})


def test_pipelines_of_one_shape_share_their_stages():
    assert stages_for("formal", False, False, "") is stages_for("formal", False, False, "")
    assert stages_for("formal", True, False, "") != stages_for("formal", False, False, "")
