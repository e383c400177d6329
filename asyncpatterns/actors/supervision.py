"""Let it crash: a supervisor keeps its children running, and gives up when that does not help.

Invariants
    1. A supervisor is an actor: it does one thing at a time, in the order it hears of it. Failures of its children
       reach it as notices, calls of its `SupervisorRef` as asks, so a child that fails all the time keeps nobody out.
    2. A child's cell, and with it its reference, its name and its mail, stays through all its incarnations.
    3. A notice of a failure is stale when the child has been started, stopped or restarted since. Stale ones count
       for nothing: a child that fails while its group is being restarted is not restarted twice.
    4. Restarts are counted when they are tried, whether they succeed or not. Those older than `within` are forgotten.
"""

import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from .actor import Actor, construction_of, traits_of
from .asking import Ask, Errand, refuse_circle
from .cell import Cell
from .ending import bury, terminate
from .errors import Ended, TooManyRestarts
from .mailbox import Mailbox, Notice
from .operations import Operation
from .parts import DEAD, RESTING, Keeper
from .ref import ActorRef
from .starting import build, halt, launch, revive

STRATEGIES: Final = ("one_for_one", "one_for_all", "rest_for_one")
RESTARTS: Final = ("permanent", "transient", "temporary")


class Child:
    """How a supervisor starts, restarts and stops one of its children.

    `id` is its name. `behavior` (an `Actor` class or a function) is built with the other arguments each time anew.
    `restart` says from which ends it comes back: `"permanent"` from all but `stop_child`, `"transient"` from abnormal
    ones (a failure, a kill), `"temporary"` from none. `shutdown` bounds its draining and `on_stop` together when its
    supervisor stops or restarts it: seconds, `math.inf`, or 0 to kill it at once.
    """

    __slots__ = ("args", "behavior", "id", "kwargs", "mailbox", "restart", "shutdown")

    def __init__(
        self,
        id: str,
        behavior: Callable[..., Any],
        *args: Any,
        restart: str = "permanent",
        shutdown: float = 5.0,
        mailbox: Mailbox | None = None,
        **kwargs: Any,
    ) -> None:
        self.id = id
        self.behavior = behavior
        self.args = args
        self.restart = restart
        self.shutdown = shutdown
        self.mailbox = mailbox
        self.kwargs = kwargs

    def comes_back_from(self, reason: Any) -> bool:
        if self.restart == "transient":
            return reason is not Ended.STOPPED
        return self.restart == "permanent"

    def check(self) -> None:
        """Raise `ValueError` or `TypeError` when an option is wrong."""
        if not isinstance(self.id, str) or not self.id or "/" in self.id:
            raise ValueError(f"a child's id is a str without '/', and not empty, not {self.id!r}")
        if self.restart not in RESTARTS:
            raise ValueError(f"child {self.id!r}: restart is one of {_listed(RESTARTS)}, not {self.restart!r}")
        if not _is_number(self.shutdown) or not self.shutdown >= 0:
            raise ValueError(f"child {self.id!r}: shutdown is seconds >= 0 or math.inf, not {self.shutdown!r}")
        Mailbox.checked(self.mailbox)
        construction_of(self.behavior, self.args, self.kwargs)

    def build(self, cell: Cell) -> None:
        cls, args, kwargs = construction_of(self.behavior, self.args, self.kwargs)
        build(cell, traits_of(cls), args, kwargs)

    def __repr__(self) -> str:
        name = getattr(self.behavior, "__name__", repr(self.behavior))
        return f"<Child {self.id!r} {name}, {self.restart}, shutdown {self.shutdown} s>"


def _listed(options: Iterable[str]) -> str:
    return ", ".join(map(repr, options))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- what a supervisor is told ---


class Over(NamedTuple):
    """The child is down and should come back: it has failed, or its start has."""

    kid: "Kid"
    life: int
    reason: Any


class Left(NamedTuple):
    """The child is down for the sake of a sibling whose start has failed: it comes back, whatever becomes of that."""

    kid: "Kid"
    life: int


class StartChild(NamedTuple):
    child: Child


class StopChild(NamedTuple):
    id: str


