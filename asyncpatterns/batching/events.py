"""What a live view draws: a bounded tap on a batcher's life.

Invariants
    1. With nobody listening the batcher builds no event at all.
    2. A listener that does not keep up loses the oldest events, counted in `dropped`, and never slows the batcher down.
    3. A listener that nobody refers to any more is gone: no need to close it.
"""

import asyncio
import weakref
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, ParamSpec

from .batch import Tally


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request was admitted. `waiting`: rows that wait, with its own."""

    kind: ClassVar[str] = "arrived"
    time: float
    id: int
    key: Hashable
    rows: int
    priority: float
    waiting: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """A worker took a batch. `batch` numbers it, `ids` are its requests, `size` its rows without the padding.

    `reason`: "full"; "share", other idle workers got theirs; "cut" down to an allowed size; "linger" is over; "idle", a
    worker was free already; "freed", a worker became free; "closing". `queue_delay`: seconds its first request waited.
    """

    kind: ClassVar[str] = "sealed"
    time: float
    batch: int
    ids: tuple[int, ...]
    key: Hashable
    size: int
    padding: int
    reason: str
    worker: int
    queue_delay: float
    waiting: int


@dataclass(frozen=True, slots=True)
class Done:
    """A batch is done. `outcome`: "answered", "failed", or "isolated" when some of its requests failed."""

    kind: ClassVar[str] = "done"
    time: float
    batch: int
    ids: tuple[int, ...]
    size: int
    seconds: float
    worker: int
    outcome: str
    answered: int
    failed: int


def done(time: float, batch: int, ids: tuple[int, ...], size: int, seconds: float, worker: int, tally: Tally) -> Done:
    return Done(time, batch, ids, size, seconds, worker, tally.outcome(), tally.answered, tally.failed)


@dataclass(frozen=True, slots=True)
class Shed:
    """A request that no batch takes. `reason`: "overloaded" or "closed" on arrival (then `id` is None), "expired",
    "cancelled", "failed" when the batcher itself did."""

    kind: ClassVar[str] = "shed"
    time: float
    id: int | None
    key: Hashable
    rows: int
    priority: float
    reason: str


Event = Arrived | Sealed | Done | Shed
Facts = ParamSpec("Facts")


class Events:
    """An asynchronous iterator over what happens from now on; it ends when the batcher has nothing more to tell.

    Cancelling a wait loses nothing. `dropped` counts the events that were overwritten because nobody read them.
    """

    def __init__(self, capacity: int) -> None:
        self.dropped = 0
        self._buffer: deque[Callable[[], Event]] = deque(maxlen=capacity)
        self._ended = False
        self._wake: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<events {len(self._buffer)}/{self._buffer.maxlen} buffered, {self.dropped} dropped>"

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> Event:
        while not self._buffer:
            if self._ended:
                raise StopAsyncIteration
            self._wake = self._wake or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._wake)
        return self._buffer.popleft()()

    def take(self) -> list[Event]:
        """What has happened and was not read yet, oldest first, without waiting; it counts as read then.

        For a listener that need not know at once: to wake it for every event costs the loop more than the events do.
        """
        buffer = self._buffer
        return [buffer.popleft()() for _ in range(len(buffer))]

    async def aclose(self) -> None:
        """Stop listening; what is buffered can still be read."""
        self._end()

    def _put(self, told: Callable[[], Event]) -> None:
        if len(self._buffer) == self._buffer.maxlen:
            self.dropped += 1
        self._buffer.append(told)
        if self._wake is not None:
            self._ring()

    def _end(self) -> None:
        self._ended = True
        self._ring()

    def _ring(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None and not wake.done():
            wake.set_result(None)


class Tap:
    """Where the events come from. `listening` is a plain attribute: reading it is all that a quiet batcher pays."""

    def __init__(self) -> None:
        self.listening = False
        self._listeners: list[weakref.ref[Events]] = []     # in the order in which they came
        self._ended = False

    def listen(self, capacity: int) -> Events:
        events = Events(capacity)
        if self._ended:
            events._end()
        else:
            self._listeners.append(weakref.ref(events))
            self.listening = True
        return events

    def tell(self, kind: Callable[Facts, Event], *facts: Facts.args, **named: Facts.kwargs) -> None:
        """The event `kind(*facts)`. It is built by who reads it: a tenth of its price is paid here."""
        told = partial(kind, *facts, **named)
        gone = False
        for reference in self._listeners:
            events = reference()
            if events is None or events._ended:
                gone = True
            else:
                events._put(told)
        if gone:
            self._forget()

    def _forget(self) -> None:
        """Those who have left are nobody any more."""
        known = [(reference, reference()) for reference in self._listeners]
        self._listeners = [reference for reference, events in known if events is not None and not events._ended]
        self.listening = bool(self._listeners)

    def end(self) -> None:
        self._ended, self.listening = True, False
        for reference in self._listeners:
            events = reference()
            if events is not None:
                events._end()
        self._listeners.clear()
