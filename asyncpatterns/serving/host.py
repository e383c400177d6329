"""One host's share of the virtual actors of a cluster: an `ActorSystem` whose actors save each turn before they answer.

Invariants
    1. An ask is answered only after the state that came of it is in the shared store. So a host that dies takes with
       it at most the turn of each key that it had not answered.
    2. Turns that come in one `post` enter their mailboxes in that order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from asyncpatterns import Actor, ActorStopped, ActorSystem, Ended, go
from asyncpatterns.actors.parts import waits

from .shared import MOVED, Outcome, Store, Turn

Opens = Callable[[], AbstractAsyncContextManager[type[Actor]]]


class Host:
    """Hosts the virtual actors of one class; what fronts send comes by `post`, what they get goes by `collect`.

    `actors` is a subclass of `Actor`, or a function that returns an asynchronous context manager whose value is one:
    it is entered when the host opens, to hold what all its actors share, a `Batcher` over a model for instance.
    `idle` and `limit` are those of `system.virtual`.
    """

    def __init__(self, actors: type[Actor] | Opens, store: Store, *, name: str = "host", idle: float = 300.0,
                 limit: int = 10_000) -> None:
        self.actors, self.store, self.name = actors, store, name
        self.idle, self.limit = idle, limit
        self._stack = AsyncExitStack()
        self._outboxes: dict[str, Outbox] = {}
        self._closing = False

    async def open(self) -> None:
        cls = self.actors if isinstance(self.actors, type) else await self._stack.enter_async_context(self.actors())
        self.system = await self._stack.enter_async_context(ActorSystem(self.name))
        self.users = self.system.virtual(durable(cls, self.store), idle=self.idle, limit=self.limit, store=_Elsewhere())

    async def close(self) -> None:
        """Lets every actor finish its mail and save its state; from now on every turn is refused as moved."""
        self._closing = True
        await self._stack.aclose()

    async def post(self, front: str, turns: Sequence[Turn]) -> None:
        """Takes turns in; their outcomes will be collected."""
        for turn in turns:
            go(self._handle(front, turn), name=f"turn {turn.id}")

    async def collect(self, front: str) -> list[tuple[str, Outcome]]:
        """Waits until a turn of this front is over, and returns the outcomes of all that are, by the turns' names."""
        return await self._outbox(front).take()

    async def ready(self) -> str:
        """Answers with the host's name when it can take turns."""
        return self.name

    async def live(self) -> int:
        """How many actors are in memory here."""
        return len(self.users)

    def forget(self, front: str) -> None:
        """The front has gone."""
        self._outboxes.pop(front, None)

    def _outbox(self, front: str) -> Outbox:
        if front not in self._outboxes:
            self._outboxes[front] = Outbox()
        return self._outboxes[front]

    async def _handle(self, front: str, turn: Turn) -> None:
        self._outbox(front).put(turn.id, await self._outcome(turn))

    async def _outcome(self, turn: Turn) -> Outcome:
        if self._closing:
            return MOVED
        try:
            answer = await self.users[turn.key].ask(turn, timeout=turn.limit)
        except ActorStopped as error:
            return MOVED if self._closing else Outcome("raised", error)
        except Exception as error:
            return Outcome("raised", error)
        return answer if isinstance(answer, Outcome) else Outcome("answer", answer)    # a promised reply comes bare


class Outbox:
    """What one front has not collected yet."""

    def __init__(self) -> None:
        self._over: list[tuple[str, Outcome]] = []
        self._taker: asyncio.Future[None] | None = None

    def put(self, turn: str, outcome: Outcome) -> None:
        self._over.append((turn, outcome))
        self._wake()

    async def take(self) -> list[tuple[str, Outcome]]:
        """All there is, once there is something. An earlier `take` that still waits gets nothing: its front has
        called again, because it was cut off.
        """
        self._wake()
        if not self._over:
            self._taker = asyncio.get_running_loop().create_future()
            await self._taker
        over, self._over = self._over, []
        return over

    def _wake(self) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)


def durable(cls: type[Actor], store: Store) -> type[Actor]:
    """A subclass of `cls` that keeps its state in the shared store, turn by turn.

    Where `cls` has no `snapshot` there is nothing to keep, and a turn that is tried again is handled again.
    """
    bases = (_Durable, cls) if getattr(cls, "snapshot", None) else (_Bare, cls)
    return type(cls.__name__, bases, {"_store": store, "__doc__": cls.__doc__})


class _Bare(Actor):
    """Takes the message out of its turn. What `cls` calls on itself, also `receive`, is what `cls` wrote."""

    _handling = False

    def receive(self, message: Any) -> Any:
        return super().receive(message) if self._handling else self._handle(message)

    async def _handle(self, message: Any) -> Any:
        if not isinstance(message, Turn):
            return await self._answer(message)
        return Outcome("answer", await self._answer(message.message))

    async def _answer(self, message: Any) -> Any:
        self._handling = True
        try:
            return await _settled(super().receive(message))
        finally:
            self._handling = False


class _Durable(_Bare):
    """Claims its key when it starts, and saves after every message; one that was superseded does nothing any more."""

    _store: Store
    _token = 0
    _superseded = False
    _open = False               # was the answer to this message put off, by reply_later() or stash()?
    snapshot: Any

    async def on_start(self) -> None:
        claim = await self._store.claim(self._key)
        self._token = claim.token
        restore = getattr(self, "restore", None)
        if claim.found and restore is not None:
            await _settled(restore(claim.state))
        await _settled(super().on_start())

    async def on_stop(self, reason: Any) -> None:
        """After an end that was no failure, what it knows besides the turns is stored, too."""
        await _settled(super().on_stop(reason))
        if reason in (Ended.PASSIVATED, Ended.STOPPED) and not self._superseded and await self._save(None, None):
            await self._store.release(self._key, self._token)

    async def _handle(self, message: Any) -> Any:
        if not isinstance(message, Turn):
            return await self._with_state_saved(message, None)
        if self._superseded:
            return MOVED
        if message.attempt and (earlier := await self._store.recall(message.id)):
            return earlier
        return await self._with_state_saved(message.message, message.id)

    async def _with_state_saved(self, message: Any, turn: str | None) -> Any:
        self._open = False
        answer = await self._answer(message)
        outcome = None if turn is None else Outcome("answer", answer)
        if not await self._save(None if self._open else turn, outcome):
            self._superseded = True
            self.ref.stop()             # make way: who holds the key now has newer state than this
            return MOVED
        return answer if outcome is None else outcome

    async def _save(self, turn: str | None, outcome: Outcome | None) -> bool:
        state = await _settled(self.snapshot())
        return await self._store.save(self._key, self._token, state, turn, outcome)

    @property
    def _key(self) -> Hashable:
        return self.ref.key             # type: ignore[attr-defined]

    def reply_later(self) -> Any:
        self._open = True
        return super().reply_later()

    def stash(self) -> None:
        self._open = True
        super().stash()


class _Elsewhere(MutableMapping[Any, Any]):
    """The store that the actors' own system sees: it holds nothing, for they speak to the shared one themselves."""

    def __getitem__(self, key: Any) -> Any:
        raise KeyError(key)

    def __setitem__(self, key: Any, state: Any) -> None: ...

    def __delitem__(self, key: Any) -> None: ...

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0


async def _settled(answer: Any) -> Any:
    return await answer if waits(answer) else answer