class RestartChild(NamedTuple):
    id: str


# --- who does it ---


class Kid(Keeper):
    """A child as its supervisor knows it: how it is made, the cell it lives in, and how often that was decided upon."""

    __slots__ = ("cell", "child", "is_built", "life", "supervisor")

    def __init__(self, supervisor: "Supervisor", child: Child) -> None:
        parent = supervisor._cell
        self.supervisor = supervisor
        self.child = child
        self.life = 0
        self.cell = Cell(parent.system, parent, child.id, Mailbox.checked(child.mailbox))
        self.is_built = False
        self.equip()
        parent.adopt(self.cell)
        if type(self.cell.ref) is SupervisorRef:
            self.build(self.cell)       # before its turn to start: so its options are checked, and its children known
            self.is_built = True

    def equip(self) -> None:
        """Give the cell what dead ones have lost, or new ones do not have yet."""
        behavior = self.child.behavior
        supervises = isinstance(behavior, type) and issubclass(behavior, Supervisor)
        self.cell.ref = SupervisorRef(self.cell) if supervises else ActorRef(self.cell)
        extras = self.cell.rarely()
        extras.keeper = self
        extras.recipe = self.build
        extras.shutdown = self.child.shutdown

    def build(self, cell: Cell) -> None:
        if self.is_built:
            self.is_built = False
        else:
            self.child.build(cell)

    def is_running(self) -> bool:
        """Or about to be: its reference is good."""
        return self.cell.phase is not DEAD

    def is_down_since(self, life: int) -> bool:
        return self.life == life and self.cell.phase is RESTING

    def over(self, cell: Cell, reason: Any) -> None:
        if self.child.comes_back_from(reason):
            self.supervisor._note(self, reason)
        else:
            self.leave(reason)

    def leave(self, reason: Any) -> None:
        """It will not come back by itself. A temporary one is forgotten altogether."""
        if self.is_running():
            bury(self.cell, reason)
        if self.child.restart == "temporary":
            self.supervisor._kids.pop(self.child.id, None)


