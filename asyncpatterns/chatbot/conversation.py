"""A conversation: one virtual actor for each user, with a pipeline that is assembled while it runs.

Invariants
    1. What is to survive is in `snapshot()`: how the user talks, facts, topics, history, and whether a human is in
       charge. It is stored after every turn, before the turn is answered: a conversation that crashes, is passivated
       or is killed with its process goes on with the last turn that was answered.
    2. The pipeline follows from that state alone (`assemble`), so a restored conversation has the one it had.
    3. An idle conversation owns no task: of the loop it holds one timer.
"""

import enum
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from asyncpatterns import Actor

from . import stages
from .pipeline import Pipeline
from .topics import TASKS
from .wording import FORMAL, words_for

if TYPE_CHECKING:
    from .chat import Chat

REMEMBERED: Final = 20
"""Turns of its history that a conversation keeps."""
STILL_THERE, CLOSING = 30.0, 300.0
"""Seconds after the user's last word: when the bot asks whether they are still there, and when it says good-bye."""


class Answer(NamedTuple):
    """What a user gets: the words, and the acts that they stand for."""

    text: str
    acts: tuple[str, ...]
    user: Any = None


class Order(enum.Enum):
    """Messages to a conversation that are no user's words."""

    SHOW = "show"
    """Answers an ask with a `View`."""
    STILL_THERE = "still there?"
    CLOSING = "closing"


class FromHuman(NamedTuple):
    """A colleague's words for the user; with `done` the bot takes over again."""

    text: str
    done: bool = False


class View(NamedTuple):
    """A conversation as somebody may look at it from outside."""

    pipeline: Pipeline
    register: str
    facts: Mapping[str, str]
    topics: tuple[str, ...]
    history: tuple[tuple[str, tuple[str, ...]], ...]
    with_human: bool


