"""The system: where actors live, and the block that none of them outlives."""

import asyncio
import contextvars
import math
from collections.abc import Callable, MutableMapping
from typing import Any, Literal

from .actor import Actor, Folder, VirtualFolder, construction_of, name_of, traits_of
from .asking import Deadlines
from .cell import Cell
from .dead_letters import DeadLetters
from .ending import end_children
from .errors import Ended
from .mailbox import DEFAULT, Mailbox
from .parts import DEAD, ENDING, LIVE, queue_of
from .pools import PoolRef, spawn_pool
from .ref import ActorRef
from .running import BUDGET
from .starting import begin
from .tree import Tree, tree_of
from .virtual import VirtualActors


class ActorSystem:
    """Spawns actors and, when its block is left, stops them all.

        async with ActorSystem("demo") as system:
            greeter = system.spawn(Greeter, "hello")
            print(await greeter.ask("you"))

    Leaving the block, also by an exception, stops every actor: those that were spawned last come first, children
    before their parents, and what is queued is handled. What is not done within `shutdown` seconds is killed. After
    that nothing is left, no task and no timer. Without a block, `await system.shutdown()` does the same.

    A system belongs to the event loop in which its first actor was spawned. Handlers run in the context (as of
    `contextvars`) in which the system was made; what one activation of an actor sets there, no other one sees.
    """

    def __init__(self, name: str = "system", *, shutdown: float = math.inf) -> None:
        if not shutdown >= 0:
            raise ValueError(f"shutdown= wants seconds >= 0, not {shutdown!r}")
        self.name = name
        self.dead_letters = DeadLetters()
        self.context = contextvars.copy_context()
        self.loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]     # until it is first used
        self.deadlines: Deadlines
        self._shutdown = shutdown
        self._serial = 0
        self._sent = 0
        self._closing: asyncio.Future[None] | None = None
        self._root = Cell(self, None, "/user", Mailbox())
        self._root.actor = Folder()
        self._root.traits = traits_of(Folder)
        self._root.phase = LIVE

    async def __aenter__(self) -> "ActorSystem":
        self.bind()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.shutdown()

    # --- actors ---

    def spawn(
        self,
        behavior: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        mailbox: Mailbox | None = None,
        **kwargs: Any,
    ) -> ActorRef:
        """Start an actor and return its reference, at once.

        `behavior` is a subclass of `Actor`, which is constructed here with the other arguments (what its constructor
        raises is raised), or a function, plain or async, that is called with each message. `name` is unique among its
        siblings, or a `ValueError`; `mailbox` is a `Mailbox` policy. For a `Supervisor` the reference is a
        `SupervisorRef`.
        """
        return self._spawn(self._root, behavior, args, kwargs, name, mailbox)

    def _spawn(
        self,
        parent: Cell,
        behavior: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None,
        mailbox: Mailbox | None,
    ) -> ActorRef:
        if self._closing is not None and parent is self._root:
            raise RuntimeError(f"the actor system {self.name!r} has been shut down")
        if parent.phase is ENDING or parent.phase is DEAD:
            raise RuntimeError(f"{parent.path} has ended: it can have no children any more")
        if self.loop is None:
            self.bind()
        cls, args, kwargs = construction_of(behavior, args, kwargs)
        traits = traits_of(cls)
        if name is None:
            name = self.free_name(parent, traits.stem if cls is behavior else name_of(behavior))
        else:
            check_name(name)
        cell = Cell(self, parent, name, DEFAULT if mailbox is None else Mailbox.checked(mailbox))
        parent.adopt(cell)
        ref = cell.ref = cls._reference(cell)
        begin(cell, traits, args, kwargs)
        return ref

    def free_name(self, parent: Cell, stem: str) -> str:
        self._serial += 1
        name = f"{stem}-{self._serial}"
        if parent.children is not None and name in parent.children:
            return self.free_name(parent, stem)     # somebody has chosen a name like ours
        return name

    def virtual(
        self,
        cls: type[Actor],
        *,
        idle: float = 300.0,
        limit: int = 10_000,
        store: MutableMapping[Any, Any] | None = None,
        mailbox: Mailbox | None = None,
    ) -> VirtualActors:
        """Actors that seem to exist always, one for each key: `users["alice"].tell(message)`.

        See `VirtualActors`.
        """
        policy = Mailbox.checked(mailbox)
        folder = self.spawn(VirtualFolder, name=self.free_name(self._root, cls.__name__.lower()))._cell
        users = VirtualActors(folder, cls, idle=idle, limit=limit, store=store, mailbox=policy)
        folder.actor.close = users.close  # type: ignore[attr-defined]
        return users

    def spawn_pool(
        self,
        behavior: Callable[..., Any],
        n: int,
        *args: Any,
        routing: Literal["round_robin", "least_mailbox", "hash"] = "round_robin",
        key: Callable[[Any], Any] | None = None,
        name: str | None = None,
        mailbox: Mailbox | None = None,
        **kwargs: Any,
    ) -> PoolRef:
        """Start `n` actors of one kind behind one reference, which passes each message on to one of them.

        `"round_robin"` takes turns, `"least_mailbox"` picks the one with the least to do, `"hash"` sends equal
        messages (or equal `key(message)`) to the same member. A member that fails is restarted. `mailbox` is each
        member's. Raises `ValueError` when `n` < 1 or the routing is unknown.
        """
        return spawn_pool(self, behavior, n, args, kwargs, routing, key, name, mailbox)

    def tree(self) -> Tree:
        """Every actor as it is now: path, state, mailbox, counters, restarts. Prints as text, and draws itself in a
        notebook."""
        return tree_of(self)

    # --- the end ---

    async def shutdown(self) -> None:
        """Stop every actor, as leaving the block does; called again, wait for the same end.

        Cancelled, it kills what is left, waits for that, and raises `CancelledError`.
        """
        if self._closing is not None:
            await asyncio.shield(self._closing)
            return
        self.bind()
        self._closing = self.loop.create_future()
        timer = None if self._shutdown == math.inf else self.loop.call_later(self._shutdown, self._time_is_up)
        try:
            await self._end_all()
        finally:
            if timer is not None:
                timer.cancel()
            self.deadlines.close()
            self._closing.set_result(None)

    async def _end_all(self) -> None:
        interrupted = None
        for effort in (self._stop_all, self._kill_all, self._kill_all):
            try:
                await effort()
                break
            except asyncio.CancelledError as error:
                interrupted = error
        if interrupted is not None:
            raise interrupted

    async def _stop_all(self) -> None:
        await end_children(self._root, Ended.STOPPED)

    async def _kill_all(self) -> None:
        await end_children(self._root, Ended.KILLED)

    def _time_is_up(self) -> None:
        self._root.rarely().hurry = True
        for child in list((self._root.children or {}).values()):
            child.expire()

    # --- for the parts ---

    def bind(self) -> None:
        """The system belongs to the loop in which it is first used."""
        if self.loop is None:
            self.loop = loop = asyncio.get_running_loop()
            self.deadlines = Deadlines(loop)
            self.ready: Any = queue_of(loop)

    def sent_many(self) -> bool:
        """Is it time for a loop of sends that never waits to let others run?"""
        self._sent = (self._sent + 1) % BUDGET
        return self._sent == 0

    def __repr__(self) -> str:
        state = "" if self._closing is None else ", shut down" if self._closing.done() else ", shutting down"
        return f"<ActorSystem {self.name!r}, {len(self._root.children or ())} actors at the top{state}>"


def check_name(name: Any) -> None:
    if not isinstance(name, str) or not name or "/" in name:
        raise ValueError(f"an actor's name is a str without '/', and not empty, not {name!r}")
