"""Virtual actors: one for each key, that seem to exist always, and are in memory only while they are used.

Invariants
    1. A key has at most one cell, and a cell at most one incarnation. A message for a key goes into the mailbox of its
       cell, which is made by the first one, whatever the cell is doing just then: nothing is lost in a passivation.
    2. `_unused` holds the idle ones that are not on their way out, least recently used first. One timer, for the
       first of them, serves all.
    3. State is stored before `on_stop`, and only after an end that was no failure. A new incarnation has what was
       stored last.

The idea and the words (activation, passivation) are those of Orleans.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator, MutableMapping
from typing import Any, Final

from .actor import Actor, traits_of
from .cell import Cell
from .ending import bury, end_children, finish
from .errors import Ended
from .mailbox import Mailbox
from .operations import Operation
from .parts import DEAD, LIVE, RESTING, STARTING, Keeper, waits
from .ref import ActorRef
from .starting import begin_again, build

logger = logging.getLogger("asyncpatterns.actors")

# An actor that fails more often than this is given up until its next message.
MAX_RESTARTS: Final = 3
WITHIN: Final = 5.0


class VirtualActors:
    """The virtual actors of one class: `users["alice"]` is a reference that may be kept for ever.

    The first message for a key creates `cls(key)`; if `store` has a state for the key, `restore(state)` is called
    before `on_start`. After `idle` seconds without a message, and past `limit` live ones (least recently used first),
    what `snapshot()` returns is stored, and the actor stops. Both methods are optional, and plain or async. A message
    that arrives meanwhile is handled by the next incarnation, which starts when this one has ended. An actor that
    waits with open replies (`reply_later`) is not idle; its own timers do not keep it, and end with it.

    One that fails is restarted from its last snapshot with its mail, at most 3 times in 5 s; then its mail is dead
    letters and the next message starts afresh. Leaving the system stores all snapshots. `store` is any
    `MutableMapping`: a `dict` of its own unless given, a `SqliteStore` to survive the process.
    """

    def __init__(
        self,
        folder: Cell,
        cls: type[Actor],
        *,
        idle: float,
        limit: int,
        store: MutableMapping[Any, Any] | None,
        mailbox: Mailbox,
    ) -> None:
        _check_options(cls, idle, limit)
        self._folder = folder
        self._cls = cls
        self._idle = idle
        self._limit = limit
        self._mailbox = mailbox
        self.store: MutableMapping[Any, Any] = {} if store is None else store
        self._lives: dict[Hashable, Life] = {}
        self._unused: OrderedDict[Life, float] = OrderedDict()     # and since when
        self._leaving = 0                                          # of the lives are on their way out
        self._sweeper: asyncio.TimerHandle | None = None

    def __getitem__(self, key: Hashable) -> "VirtualRef":
        hash(key)       # TypeError here, not at the first message
        return VirtualRef(self, key)

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._lives)

    def __iter__(self) -> Iterator[Hashable]:
        """The keys of those in memory."""
        return iter(list(self._lives))

    def __contains__(self, key: Hashable) -> bool:
        return key in self._lives

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        live = f"{len(self._lives)} live of at most {self._limit}"
        return f"<VirtualActors {self._folder.path}, {live}, passivated after {self._idle} s>"

    # --- coming and going ---

    def cell_of(self, key: Hashable) -> Cell:
        """Where mail for the key goes: this is what makes it live."""
        life = self._lives.get(key)
        if life is None:
            if self._folder.closed:
                return self._folder     # the system is gone: it refuses for all
            life = self._lives[key] = Life(self, key)
            life.come()
            self._make_room()
        else:
            life.touched = True
            if life in self._unused:
                self._is_unused(life)
        return life.cell

    def life_of(self, key: Hashable) -> "Life | None":
        return self._lives.get(key)

    def forget(self, life: "Life") -> None:
        del self._lives[life.key]
        self._unused.pop(life, None)

    def gone_idle(self, life: "Life") -> None:
        if life.touched or life not in self._unused:        # ticks of its own timers are no use
            self._is_unused(life)
        self._make_room()

    def _is_unused(self, life: "Life") -> None:
        now = self._folder.system.loop.time()
        self._unused[life] = now
        self._unused.move_to_end(life)
        life.touched = life.cell.busy
        if self._sweeper is None:
            self._sweep_at(now + self._idle)

    def _make_room(self) -> None:
        while len(self._lives) - self._leaving > self._limit and self._unused:
            self._passivate_unless_used(next(iter(self._unused)))

    def _sweep_at(self, when: float) -> None:
        self._sweeper = self._folder.system.loop.call_at(when, self._sweep, when)

    def _sweep(self, now: float) -> None:
        self._sweeper = None
        while self._unused:
            life, since = next(iter(self._unused.items()))
            if since + self._idle > now:
                self._sweep_at(since + self._idle)
                return
            self._passivate_unless_used(life)

    def _passivate_unless_used(self, life: "Life") -> None:
        del self._unused[life]
        extras = life.cell.extras
        if extras is not None and extras.promises:
            self._is_unused(life)       # it owes somebody an answer
        elif not (life.cell.busy and life.touched):
            self.passivate(life)        # else it is used just now, and says so when it is idle again

    def passivate(self, life: "Life") -> None:
        """End the incarnation after the message it is handling; what comes meanwhile is for the next one."""
        self._unused.pop(life, None)
        cell = life.cell
        if life.leaving or cell.verdict is not None or cell.phase is not LIVE:
            return
        self.leaves(life, True)
        cell.condemn(Ended.PASSIVATED)
        if not cell.busy:
            finish(cell, Ended.PASSIVATED)

    def leaves(self, life: "Life", leaving: bool) -> None:
        self._leaving += leaving - life.leaving
        life.leaving = leaving

    def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None


class Life(Keeper):
    """What happens to one key, from the message that makes it live to the moment when there is nothing left of it."""

    __slots__ = ("cell", "failures", "key", "leaving", "stopping", "touched", "users")
    takes_part = True

    def __init__(self, users: VirtualActors, key: Hashable) -> None:
        folder = users._folder
        self.users = users
        self.key = key
        self.touched = True         # has it been sent anything since it was idle?
        self.leaving = False        # is it being passivated?
        self.stopping = False       # has it been told to passivate as soon as it is idle?
        self.failures: deque[float] | None = None   # when it failed lately: few ever do, and an empty deque is large
        self.cell = Cell(folder.system, folder, _name(folder, key), users._mailbox)
        self.cell.ref = VirtualRef(users, key)
        extras = self.cell.rarely()
        extras.keeper = self
        extras.recipe = self._build
        folder.adopt(self.cell)

    def _build(self, cell: Cell) -> None:
        build(cell, traits_of(self.users._cls), (self.key,), {})

    def come(self) -> None:
        cell = self.cell
        cell.phase = STARTING     # at once: who stops it now waits until it has handled its mail
        cell.system.loop.call_soon(self._come, context=cell.system.context.copy())

    def _come(self) -> None:
        cell = self.cell
        if cell.verdict is not None:
            verdict, cell.verdict = cell.verdict, None
            self.over(cell, verdict)            # killed before it was there
            return
        try:
            begin_again(cell)
        except Exception as error:
            cell.task = cell.new_task(self._unbuilt(error))

    async def _unbuilt(self, error: Exception) -> None:
        """Its constructor has raised."""
        await end_children(self.cell, Ended.KILLED)
        self.cell.phase = RESTING
        self._failed(error)

    def over(self, cell: Cell, reason: Any) -> None:
        self.users.leaves(self, False)
        if isinstance(reason, BaseException):
            self._failed(reason)
        elif reason in (Ended.PASSIVATED, Ended.KILLED) and cell.mail:
            cell.actor = None  # type: ignore[assignment]   # what it knew is in the store, or lost
            assert cell.extras is not None
            cell.extras.launched = False
            self.come()
            self.users._make_room()
        else:
            self._leave(reason)

    def _failed(self, error: BaseException) -> None:
        final = self.cell.extras is None or self.cell.extras.final
        if self._lately() > MAX_RESTARTS or final:
            logger.error("virtual actor %s failed too often; its mail is lost", self.cell.path, exc_info=error)
            self._leave(error)
        else:
            self.come()

    def _lately(self) -> int:
        """How often it has failed within the window, this time included."""
        now = self.cell.system.loop.time()
        if self.failures is None:
            self.failures = deque()
        self.failures.append(now)
        while now - self.failures[0] > WITHIN:
            self.failures.popleft()
        return len(self.failures)

    def _leave(self, reason: Any) -> None:
        if self.cell.phase is not DEAD:
            bury(self.cell, reason)
        self.users.forget(self)

    def idle(self, cell: Cell) -> None:
        if self.stopping:
            self.stopping = False
            self.users.passivate(self)
        else:
            self.users.gone_idle(self)

    def stop(self) -> None:
        if self.cell.busy:
            self.stopping = True
        else:
            self.users.passivate(self)

    def kill(self) -> None:
        """What comes from now on is for the next incarnation."""
        cell = self.cell
        cell.kill()
        if cell.extras is not None and not cell.extras.final:
            cell.reopen()

    def before_start(self, cell: Cell) -> Any:
        restore = getattr(cell.actor, "restore", None)
        if restore is None or self.key not in self.users.store:
            return None
        return restore(self.users.store[self.key])

    async def before_stop(self, cell: Cell, reason: Any) -> None:
        snapshot = getattr(cell.actor, "snapshot", None)
        if snapshot is not None and reason in (Ended.PASSIVATED, Ended.STOPPED):
            self.users.store[self.key] = await _settled(snapshot())


async def _settled(answer: Any) -> Any:
    return await answer if waits(answer) else answer


def _name(folder: Cell, key: Hashable) -> str:
    name = key if isinstance(key, str) else repr(key)
    while name in (folder.children or ()):
        name += "'"     # the keys 1 and "1" are two actors
    return name


def _check_options(cls: Any, idle: float, limit: int) -> None:
    if not (isinstance(cls, type) and issubclass(cls, Actor)):
        raise TypeError(f"virtual actors are of a subclass of Actor, not {cls!r}")
    if not idle > 0:
        raise ValueError(f"idle is a number of seconds > 0, or math.inf, not {idle!r}")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ValueError(f"limit is an int >= 1, not {limit!r}")


class VirtualRef(ActorRef):
    """The reference of a virtual actor: it is always good, and a message makes the actor live if it is not."""

    __slots__ = ("_key", "_users")

    def __init__(self, users: VirtualActors, key: Hashable) -> None:
        self._users = users
        self._key = key

    @property
    def key(self) -> Hashable:
        return self._key

    @property
    def _cell(self) -> Cell:  # type: ignore[override]
        return self._users.cell_of(self._key)

    @property
    def path(self) -> str:
        return f"{self._users._folder.path}/{self._key}"

    @property
    def name(self) -> str:
        return str(self._key)

    def stop(self) -> None:
        """Passivate it as soon as it has handled its mail; nothing happens if it is not live."""
        life = self._users.life_of(self._key)
        if life is not None:
            life.stop()

    def kill(self) -> None:
        """End its incarnation now, without a snapshot; its mail becomes dead letters.

        The next message, also one that comes while this one ends, starts afresh.
        """
        life = self._users.life_of(self._key)
        if life is not None:
            life.kill()

    def stopped(self, *, timeout: float | None = None) -> Operation[Any]:
        raise TypeError(f"{self!r} never ends for good: it comes back with its next message")

    def _mortal(self) -> Cell:
        raise TypeError(f"{self!r} cannot be watched: it comes back with its next message")

    def _identity(self) -> Any:
        return id(self._users), self._key

    def __repr__(self) -> str:
        life = self._users.life_of(self._key)
        return f"<VirtualRef {self.path} passive>" if life is None else f"<VirtualRef {life.cell.describe()}>"
