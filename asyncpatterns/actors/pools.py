"""Pools: several actors of one kind behind one reference."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .asking import USUAL_TIMEOUT
from .mailbox import Mailbox
from .operations import Operation
from .parts import NOTHING
from .ref import ActorRef
from .supervision import Child, Supervisor, SupervisorRef

if TYPE_CHECKING:
    from .cell import Cell
    from .system import ActorSystem

ROUTINGS: Final = ("round_robin", "least_mailbox", "hash")
# A pool that many use may see many bad messages in a few seconds: each member may be restarted so often within 5 s.
RESTARTS_PER_MEMBER: Final = 10


class PoolRef(SupervisorRef):
    """The reference of a pool: a message goes to one of its members, which answers as if it had been asked itself.

    `stop`, `kill` and `stopped` concern the pool as a whole; `children()` are the members.
    """

    __slots__ = ("_members", "_next", "_pick", "_routing")

    def __init__(self, cell: "Cell", members: list[ActorRef], routing: str, key: Callable[[Any], Any] | None) -> None:
        super().__init__(cell)
        self._members = members
        self._routing = routing
        self._next = itertools.count()
        self._pick = self._picker(routing, key or (lambda message: message))

    def tell(self, message: Any) -> None:
        self._pick(message).tell(message)

    def send(self, message: Any, *, timeout: float | None = None) -> Operation[None]:
        return self._pick(message).send(message, timeout=timeout)

    def ask(self, message: Any, *, timeout: float | None = USUAL_TIMEOUT) -> Operation[Any]:
        return self._pick(message).ask(message, timeout=timeout)

    def _picker(self, routing: str, key: Callable[[Any], Any]) -> Callable[[Any], ActorRef]:
        members = self._members
        if routing == "hash":
            return lambda message: members[hash(key(message)) % len(members)]
        if routing == "least_mailbox":
            return lambda message: min(self._rotated(), key=_load)
        return lambda message: members[next(self._next) % len(members)]

    def _rotated(self) -> list[ActorRef]:
        """All members, beginning with another one each time, so that equals take turns."""
        first = next(self._next) % len(self._members)
        return self._members[first:] + self._members[:first]

    def __repr__(self) -> str:
        return f"<PoolRef {self._cell.describe()}, {len(self._members)} members, {self._routing}>"


def _load(ref: ActorRef) -> int:
    """How many messages it has to handle, with the one it is handling."""
    cell = ref._cell
    return cell.waiting() + (cell.entry is not NOTHING)


def spawn_pool(
    system: "ActorSystem",
    behavior: Callable[..., Any],
    n: int,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    routing: str,
    key: Callable[[Any], Any] | None,
    name: str | None,
    mailbox: Mailbox | None,
) -> PoolRef:
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"a pool has an int >= 1 of members, not {n!r}")
    if routing not in ROUTINGS:
        raise ValueError(f"routing is one of {', '.join(map(repr, ROUTINGS))}, not {routing!r}")
    children = [Child(f"member-{i}", behavior, *args, mailbox=mailbox, **kwargs) for i in range(n)]
    supervisor = system.spawn(Supervisor, children, max_restarts=RESTARTS_PER_MEMBER * n, name=name)
    assert isinstance(supervisor, SupervisorRef)
    cell = supervisor._cell
    cell.ref = pool = PoolRef(cell, list(supervisor.children().values()), routing, key)
    return pool
