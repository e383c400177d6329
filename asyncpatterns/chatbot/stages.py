"""The stages of a conversation's pipeline, and which of them a conversation needs just now.

    [vip] → normalise → [split] → tokenise → understand → fill → track → [need …] → answer → formal | casual

What a stage knows of its user is in the conversation, what it knows of the sentence is in the turn. The part after
`track` depends on what was just said: `track` has the conversation assemble its pipeline anew, and the turn goes on in
the new one.
"""

import asyncio
import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final

from asyncpatterns import ActorStopped, BatcherClosed, BatchFailed, Channel, Overloaded, WouldBlock
from asyncpatterns import pipeline as through

from .humans import Case
from .meaning import Meaning, ModelCrash
from .network import find_station
from .pipeline import Stage
from .tokenizer import default_tokenizer
from .topics import FOR_HUMANS, TASKS, UNSURE
from .wording import CASUAL, FORMAL, words_for

if TYPE_CHECKING:
    from .conversation import Conversation

LONGEST: Final = 500
"""Characters of a message that are read."""
AT_ONCE: Final = 4
"""Sentences of one message that are in the model at once."""
TRIES: Final = 4
"""How often a turn asks the model when that is not there or has no room; between two tries it waits a little."""
PAUSE: Final = 0.05
_COMES_BACK: Final = (Overloaded, ActorStopped, BatcherClosed, BatchFailed, ModelCrash)
"""Failures of the model's actor, not of the sentence: there is room, or another incarnation, in a moment."""

_SENTENCE = re.compile(r"[^.!?]*[.!?]+(?:\s+|$)|[^.!?]+$")
_CASUAL = re.compile(r"\b(?:hi|hiya|hey|u|ur|pls|plz|thx|ta|yeah|yep|nope|gonna|wanna|gotta|cheers|mate|ok|im)\b|!!")
_FORMAL = re.compile(r"\b(?:would|could|kindly|please|grateful|good (?:day|morning|evening)|dear|may|i wish)\b")
_TICKET = re.compile(r"\d+")


class Turn:
    """One message on its way through a pipeline."""

    __slots__ = ("acts", "answered", "casual", "facts", "meanings", "parts", "priority", "rows", "said", "words")

    def __init__(self, said: str) -> None:
        self.said = said
        self.priority = 0
        self.parts: list[str] = [said]              # its sentences
        self.rows: list[list[int]] = []             # and their tokens
        self.meanings: list[Meaning] = []
        self.acts: list[str] = []                   # what has been decided to do
        self.facts: dict[str, str] = {}
        self.words = ""
        self.answered = False                       # no stage is to decide any more

    def settle(self, *acts: str) -> None:
        """This is the answer, whatever other stages may think."""
        self.acts = list(acts)
        self.answered = True


# --- what was said ---


def vip(user: "Conversation", turn: Turn) -> None:
    turn.priority = 1


def normalise(user: "Conversation", turn: Turn) -> None:
    """One line of clean text of bounded length; and does it have several sentences?"""
    text = turn.said
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    text = " ".join(text[:LONGEST].split())
    if not text.isprintable():
        text = "".join(letter for letter in text if letter.isprintable())
    turn.said = text
    turn.parts = [text]
    user.hears(register_of(text, user.register), several=". " in text or "? " in text or "! " in text)


def split(user: "Conversation", turn: Turn) -> None:
    """A message of several sentences is a stream of them."""
    turn.parts = [part.strip() for part in _SENTENCE.findall(turn.said) if part.strip()] or turn.parts


def tokenise(user: "Conversation", turn: Turn) -> None:
    ids = default_tokenizer().ids
    turn.rows = [ids(part) for part in turn.parts]


async def understand(user: "Conversation", turn: Turn) -> None:
    """Ask the model that all conversations share: this is where a turn meets those of others in one batch."""
    try:
        if len(turn.rows) == 1:
            turn.meanings = [await _meaning(user, turn.rows[0], turn.priority)]
        else:
            turn.meanings = await _streamed(user, turn)
    except Exception as error:
        user.chat.failed(user.key, error)
        turn.settle("apology")


async def _meaning(user: "Conversation", row: list[int], priority: int) -> Meaning:
    if not row:
        return _NOTHING_SAID
    for attempt in range(TRIES):
        try:
            return await user.chat.model(row, priority=priority)
        except _COMES_BACK as error:
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(max(PAUSE * 2**attempt, getattr(error, "retry_after", 0.0)))
    raise AssertionError("unreachable")


async def _streamed(user: "Conversation", turn: Turn) -> list[Meaning]:
    """Sentences one after another through a channel, several at once in the model, answers in the order they were
    said."""
    source: Channel[list[int]] = Channel(len(turn.rows), name=f"sentences of {user.key}")
    for row in turn.rows:
        source.send_nowait(row)
    source.close()

    async def asked(row: list[int]) -> Meaning:
        return await _meaning(user, row, turn.priority)

    answers: Channel[Meaning] = through(source, asked, workers=AT_ONCE)
    try:
        return [meaning async for meaning in answers]
    finally:
        answers.close()


_NOTHING_SAID: Final = Meaning("out_of_scope", 0.0)


# --- what it means in this conversation ---


def fill(user: "Conversation", turn: Turn) -> None:
    """Pieces of the text become facts that the conversation remembers."""
    for part, meaning in zip(turn.parts, turn.meanings, strict=False):
        for slot in meaning.slots(part) if meaning.labels else ():
            name, value = slot.name, slot.text
            if name == "ticket":
                value = "KR-" + "".join(_TICKET.findall(value))
            elif name in ("from", "to", "station"):
                value = find_station(value) or value
                if name == "station" and user.lacks("to"):
                    name = "to"
            user.remember(name, value)


