"""Virtual actors that are spread over several hosts, seen from a program that uses them.

Invariants
    1. A turn ends exactly once: by its outcome, its timeout or the asker's cancellation. When its host dies it is
       sent again, under the same name, to the host that has the key now.
       A refusal (`Unavailable`) says that nothing happened. So a turn that was on its way, and may have been handled,
       is never refused: where no host is left it waits for one.
    2. To each host there is one `post` on its way at a time, with all that gathered while the one before was, and one
       `collect`. So turns keep the order in which they were asked, and a call between processes is shared by many.
    3. A host that was lost is left out of the ring until it answers again. Nobody has to agree on who is lost: the
       shared store refuses whoever is wrong.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Hashable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from asyncpatterns import Batcher, Channel, Overloaded, WouldBlock, go

from .ring import HashRing
from .shared import LOST, Outcome, Turn

USUAL_TIMEOUT = 5.0
PAUSE = 0.5             # seconds between two looks at a lost host
MAX_TOLD = 10_000       # tells of one front that may be under way
LONGEST_PAUSE = 0.1     # seconds before a turn is sent again


class HostLost(ConnectionError):
    """A host died, or cannot be reached, before it answered."""


class Unavailable(Overloaded):
    """No host can take the message just now; try again after `retry_after` seconds."""

    def __str__(self) -> str:
        return f"no host can be reached just now; try again in {self.retry_after:.3g} s"


class Address(Protocol):
    """A host as a front reaches it. Each call raises `HostLost` when the host is not there (any more)."""

    async def post(self, front: str, turns: Sequence[Turn]) -> None: ...
    async def collect(self, front: str) -> list[tuple[str, Outcome]]: ...
    async def ready(self) -> str: ...
    async def live(self) -> int: ...


class SpreadActors:
    """`users["alice"].ask(message)`: the same call as in one process, to a virtual actor on one of several hosts.

    Which host holds a key is settled by consistent hashing over the hosts' names. An answer means that the actor's
    state after this turn is in the shared store; a host that dies has its actors restored on the others, and the turns
    under way are tried there again. A turn that had been handled and saved, and whose answer was lost with its host,
    is not handled a second time: the answer that was saved is given. Messages of one front to one key are handled in
    the order they were sent, as long as no host dies.

    An asynchronous context manager. It belongs to the event loop in which it is entered.
    """

    def __init__(self, hosts: Mapping[str, Address], *, name: str = "actors", front: str | None = None) -> None:
        if not hosts:
            raise ValueError("expected at least one host")
        self.name = name
        self.front = front or secrets.token_hex(6)
        self.ring = HashRing(hosts)
        self.retried = 0                        # turns that were sent again
        self.lost: list[tuple[Hashable, Any, BaseException]] = []      # tells that came to nothing, newest 1,000
        self.lines = {host: Line(host, address, self.front) for host, address in hosts.items()}
        self._leaving = False
        self._told: set[asyncio.Task[None]] = set()
        self._places: Channel[None] = Channel(MAX_TOLD, name=f"{name}, told")     # one is taken by each tell under way
        self._serial = 0

    async def __aenter__(self) -> SpreadActors:
        for line in self.lines.values():
            line.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        """Waits for what was told, unless no host can be reached, then hangs up; the hosts go on."""
        self._leaving = True
        if self._told:
            await asyncio.wait(self._told)
        for line in self.lines.values():
            await line.close()

    def __getitem__(self, key: Hashable) -> SpreadRef:
        hash(key)       # TypeError here, not at the first message
        return SpreadRef(self, key)

    def __repr__(self) -> str:
        down = f", {', '.join(self.down)} not reachable" if self.down else ""
        return f"<SpreadActors {self.name!r} on {len(self.ring)} hosts{down}>"

    @property
    def down(self) -> tuple[str, ...]:
        """The hosts that cannot be reached just now."""
        return tuple(host for host, line in self.lines.items() if not line.up)

    def home_of(self, key: Hashable) -> str:
        """The host that a message for `key` would go to now; raises `Unavailable` when there is none."""
        try:
            return self.ring.owner(key, skip=self.down)
        except LookupError:
            raise Unavailable(1.0) from None

    async def live(self) -> dict[str, int]:
        """How many actors each host has in memory; hosts that cannot be reached are left out."""
        up = [line for line in self.lines.values() if line.up]
        counts = await asyncio.gather(*(line.address.live() for line in up), return_exceptions=True)
        return {line.host: count for line, count in zip(up, counts, strict=True) if isinstance(count, int)}

    async def ask(self, key: Hashable, message: Any, timeout: float | None) -> Any:
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout= wants seconds >= 0, or None for no limit, not {timeout!r}")
        async with asyncio.timeout(timeout):
            return await self._result(*self._begin(key, message, timeout))

    def tell(self, key: Hashable, message: Any) -> None:
        try:
            self._places.send_nowait(None)
        except WouldBlock:
            self._came_to_nothing(key, message, Unavailable(1.0))
        else:
            self._start_tell(key, message)

    async def send(self, key: Hashable, message: Any, timeout: float | None) -> None:
        await self._places.send(None, timeout=timeout)
        self._start_tell(key, message)

    def _start_tell(self, key: Hashable, message: Any) -> None:
        task = go(self._told_to(key, message, *self._begin(key, message, None)), name=f"tell to {key!r}")
        self._told.add(task)
        task.add_done_callback(self._told.discard)

    async def _told_to(self, key: Hashable, message: Any, turn: Turn, first: Awaitable[Outcome]) -> None:
        try:
            await self._result(turn, first)
        except Exception as error:
            self._came_to_nothing(key, message, error)
        finally:
            self._places.receive_nowait()

    def _begin(self, key: Hashable, message: Any, timeout: float | None) -> tuple[Turn, Awaitable[Outcome]]:
        """Puts the message into the queue now, so that it keeps its place among the others of its sender."""
        self._serial += 1
        turn = Turn(key, message, f"{self.front}-{self._serial}", limit=timeout)
        return turn, self._deliver(turn)

    def _deliver(self, turn: Turn) -> Awaitable[Outcome]:
        return self.lines[self.home_of(turn.key)].deliver(turn) if len(self.down) < len(self.ring) else _nobody()

    async def _result(self, turn: Turn, first: Awaitable[Outcome]) -> Any:
        outcome = await first
        while outcome.kind in ("moved", "lost"):
            await asyncio.sleep(min(0.001 * turn.attempt, LONGEST_PAUSE))
            await self._somebody()
            self.retried += 1
            turn = turn._replace(attempt=turn.attempt + 1)
            outcome = await self._deliver(turn)
        if outcome.kind == "answer":
            return outcome.value
        raise outcome.value

    async def _somebody(self) -> None:
        """Waits until a host can be reached."""
        while len(self.down) == len(self.ring):
            if self._leaving:
                raise HostLost("no host could be reached before the end; the message may have been handled")
            await asyncio.sleep(LONGEST_PAUSE)

    def _came_to_nothing(self, key: Hashable, message: Any, error: BaseException) -> None:
        self.lost.append((key, message, error))
        del self.lost[:-1_000]


async def _nobody() -> Outcome:
    return Outcome("raised", Unavailable(1.0))


class SpreadRef:
    """The reference of one actor of a `SpreadActors`; it may be kept for ever."""

    __slots__ = ("_users", "key")

    def __init__(self, users: SpreadActors, key: Hashable) -> None:
        self._users, self.key = users, key

    async def ask(self, message: Any, *, timeout: float | None = USUAL_TIMEOUT) -> Any:
        """Send a message and wait for the answer: what the actor's `receive` returns; then its state is stored, too.

        Raises what the handler raised, with a note that names the actor; `MailboxFull` when it has no room;
        `Unavailable`, which has a `retry_after`, when no host can be reached: then nothing happened. A message whose
        host dies is handled on another one, once, as soon as there is one. `TimeoutError` after `timeout` seconds
        (`None` waits for ever); as in one process, the message is handled all the same.
        """
        return await self._users.ask(self.key, message, timeout)

    def tell(self, message: Any) -> None:
        """Send a message, and never wait or raise for the receiver's sake. What comes to nothing is in `users.lost`."""
        self._users.tell(self.key, message)

    async def send(self, message: Any, *, timeout: float | None = None) -> None:
        """Wait for room among the 10,000 messages that may be under way, then tell: back-pressure.

        Raises `TimeoutError` when there was no room within `timeout` seconds: then nothing was sent.
        """
        await self._users.send(self.key, message, timeout)

    @property
    def name(self) -> str:
        return str(self.key)

    @property
    def path(self) -> str:
        """Where it is, or would be: its host and its key."""
        return f"{self._users.home_of(self.key)}/{self.key}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpreadRef) and (other._users, other.key) == (self._users, self.key)

    def __hash__(self) -> int:
        return hash((id(self._users), self.key))

    def __repr__(self) -> str:
        return f"<SpreadRef {self.key!r} of {self._users!r}>"


