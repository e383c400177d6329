"""Where messages end that nobody will handle: nothing disappears unseen.

Invariant: every message that an actor has accepted, or that a `tell` brought, is handled, crashes its actor, or is
here. Messages refused by an exception (an `ask` or `send` that raises at once) were never accepted: the sender knows.
"""

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .ref import ActorRef

KEPT = 1_000


class DeadLetter(NamedTuple):
    """A message that could not be delivered: who should have had it, what it was, and why not (a short sentence).

    `recipient` is `None` for a late reply to somebody who is no actor.
    """

    recipient: "ActorRef | None"
    message: Any
    reason: str


class DeadLetters:
    """The newest thousand dead letters, oldest first; `len()` is how many are kept, `total` how many there were."""

    __slots__ = ("_kept", "total")

    def __init__(self) -> None:
        self._kept: deque[DeadLetter] = deque(maxlen=KEPT)
        self.total = 0

    def add(self, recipient: "ActorRef | None", message: Any, reason: str) -> None:
        self.total += 1
        self._kept.append(DeadLetter(recipient, message, reason))

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(list(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> DeadLetter:
        return self._kept[index]

    def __bool__(self) -> bool:
        return bool(self._kept)

    def __repr__(self) -> str:
        newest = f", the newest {self._kept[-1].message!r}: {self._kept[-1].reason}" if self._kept else ""
        return f"<DeadLetters {len(self._kept)} kept of {self.total}{newest}>"
