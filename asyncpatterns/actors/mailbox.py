"""How much mail may wait for an actor, and what becomes of a message that finds no room; and what lies in a mailbox.

Invariants
    1. What waits in a mailbox is a user's message as it is, or an `Envelope` around one.
    2. Notices and ticks come from the system itself: they need no room and take none away.
"""

import math
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .cell import Cell

OVERFLOWS: Final = ("reject", "drop_oldest", "drop_newest")
DEFAULT_CAPACITY: Final = 10_000
VOID: Final = object()     # what an envelope holds that nobody wants any more


@dataclass(frozen=True, slots=True, init=False)
class Mailbox:
    """The policy of a mailbox: `capacity` messages may wait (the one being handled does not count).

    `overflow` says what happens beyond: `"reject"` refuses the newcomer, `"drop_newest"` drops it, `"drop_oldest"`
    drops the one that has waited longest. A message lost this way is a dead letter; an `ask` raises `MailboxFull`.
    Whatever the policy, `send` waits for room. `math.inf` is a mailbox without bounds.

    Raises `ValueError` when `capacity` is no int >= 1 or `math.inf`, or `overflow` none of the three.
    """

    capacity: float
    overflow: str
    places: int = field(repr=False)      # the capacity as an int, because that compares more quickly with a length

    def __init__(self, capacity: float = DEFAULT_CAPACITY, *, overflow: str = "reject") -> None:
        whole = isinstance(capacity, int) and not isinstance(capacity, bool) and capacity >= 1
        if not whole and capacity != math.inf:
            raise ValueError(f"a mailbox's capacity is an int >= 1 or math.inf, not {capacity!r}")
        if overflow not in OVERFLOWS:
            raise ValueError(f"overflow is one of {', '.join(map(repr, OVERFLOWS))}, not {overflow!r}")
        object.__setattr__(self, "capacity", capacity)
        object.__setattr__(self, "overflow", overflow)
        object.__setattr__(self, "places", sys.maxsize if capacity == math.inf else capacity)

    @classmethod
    def checked(cls, policy: "Mailbox | None") -> "Mailbox":
        if policy is None:
            return DEFAULT
        if not isinstance(policy, cls):
            raise TypeError(f"mailbox= wants a Mailbox(...), not {policy!r}")
        return policy


DEFAULT: Final = Mailbox()


class Envelope:
    """A message with something attached. `open` is called when its turn has come, and returns what is inside."""

    __slots__ = ()
    counts: bool = True      # does it take up room?

    message: Any

    def open(self, cell: "Cell") -> Any:
        return self.message

    def drop(self, cell: "Cell") -> None:
        """It is thrown away unread, with the rest of the mailbox."""


class Notice(Envelope):
    """A message from the system: a `Terminated`, or an order to a supervisor."""

    __slots__ = ("message",)
    counts = False

    def __init__(self, message: Any) -> None:
        self.message = message

    def open(self, cell: "Cell") -> Any:
        cell.count_notices(-1)
        return self.message


class Farewell(Notice):
    """A `Terminated` for one who watches. Until it is read, a further watch of the same end is not answered again."""

    __slots__ = ("_dead",)

    def __init__(self, dead: "Cell", message: Any) -> None:
        super().__init__(message)
        self._dead = dead

    def open(self, cell: "Cell") -> Any:
        self.drop(cell)
        return super().open(cell)

    def drop(self, cell: "Cell") -> None:
        cell.rarely().watching.pop(self._dead, None)