class Conversation(Actor):
    """Tell or ask it a `str`: what its user says. An ask is answered with an `Answer`. See `Order` for the rest.

    `chat` is what all conversations share; `Chat` makes a subclass that has it. A stage that raises fails this
    conversation alone, which restarts with the state it had after its last turn.
    """

    __slots__ = ("_acts", "_facts", "_matter", "_said", "_streams", "_topics", "_with_human", "key", "pipeline",
                 "register")
    chat: ClassVar["Chat"]

    def __init__(self, key: Any) -> None:
        self.key = key
        self.register = FORMAL
        self._streams = False
        self._facts: dict[str, str] = {}
        self._topics: tuple[str, ...] = ()                          # open ones, the last is the one spoken about
        self._said: tuple[str, ...] = ()                            # its history: what was said,
        self._acts: tuple[tuple[str, ...], ...] = ()                # and what was done about it
        self._matter = ""                                           # what a human is wanted for
        self._with_human = False
        self.assemble()

    # --- messages ---

    def receive(self, message: Any) -> Awaitable[Any] | Any:
        if isinstance(message, str):
            return self._turn(message)
        if message is Order.SHOW:
            return self._view()
        if message is Order.STILL_THERE:
            self._say_unasked("still_there")
            self.timers.once("quiet", CLOSING - STILL_THERE, Order.CLOSING)
        elif message is Order.CLOSING:
            self._say_unasked("closing")
            self.stop()
        elif isinstance(message, FromHuman):
            self._from_human(message)
        else:
            raise TypeError(f"a conversation takes a str, an Order or a FromHuman, not {message!r}")
        return None

    async def _turn(self, said: str) -> Answer:
        chat, key = self.chat, self.key
        board = chat.board
        if board is not None:
            board.began(key)
        turn = stages.Turn(said)
        await stages.run(self, turn)
        acts = tuple(turn.acts)
        self._keep(turn.said, acts)
        self.timers.once("quiet", STILL_THERE, Order.STILL_THERE)
        if board is not None:
            board.ended(key, acts)
        return Answer(turn.words, acts, key)

    def _from_human(self, message: FromHuman) -> None:
        self.is_with_human(not message.done)
        self._keep("", ("human",))
        self.chat.unasked(Answer(message.text, ("human",), self.key))

    def _keep(self, said: str, acts: tuple[str, ...]) -> None:
        self._said = (*self._said[1 - REMEMBERED:], said)
        self._acts = (*self._acts[1 - REMEMBERED:], _shared(acts))
        self.assemble()
        self.chat.store[self.key] = self.snapshot()

    def _say_unasked(self, act: str) -> None:
        self.chat.unasked(Answer(words_for([act], {}, self.register), (act,), self.key))

    def _view(self) -> View:
        history = tuple(zip(self._said, self._acts, strict=True))
        return View(self.pipeline, self.register, dict(self._facts), self._topics, history, self._with_human)

    # --- state ---

    def snapshot(self) -> Any:
        """All that is to survive, as tuples and strings alone, so that any store can hold it."""
        return (self.register, tuple(self._facts.items()), self._topics, self._said, self._acts, self._matter,
                self._with_human)

    def restore(self, state: Any) -> None:
        """Go on where `snapshot` left off. Lists in the place of tuples are welcome: JSON has no others."""
        self.register, facts, topics, said, acts, self._matter, self._with_human = state
        self._facts = dict(facts)
        self._topics = tuple(topics)
        self._said, self._acts = tuple(said), tuple(_shared(tuple(each)) for each in acts)
        self.assemble()

    # --- what stages may ask of it and do to it ---

    def assemble(self) -> None:
        """Make the pipeline what the state wants it to be."""
        chosen = stages.stages_for(self.register, self.chat.is_vip(self.key), self._streams, self.todo())
        pipeline = getattr(self, "pipeline", None)
        if pipeline is None or pipeline.stages is not chosen:
            self.pipeline = Pipeline(str(self.key), chosen)

    def todo(self) -> str:
        """What the conversation waits for; see `stages_for`."""
        if self._with_human:
            return "relay"
        if self._matter:
            return "hand_over"
        if not self._topics:
            return ""
        missing = self.missing()
        if missing:
            return f"need {missing}"
        return "confirm" if TASKS[self._topics[-1]].confirm else "do"

    def hears(self, register: str, *, several: bool) -> None:
        """How the user talks just now, and whether in several sentences at once."""
        if register != self.register or several != self._streams:
            self.register, self._streams = register, several
            self.assemble()

    @property
    def topic(self) -> str | None:
        return self._topics[-1] if self._topics else None

    @property
    def matter(self) -> str:
        """What a human was wanted for, or is in charge of."""
        return self._matter

    def lacks(self, name: str) -> bool:
        return name not in self._facts

    def missing(self) -> str | None:
        """The first fact that the open topic lacks."""
        if not self._topics:
            return None
        return next((name for name in TASKS[self._topics[-1]].needs if name not in self._facts), None)

    def remember(self, name: str, value: str) -> None:
        self._facts[name] = value

    def open_topic(self, topic: str) -> None:
        """Speak about this one now; the others wait below."""
        self._topics = (*(other for other in self._topics if other != topic), topic)

    def close_topic(self) -> str:
        """The open topic is done: the act that says so."""
        *rest, topic = self._topics
        self._topics = tuple(rest)
        return topic

    def decided(self, yes: bool) -> str:
        """The user has answered whether the open topic shall be done."""
        topic = self.close_topic()
        return topic if yes else "dropped"

    def want_human(self, matter: str) -> None:
        self._matter = matter

    def is_with_human(self, with_human: bool) -> None:
        self._with_human = with_human
        if not with_human:
            self._matter = ""

    def forget(self) -> None:
        """Start over: no facts, no topics. What was said stays."""
        self._facts = {}
        self._topics = ()

    def facts(self) -> dict[str, str]:
        topic = self.topic
        return {**self._facts, "topic": topic.replace("_", " ")} if topic else self._facts

    def last_acts(self) -> tuple[str, ...]:
        return self._acts[-1] if self._acts else ()


@lru_cache(maxsize=4_096)
def _shared(acts: tuple[str, ...]) -> tuple[str, ...]:
    """The same acts, as the one tuple that all conversations share: a history of twenty would cost 1.3 KB more."""
    return acts
