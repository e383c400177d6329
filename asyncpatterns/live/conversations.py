"""Panels of a chat: all conversations on one screen with buttons to break them, and one to talk in."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import ipywidgets

from .board import Board
from .bridge import Bridge
from .panel import Panel, Work

LINES = 40
"""Lines of a conversation that a chat panel shows."""


def conversations_panel(chat: Any, names: Iterable[Any], *, work: Sequence[Work] = (), seconds: float | None = 30.0,
                        record: bool = False, name: str = "conversations", seed: int = 0) -> Panel:
    """The conversations `names` of a `Chat` as a grid, a cell each, with buttons for faults: kill a conversation (one
    of those that are in memory, at random), a hundred of them, the model.

    `work` runs as long as the panel does, as `lambda: population.talk(chat)`. The panel's `board` has the counts.
    """
    board = Board(chat, names)
    chat.board = board
    rng = random.Random(seed)

    def kill(count: int) -> None:
        live = [name for name in board.names if name in chat.users]
        for victim in rng.sample(live, min(count, len(live))):
            chat.kill_conversation(victim)
            board.killed(victim)

    buttons = {_button("Kill a conversation"): lambda: kill(1), _button("Kill 100"): lambda: kill(100),
               _button("Kill the model"): chat.kill_model}
    panel = Panel(board.state, name=name, work=[_forgiving(one) for one in work], seconds=seconds, record=record,
                  controls=[ipywidgets.HBox(list(buttons))])
    for button, press in buttons.items():
        panel.bridge.click(button, press)
    panel.board = board  # type: ignore[attr-defined]
    return panel


def _button(words: str) -> Any:
    return ipywidgets.Button(description=words, layout=ipywidgets.Layout(width="auto"))


def _forgiving(work: Work) -> Work:
    """The same work, whatever it returns."""
    async def run() -> None:
        await work()

    return run


class ChatPanel:
    """A conversation in the notebook: a line to type in, what was said, and the pipeline as it is now.

    What is typed goes to the same actor as that of any other door. `await panel.say(text)` types for you.
    """

    def __init__(self, chat: Any, user: Any) -> None:
        self.chat, self.user = chat, user
        self.bridge = Bridge()
        self._said: list[str] = []
        self._line = chat.connect(user)
        self._talk = ipywidgets.HTML(layout=ipywidgets.Layout(max_height="340px", overflow="auto"))
        self._pipeline = ipywidgets.HTML()
        self._text = ipywidgets.Text(placeholder="I want my money back", continuous_update=False,
                                     layout=ipywidgets.Layout(width="460px"))
        send = ipywidgets.Button(description="Say", tooltip="Say it")
        kill = ipywidgets.Button(description="Kill my conversation", layout=ipywidgets.Layout(width="auto"))
        self.widget = ipywidgets.VBox([self._pipeline, self._talk, ipywidgets.HBox([self._text, send, kill])])
        self.bridge.observe(self._text, self._typed)
        self.bridge.click(send, lambda: self._typed(self._text.value))
        self.bridge.click(kill, self._kill)
        self._task = asyncio.ensure_future(self._listen())

    def __repr__(self) -> str:
        return f"<ChatPanel of {self.user}, {len(self._said)} lines>"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)

    async def say(self, text: str) -> Any:
        """Say something, and return the `Answer`."""
        self._show(self.user, text, "#0072B2")
        answer = await self.chat.say(self.user, text)
        self._show("Kes", answer.text, "#1a1a1a")
        self._pipeline.value = (await self.chat.look(self.user)).pipeline._repr_svg_()
        return answer

    def close(self) -> None:
        """Hang up and take the widgets off the page."""
        self.bridge.close()
        self.chat.disconnect(self.user, self._line)
        self._task.cancel()
        self.widget.close()

    async def _typed(self, text: str) -> None:
        if text.strip():
            self._text.value = ""
            await self.say(text)

    def _kill(self) -> None:
        self.chat.kill_conversation(self.user)
        self._show("", "(killed: the next word finds it as it was)", "#D55E00")

    async def _listen(self) -> None:
        async for answer in self._line:
            self._show("Kes, unasked" if answer.acts != ("human",) else "A colleague", answer.text, "#8a5a00")

    def _show(self, who: Any, words: str, colour: str) -> None:
        line = f'<div style="color:{colour};line-height:1.5"><b>{escape(str(who))}</b> {escape(words)}</div>'
        self._said = [*self._said[1 - LINES:], line]
        self._talk.value = "".join(self._said)


def chat_panel(chat: Any, user: Any) -> ChatPanel:
    """A panel to talk in as `user`, on the conversation that every other door leads to."""
    return ChatPanel(chat, user)
