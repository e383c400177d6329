"""One state for each key, shared by all hosts, and one host at a time that may write it.

Invariants
    1. Whoever claimed a key last may save it, nobody else: a host that was cut off, and goes on as if nothing had
       happened, is refused when it saves. So two hosts may believe that they hold a key, and no turn gets lost by it.
    2. A turn's state and its answer are saved together. A turn that is tried again is not handled again.

Claiming hands out a fencing token (Burrows, The Chubby Lock Service, 2006), and comparing it makes saving a
compare-and-set, as Orleans does with the etags of its grain storage.
"""

from __future__ import annotations

import itertools
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, MutableMapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from asyncpatterns import Batcher

REMEMBERED = 10_000


class Turn(NamedTuple):
    """A message on its way: for which key, with a name of its own, tried how often before, and the seconds it has."""

    key: Hashable
    message: Any
    id: str
    attempt: int = 0
    limit: float | None = None


class Outcome(NamedTuple):
    """What became of a turn: an answer, or what the handler raised; or nothing, because the key is somebody else's, or
    because the host was lost.
    """

    kind: Literal["answer", "raised", "moved", "lost"]
    value: Any = None


class Claim(NamedTuple):
    """What a host gets that claims a key: its token, whether there is a state, and the state."""

    token: int
    found: bool
    state: Any


MOVED, LOST = Outcome("moved"), Outcome("lost")


class Store(Protocol):
    """How hosts speak to the shared store, wherever it is."""

    async def claim(self, key: Hashable) -> Claim: ...
    async def save(self, key: Hashable, token: int, state: Any, turn: str | None, outcome: Outcome | None) -> bool: ...
    async def release(self, key: Hashable, token: int) -> None: ...
    async def recall(self, turn: str) -> Outcome | None: ...


class SharedStore:
    """The shared store over `states`: any `MutableMapping`, or a function that makes one where the store lives.

    The states in it are those that `system.virtual(..., store=states)` would keep: what was stored by one process can
    be taken over by many. The newest 10,000 answers are remembered in memory only.
    """

    def __init__(self, states: MutableMapping[Any, Any] | Callable[[], MutableMapping[Any, Any]] | None = None) -> None:
        made = states() if callable(states) else states
        self.states: MutableMapping[Any, Any] = {} if made is None else made
        self._owners: dict[Hashable, int] = {}
        self._answers: OrderedDict[str, Outcome] = OrderedDict()
        # Not from 0: a store that was restarted must not take an old token for a new one.
        self._tokens = itertools.count(secrets.randbits(62))

    async def claim(self, key: Hashable) -> Claim:
        """Makes the caller the owner of `key`: from now on every older token is refused."""
        token = self._owners[key] = next(self._tokens)
        return Claim(token, key in self.states, self.states.get(key))

    async def save(self, key: Hashable, token: int, state: Any, turn: str | None = None,
                   outcome: Outcome | None = None) -> bool:
        """Stores the state and remembers the turn's outcome; False, and nothing is stored, for an older token."""
        if self._owners.get(key) != token:
            return False
        self.states[key] = state
        if turn is not None and outcome is not None:
            self._answers[turn] = outcome
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return True

    async def release(self, key: Hashable, token: int) -> None:
        """The owner has no more use for the key."""
        if self._owners.get(key) == token:
            del self._owners[key]

    async def recall(self, turn: str) -> Outcome | None:
        """What became of a turn that was saved, under whatever token."""
        return self._answers.get(turn)

    async def do(self, calls: Sequence[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        """Many calls in one, in their order."""
        return [await getattr(self, method)(*arguments) for method, arguments in calls]

    def __repr__(self) -> str:
        return f"<SharedStore of {len(self.states)} states, {len(self._owners)} claimed>"


class StoreLink:
    """A host's way to a store in another process: what its actors ask for while a call is under way shares the next.

    `do` is that call: `SharedStore.do`, wherever the store is.
    """

    def __init__(self, do: Callable[[list[Any]], Awaitable[list[Any]]]) -> None:
        async def together(calls: list[Any]) -> list[Any]:
            return await do(calls)

        self._calls = Batcher(together, max_batch_size=256, max_queue=100_000, name="store")

    async def claim(self, key: Hashable) -> Claim:
        return await self._calls(("claim", (key,)))

    async def save(self, key: Hashable, token: int, state: Any, turn: str | None, outcome: Outcome | None) -> bool:
        return await self._calls(("save", (key, token, state, turn, outcome)))

    async def release(self, key: Hashable, token: int) -> None:
        await self._calls(("release", (key, token)))

    async def recall(self, turn: str) -> Outcome | None:
        return await self._calls(("recall", (turn,)))