def track(user: "Conversation", turn: Turn) -> None:
    """Which topic is it, and what is to be done; then the pipeline is assembled for that."""
    if not turn.answered:
        for meaning in turn.meanings:
            act = _act(user, meaning)
            if act is not None and act not in turn.acts:
                turn.acts.append(act)
    user.assemble()


def _act(user: "Conversation", meaning: Meaning) -> str | None:
    """What a sentence asks for; None where it is the business of the topic that is open."""
    intent = meaning.intent
    topic = user.topic
    if meaning.confidence < UNSURE:
        return "unsure"
    if intent in TASKS:
        user.open_topic(intent)
        return None
    if intent in FOR_HUMANS:
        user.want_human(intent)
        return None
    if intent == "inform" and topic:
        return None
    if intent in ("yes", "no") and topic and not user.missing():
        return user.decided(intent == "yes")
    if intent == "repeat":
        return "repeat"
    if intent == "start_over":
        user.forget()
    return intent


# --- stages switched in by what was said ---


def need(user: "Conversation", turn: Turn) -> None:
    """The open topic lacks something: ask for it, and say which topic that was if there was something in between."""
    _ask(turn, f"ask_{user.missing()}")


def confirm(user: "Conversation", turn: Turn) -> None:
    """The open topic has all it needs, but it wants a yes."""
    _ask(turn, f"confirm_{user.topic}")


def _ask(turn: Turn, question: str) -> None:
    if not turn.answered and not _NO_NAGGING.intersection(turn.acts):
        turn.acts += ["back_to", question] if turn.acts else [question]


_NO_NAGGING: Final = frozenset({"repeat", "goodbye"})


def do(user: "Conversation", turn: Turn) -> None:
    """The open topic has all it needs, and perhaps those below it, too."""
    while not turn.answered and user.todo() == "do":
        turn.acts.append(user.close_topic())
    user.assemble()


def hand_over(user: "Conversation", turn: Turn) -> None:
    """From now on a human answers."""
    if turn.answered:
        return
    try:
        user.chat.humans.send_nowait(Case(user.key, user.matter, turn.said, bool(turn.priority)))
    except WouldBlock:
        user.is_with_human(False)
        turn.settle("no_colleague")
    else:
        user.is_with_human(True)
        turn.acts.append("hand_over")


def relay(user: "Conversation", turn: Turn) -> None:
    """A human is in charge: pass on what was said."""
    try:
        user.chat.humans.send_nowait(Case(user.key, user.matter, turn.said, bool(turn.priority), is_new=False))
        turn.settle("passed_on")
    except WouldBlock:
        turn.settle("no_colleague")


# --- what to say ---


def answer(user: "Conversation", turn: Turn) -> None:
    """The facts that the words will need. Repeating is to do again what was done last."""
    if "repeat" in turn.acts or not turn.acts:
        turn.acts = list(user.last_acts()) or ["unsure"]
    turn.facts = user.facts()


def formal(user: "Conversation", turn: Turn) -> None:
    turn.words = words_for(turn.acts, turn.facts, FORMAL)


def casual(user: "Conversation", turn: Turn) -> None:
    turn.words = words_for(turn.acts, turn.facts, CASUAL)


def register_of(text: str, before: str) -> str:
    """How somebody talks who says this and has talked like `before`."""
    lower = text.lower()
    if _CASUAL.search(lower):
        return CASUAL
    return FORMAL if _FORMAL.search(lower) else before


# --- assembling ---

_STAGES: Final = {
    work.__name__: Stage(work.__name__.replace("_", " "), work)
    for work in (vip, normalise, split, tokenise, fill, track, confirm, do, answer, formal, casual)
} | {
    "understand": Stage("understand", understand, "batcher"),
    "understand_all": Stage("understand", understand, "channel"),
    "hand_over": Stage("hand over", hand_over, "channel"),
    "relay": Stage("relay", relay, "channel"),
}


@cache
def stages_for(register: str, is_vip: bool, streams: bool, todo: str) -> tuple[Stage, ...]:
    """The stages of a user who talks like this. `todo` is what the open topic waits for: nothing (""), "need SLOT",
    "confirm", "do", "hand_over", or "relay" while a human is in charge.

    Stages keep no state, so conversations of one shape share them: this remembers what it has made."""
    names = ["vip"] * is_vip + ["normalise"]
    if todo == "relay":
        names.append("relay")
    else:
        names += ["split"] * streams + ["tokenise", "understand_all" if streams else "understand", "fill", "track"]
        names += [todo] * bool(todo)
    return tuple(_stage(name) for name in [*names, "answer", register])


@cache
def _stage(name: str) -> Stage:
    return Stage(name, need) if name.startswith("need ") else _STAGES[name]


async def run(user: "Conversation", turn: Turn) -> None:
    """Take a turn through the conversation's pipeline, which may change meanwhile."""
    board = user.chat.board
    stages, place = user.pipeline.stages, 0
    while place < len(stages):
        stage = stages[place]
        if board is not None:
            board.at(user.key, stage.name)
        waiting = stage.work(user, turn)
        if waiting is not None:
            await waiting
        if user.pipeline.stages is not stages:      # assembled anew
            stages = user.pipeline.stages
            place = _same_place(stages, stage)
        place += 1


def _same_place(stages: tuple[Stage, ...], done: Stage) -> int:
    """Where the stage that is done stands in the new pipeline, or `track` if what it was there for is done, too."""
    works = [stage.work for stage in stages]
    return works.index(done.work if done.work in works else track)
