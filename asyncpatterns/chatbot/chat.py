"""Everybody's conversations with one model: what they share, and the door to them.

    async with Chat(model) as chat:
        answer = await chat.say("alice", "i want my money back")

Underneath are two trees: the conversations, one virtual actor for each user who is talking, and a supervisor with the
model's batcher, which may crash or be killed and comes back.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, MutableMapping
from typing import Any, Final, Protocol

from asyncpatterns import (
    ActorStopped,
    ActorSystem,
    Batcher,
    Channel,
    Child,
    Mailbox,
    Supervisor,
    SupervisorRef,
    WouldBlock,
)

from .conversation import CLOSING, Answer, Conversation, FromHuman, Order, View
from .humans import HumanDesk
from .meaning import ModelCrash
from .wording import words_for

logger = logging.getLogger(__name__)
PATIENCE: Final = 10.0
"""Seconds that a turn may take before its user gets an apology."""
TRIES: Final = 4
"""How often a turn is made when its conversation is killed under it."""
LINE: Final = 16
"""Words said unasked that wait for a user who does not read them; what comes then is dropped."""


class Board(Protocol):
    """What a live view is told. See `asyncpatterns.live`."""

    def began(self, key: Any) -> None: ...
    def at(self, key: Any, stage: str) -> None: ...
    def ended(self, key: Any, acts: tuple[str, ...]) -> None: ...


class SharedModel(Batcher):
    """The batcher that all conversations call, as a supervised actor. A new incarnation takes the old one's place."""

    def __init__(self, chat: "Chat", function: Callable[[list[Any]], Any], options: dict[str, Any]) -> None:
        super().__init__(function, **options)
        chat.model = self


class Chat:
    """An asynchronous context manager; leaving it stores every conversation.

    `model` is a function of a batch, as `MeaningModel` is: rows of token ids in, `Meaning`s out. `store` is any
    `MutableMapping`, a `SqliteStore` to survive the process. `idle` and `limit` are those of virtual actors: how long
    a conversation stays in memory without a word, and how many may. `vip` says whether a user's key is one of a VIP.
    Other keyword arguments go to the `Batcher`.

    A conversation that was passivated says nothing unasked: what is out of memory has no timers.
    """

    def __init__(
        self,
        model: Callable[[list[Any]], Any],
        *,
        store: MutableMapping[Any, Any] | None = None,
        idle: float = CLOSING + 30.0,
        limit: int = 100_000,
        vip: Callable[[Any], bool] = lambda key: str(key).startswith("vip"),
        humans: HumanDesk | None = None,
        **batching: Any,
    ) -> None:
        batching = {"max_batch_size": 64, "max_queue": 4_096, "fatal": (ModelCrash,), "name": "model", **batching}
        self.model: Batcher
        self.store: MutableMapping[Any, Any] = {} if store is None else store
        self.humans = HumanDesk() if humans is None else humans
        self.is_vip = vip
        self.board: Board | None = None
        self.lines: dict[Any, Channel[Answer]] = {}
        self.apologies: Counter[str] = Counter()
        self.system = ActorSystem("chat")
        self._function, self._batching = model, batching
        self._virtual: dict[str, Any] = {"idle": idle, "limit": limit, "store": self.store, "mailbox": Mailbox(100)}

    def __repr__(self) -> str:
        users = f"{len(self.users)} conversations in memory" if hasattr(self, "users") else "not entered"
        return f"<Chat {users}, {len(self.store)} stored, {len(self.lines)} connected>"

    async def __aenter__(self) -> "Chat":
        self.system.bind()
        self.supervisor: SupervisorRef = self.system.spawn(  # type: ignore[assignment]
            Supervisor, [], max_restarts=100, within=5.0, name="models")
        await self.supervisor.start_child(Child("model", SharedModel, self, self._function, self._batching))
        self.users = self.system.virtual(conversation_class(self), **self._virtual)
        return self

    async def __aexit__(self, *exception: object) -> None:
        for line in list(self.lines.values()):
            line.close()
        await self.system.shutdown()

    # --- talking ---

    async def say(self, key: Any, text: str) -> Answer:
        """What a user says; the bot's answer, or an apology: it raises nothing but `CancelledError`.

        Turns of one user are answered in the order they were said. A turn that is cancelled is finished all the same.
        """
        try:
            return await self._ask(key, text)
        except Exception as error:
            self.failed(key, error)
            return Answer(words_for(["apology"], {}), ("apology",), key)

    def failed(self, key: Any, error: Exception) -> None:
        """Somebody was given an apology because of this error."""
        self.apologies[type(error).__name__] += 1
        logger.debug("an apology for %s", key, exc_info=error)

    async def look(self, key: Any) -> View:
        """A user's conversation as it is now, with its pipeline."""
        return await self._ask(key, Order.SHOW)

    async def _ask(self, key: Any, message: Any) -> Any:
        """Ask a conversation; if it is being killed, ask the one that comes after it. A turn that was cut short has
        stored nothing, so it is made again: at worst a human gets a case twice."""
        for attempt in range(TRIES):
            try:
                return await self.users[key].ask(message, timeout=PATIENCE)
            except ActorStopped:
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(0.01 * 2**attempt)
        return None

    # --- words unasked ---

    def connect(self, key: Any) -> Channel[Answer]:
        """A channel of what the bot or a human says to this user unasked, until `disconnect`, or until it is closed.

        A user has one line: connecting again closes the one before."""
        self.disconnect(key)
        line = self.lines[key] = Channel(LINE, name=f"line to {key}")
        return line

    def disconnect(self, key: Any, line: Channel[Answer] | None = None) -> None:
        """Close the user's line; if `line` is given, only if it is that one."""
        current = self.lines.get(key)
        if current is not None and line in (None, current):
            del self.lines[key]
            current.close()

    def unasked(self, answer: Answer) -> None:
        """Say something to a user who is connected; others do not hear it."""
        line = self.lines.get(answer.user)
        if line is not None and not line.closed:
            try:
                line.send_nowait(answer)
            except WouldBlock:
                logger.debug("%s does not read: dropped %r", answer.user, answer.text)

    def answer_as_human(self, key: Any, text: str, *, done: bool = False) -> None:
        """A colleague's words for a user; with `done` the bot is in charge again."""
        self.users[key].tell(FromHuman(text, done))

    # --- faults, for those who want to see them ---

    def kill_conversation(self, key: Any) -> None:
        """End a conversation's incarnation now. Its next message finds it as it was after its last turn."""
        self.users[key].kill()

    def kill_model(self) -> None:
        """End the model's actor now, with its queue; its supervisor starts another one."""
        children = self.supervisor.children()
        if "model" in children:
            children["model"].kill()


def conversation_class(chat: Chat) -> type[Conversation]:
    """`Conversation` with what its instances share."""
    return type("Conversation", (Conversation,), {"__slots__": (), "chat": chat, "__doc__": Conversation.__doc__})
