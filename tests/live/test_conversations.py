"""The panels of a chat: a board that follows every conversation, buttons that break them, a panel to talk in."""

import asyncio
import json

from asyncpatterns.chatbot import Meaning
from asyncpatterns.chatbot.chat import Chat
from asyncpatterns.live import chat_panel, conversations_panel, draw
from asyncpatterns.live.board import Board, kind_of
from asyncpatterns.testing import run


async def all_about_wifi(rows):
    await asyncio.sleep(0.010)
    return [Meaning("refund" if len(row) > 3 else "wifi", 0.9) for row in rows]


def test_a_board_shows_the_stage_at_work_and_then_the_answer_for_a_moment():
    async def main():
        async with Chat(all_about_wifi) as chat:
            board = chat.board = Board(chat, ["al", "bo"])
            turn = asyncio.ensure_future(chat.say("al", "wifi"))
            await asyncio.sleep(0.005)
            first, second = board.state()["few"]
            assert first["stages"][first["at"]] == "understand" and second["stages"] == ["passive"]
            await turn
            state = board.state()
            assert state["lit"] == {"answers": [0]} and state["live"] == [[0, 1]] and state["turns"] == 1
            assert state["p50"] == state["p99"] > 0.009 and state["in_memory"] == 1
            await asyncio.sleep(1.5)
            state = board.state()
            assert state["lit"] == {} and state["per_second"] == 0 and state["few"][0]["at"] is None

    run(main)


def test_a_crowd_is_drawn_in_runs_and_strangers_are_counted_only():
    async def main():
        async with Chat(all_about_wifi, max_batch_size=100) as chat:
            names = [f"user-{n}" for n in range(100)]
            board = chat.board = Board(chat, names)
            await asyncio.gather(*(chat.say(name, "wifi") for name in ["stranger", *names[:30], *names[50:]]))
            state = board.state()
            assert state["few"] is None and state["live"] == [[0, 30], [50, 50]] and state["turns"] == 81
            assert sorted(state["lit"]["answers"]) == [*range(30), *range(50, 100)]
            assert draw(json.loads(json.dumps(state, allow_nan=False)))

    run(main)


def test_the_buttons_kill_what_they_say_and_nobody_who_talks_notices():
    async def main():
        async with Chat(all_about_wifi) as chat:
            names = [f"user-{n}" for n in range(30)]
            heard = []

            async def talk():
                for _ in range(20):
                    heard.extend(await asyncio.gather(*(chat.say(name, "wifi") for name in names)))
                    await asyncio.sleep(0.1)

            panel = conversations_panel(chat, names, work=[talk], seconds=5).start()
            one, hundred, model = panel.widget.children[0].children
            await asyncio.sleep(0.505)
            one.click()
            await asyncio.sleep(0.001)
            assert len(panel.sample()["killed"]) == 1
            model.click()
            await asyncio.sleep(0.3)
            hundred.click()
            await panel.wait()
            assert {answer.acts for answer in heard} == {("wifi",)} and len(heard) == 600
            assert panel.board.turns == 600
            panel.close()

    run(main)


def test_a_chat_panel_talks_to_the_same_conversation_as_every_other_door():
    async def main():
        async with Chat(all_about_wifi) as chat:
            panel = chat_panel(chat, "al")
            panel._text.value = "give me my money back"
            await asyncio.sleep(0.1)
            assert "May I have the number" in panel._talk.value and panel._text.value == ""
            assert "need ticket" in panel._pipeline.value
            assert (await chat.look("al")).topics == ("refund",)
            panel._kill()
            assert (await panel.say("<b>wifi</b>")).acts == ("wifi", "back_to", "ask_ticket")
            assert "&lt;b&gt;wifi" in panel._talk.value and "killed" in panel._talk.value
            await asyncio.sleep(31)
            assert "Are you still there?" in panel._talk.value and "unasked" in panel._talk.value
            panel.close()
            assert not chat.lines
            await asyncio.sleep(0)
            assert panel._task.done()

    run(main)


def test_every_kind_of_turn_has_a_colour():
    acts = ["apology", "hand_over", "passed_on", "ask_ticket", "confirm_book", "unsure", "refund", "wifi", ""]
    kinds = ["sorry", "human", "human", "asks", "asks", "asks", "does", "answers", "answers"]
    assert [kind_of((act,)) for act in acts] == kinds and kind_of(()) == "answers"