class Supervisor(Actor):
    """Starts its children left to right, restarts those that fail, stops them right to left when it ends.

    `strategy` says who is restarted when a child is: it alone (`"one_for_one"`), all (`"one_for_all"`), or it and
    those started after it (`"rest_for_one"`). Siblings finish the message they are handling and keep their mail.
    More than `max_restarts` restarts `within` so many seconds, and it stops its children and fails itself, with
    `TooManyRestarts`: its own supervisor decides then. At most `max_children` may run at a time.

    A failing first start fails the supervisor. A start that fails during a restart counts as a restart, and is tried
    again. Wrong options raise `ValueError` or `TypeError` in `spawn`, which returns a `SupervisorRef`.

    The strategies, the restart types and the intensity are those of Erlang's OTP.
    """

    _kind = "supervisor"

    def __init__(
        self,
        children: Iterable[Child] = (),
        *,
        strategy: str = "one_for_one",
        max_restarts: int = 3,
        within: float = 5.0,
        max_children: int | None = None,
    ) -> None:
        children = list(children)
        _check_options(children, strategy, max_restarts, within, max_children)
        self._strategy = strategy
        self._max_restarts = max_restarts
        self._within = within
        self._max_children = math.inf if max_children is None else max_children
        self._restarts: deque[float] = deque()
        self._kids: dict[str, Kid] = {child.id: Kid(self, child) for child in children}

    async def on_start(self) -> None:
        for kid in list(self._kids.values()):
            await self._launch(kid)

    async def receive(self, message: Any) -> None:
        match message:
            case Over():
                if message.kid.is_down_since(message.life):
                    await self._bring_back(message.kid, message.reason)
            case Left():
                if message.kid.is_down_since(message.life):
                    await self._bring_up([message.kid])
            case StartChild() | StopChild() | RestartChild():
                await self._obey(message)
            case _:
                self._refuse(message)

    def _note(self, kid: Kid, reason: Any) -> None:
        self._cell.post_notice(Notice(Over(kid, kid.life, reason)))

    def _refuse(self, message: Any) -> None:
        self.system.dead_letters.add(self.ref, message, "a supervisor handles no messages")
        self.reply_later().set_exception(TypeError(f"{self.ref!r} answers nothing but its own methods"))

    # --- restarts ---

    async def _bring_back(self, kid: Kid, reason: Any) -> None:
        self._count_restart(kid, reason)
        group = self._group_of(kid)
        for other in group:
            other.life += 1         # what they have reported, or are about to, is taken care of
        for other in reversed(group):
            if other is not kid and other.is_running():
                await self._halt(other)
        await self._bring_up(group)

    async def _bring_up(self, group: list[Kid]) -> None:
        """Launch them, left to right, up to the first whose start fails."""
        for place, kid in enumerate(group):
            if not kid.is_running():
                continue
            try:
                await self._launch(kid)
            except Exception as error:
                self._note(kid, error)
                for left in group[place + 1 :]:     # for the case that somebody stops that one, or starts it by hand
                    self._cell.post_notice(Notice(Left(left, left.life)))
                return

    def _count_restart(self, kid: Kid, reason: Any) -> None:
        now = self.system.loop.time()
        self._restarts.append(now)
        while now - self._restarts[0] > self._within:
            self._restarts.popleft()
        if len(self._restarts) > self._max_restarts:
            cause = reason if isinstance(reason, BaseException) else None
            raise TooManyRestarts(
                f"{self._cell.path} allows {self._max_restarts} restarts within {self._within} s,"
                f" and {kid.child.id!r} needed one more"
            ) from cause

    def _group_of(self, kid: Kid) -> list[Kid]:
        running = [other for other in self._kids.values() if other.is_running()]
        if self._strategy == "one_for_all":
            return running
        if self._strategy == "rest_for_one":
            return running[running.index(kid) :]
        return [kid]

    async def _halt(self, kid: Kid) -> None:
        """End its incarnation for the sake of a sibling. One that is never restarted ends for good."""
        with self._waiting_for(kid):
            if kid.child.restart == "temporary":
                await terminate(kid.cell)
                kid.leave(Ended.STOPPED)
                return
            reason = await halt(kid.cell)
        if reason is Ended.STOPPED and not kid.child.comes_back_from(reason):
            kid.leave(reason)       # it was about to end by itself

    async def _launch(self, kid: Kid) -> None:
        kid.life += 1
        with self._waiting_for(kid):
            await launch(kid.cell)

    @contextlib.contextmanager
    def _waiting_for(self, kid: Kid, *, check: bool = False) -> Iterator[None]:
        """Let asks know that the supervisor waits for the child, as if it had asked it something."""
        turn = self._cell.turn_at(self._cell.serial)
        assert turn is not None
        errand = Errand(kid.cell)
        if check:
            refuse_circle(errand, turn)
        turn.asks[errand] = None
        try:
            yield
        finally:
            turn.asks.pop(errand, None)

    # --- orders ---

    async def _obey(self, order: StartChild | StopChild | RestartChild) -> None:
        reply = self.reply_later()
        try:
            match order:
                case StartChild(child):
                    reply.set_result(await self._start_child(child))
                case StopChild(id):
                    await self._stop_child(self._known(id))
                    reply.set_result(None)
                case RestartChild(id):
                    reply.set_result(await self._restart_child(self._known(id)))
        except Exception as error:
            reply.set_exception(error)

    def _known(self, id: str) -> Kid:
        if id not in self._kids:
            raise KeyError(f"{self._cell.path} has no child {id!r}, only {_listed(self._kids) or 'none at all'}")
        return self._kids[id]

    async def _start_child(self, child: Child) -> ActorRef:
        if not isinstance(child, Child):
            raise TypeError(f"start_child wants a Child(...), not {child!r}")
        child.check()
        if child.id in self._kids:
            raise ValueError(f"{self._cell.path} has a child {child.id!r} already")
        self._check_room()
        kid = self._kids[child.id] = Kid(self, child)
        try:
            await self._launch(kid)
        except Exception as error:      # if the supervisor itself is ended meanwhile, it ends this child like any other
            kid.leave(error)
            self._kids.pop(child.id, None)
            raise
        return kid.cell.reference()

    async def _stop_child(self, kid: Kid) -> None:
        if kid.is_running():
            with self._waiting_for(kid, check=True):
                kid.life += 1
                await terminate(kid.cell)
        kid.leave(Ended.STOPPED)

    async def _restart_child(self, kid: Kid) -> ActorRef:
        if not kid.is_running():
            return await self._start_again(kid)
        with self._waiting_for(kid, check=True):
            kid.life += 1
            await halt(kid.cell)
        try:
            await self._launch(kid)
        except Exception as error:
            self._note(kid, error)
            raise
        return kid.cell.reference()

    async def _start_again(self, kid: Kid) -> ActorRef:
        self._check_room()
        kid.life += 1
        revive(kid.cell)
        kid.equip()
        running = {other.cell.name: other.cell for other in self._kids.values() if other.is_running()}
        self._cell.children = running       # in the order they were declared, because that is how they are stopped
        try:
            await self._launch(kid)
        except Exception as error:
            kid.leave(error)
            raise
        return kid.cell.reference()

    def _check_room(self) -> None:
        running = sum(kid.is_running() for kid in self._kids.values())
        if running >= self._max_children:
            raise ValueError(f"{self._cell.path} may have {self._max_children} children, and has {running}")