class Line:
    """The connection to one host."""

    def __init__(self, host: str, address: Address, front: str) -> None:
        self.host, self.address, self.front = host, address, front
        self.up = True
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        self._out = Batcher(self._post, max_batch_size=256, max_queue=100_000, name=f"post to {host}")

    def open(self) -> None:
        self._listener = go(self._listen(), name=f"collect from {self.host}")

    async def close(self) -> None:
        self._set_down()
        self._listener.cancel()
        await asyncio.wait([self._listener])
        await self._out.drain()

    def deliver(self, turn: Turn) -> Awaitable[Outcome]:
        """Queues the turn now; its outcome, which is `LOST` when the host is lost before it is here."""
        future = self._waiting[turn.id] = asyncio.get_running_loop().create_future()
        return self._delivered(turn, self._out(turn), future)

    async def _delivered(self, turn: Turn, posted: Awaitable[Outcome | None], future: Awaitable[Outcome]) -> Outcome:
        try:
            return await posted or await future
        finally:
            del self._waiting[turn.id]

    async def _post(self, turns: list[Turn]) -> list[Outcome | None]:
        try:
            await self.address.post(self.front, turns)
        except HostLost:
            self._lose()
            return [LOST] * len(turns)
        return [None] * len(turns)

    async def _listen(self) -> None:
        while True:
            try:
                over = await self.address.collect(self.front)
            except HostLost:
                return self._lose()
            for turn, outcome in over:
                self._settle(turn, outcome)

    def _settle(self, turn: str, outcome: Outcome) -> None:
        future = self._waiting.get(turn)
        if future is not None and not future.done():
            future.set_result(outcome)

    def _set_down(self) -> None:
        self.up = False
        for turn in self._waiting:
            self._settle(turn, LOST)

    def _lose(self) -> None:
        if self.up:
            self._set_down()
            self._listener.cancel()
            self._listener = go(self._until_back(), name=f"wait for {self.host}")

    async def _until_back(self) -> None:
        while not self.up:
            await asyncio.sleep(PAUSE)
            try:
                await self.address.ready()
                self.up = True
            except HostLost:
                pass
        await self._listen()