def _check_options(
    children: list[Child], strategy: str, max_restarts: int, within: float, max_children: int | None
) -> None:
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy is one of {_listed(STRATEGIES)}, not {strategy!r}")
    if not _is_count(max_restarts):
        raise ValueError(f"max_restarts is an int >= 0, not {max_restarts!r}")
    if not _is_number(within) or not within > 0:
        raise ValueError(f"within is a number of seconds > 0, not {within!r}")
    if max_children is not None and not _is_count(max_children):
        raise ValueError(f"max_children is an int >= 0 or None, not {max_children!r}")
    if max_children is not None and len(children) > max_children:
        raise ValueError(f"max_children is {max_children}, and there are {len(children)} children")
    ids = set()
    for child in children:
        if not isinstance(child, Child):
            raise TypeError(f"a supervisor's children are Child(...), not {child!r}")
        child.check()
        if child.id in ids:
            raise ValueError(f"two children have the id {child.id!r}")
        ids.add(child.id)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class SupervisorRef(ActorRef):
    """The reference of a supervisor. What else it is told is a dead letter."""

    __slots__ = ()

    def children(self) -> dict[str, ActorRef]:
        """The running children by id, those too that are starting or being restarted, in the order they start."""
        return {kid.child.id: kid.cell.reference() for kid in self._kids()}

    def count(self) -> int:
        """How many children are running."""
        return len(self._kids())

    def start_child(self, child: Child, *, timeout: float | None = None) -> Operation[ActorRef]:
        """Add a child to the right of the others, start it, and return its reference.

        Raises `ValueError` when its id is taken, an option is wrong or there are `max_children`, `TypeError` when it is
        no `Child`, and whatever its constructor or `on_start` raises; then it is not added.
        """
        return Ask(self, StartChild(child), timeout)

    def stop_child(self, id: str, *, timeout: float | None = None) -> Operation[None]:
        """Stop a child for good, within its `shutdown` seconds. `restart_child` can bring it back.

        Raises `KeyError` when there never was such a child, `AskCycle` when the child itself waits for this.
        """
        return Ask(self, StopChild(id), timeout)

    def restart_child(self, id: str, *, timeout: float | None = None) -> Operation[ActorRef]:
        """Restart a child by hand, running or stopped, and return its reference, which is the one it had.

        A running one keeps its mail, and this does not count against the intensity. Raises `KeyError` when there never
        was such a child, `ValueError` when there are `max_children`, and whatever its constructor or `on_start`
        raises; one that was running is then tried again like any failing restart.
        """
        return Ask(self, RestartChild(id), timeout)

    def tell(self, message: Any) -> None:
        self._cell.system.dead_letters.add(self, message, "a supervisor handles no messages")

    def _kids(self) -> list[Kid]:
        actor = self._cell.actor
        return [kid for kid in actor._kids.values() if kid.is_running()] if isinstance(actor, Supervisor) else []


Supervisor._reference = SupervisorRef
