"""Messages to oneself, later.

Invariants
    1. A key has at most one timer. Starting another one under the same key cancels the first.
    2. A tick that lies in the mailbox is void as soon as its timer is cancelled or its incarnation has ended.
    3. `every` ticks at start + n × interval, whatever happens meanwhile, and has at most one tick in the mailbox.
"""

import asyncio
import math
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from .mailbox import VOID, Envelope

if TYPE_CHECKING:
    from .cell import Cell


class Timers:
    """The timers of one incarnation, by key."""

    __slots__ = ("_cell", "_running", "closed")

    def __init__(self, cell: "Cell", *, closed: bool = False) -> None:
        self._cell = cell
        self.closed = closed
        self._running: dict[Hashable, Timer] = {}

    def once(self, key: Hashable, delay: float, message: Any) -> None:
        """Deliver `message` after `delay` seconds. A timer that has the key already is cancelled."""
        if not 0 <= delay < math.inf:
            raise ValueError(f"a delay is a number of seconds >= 0, not {delay!r}")
        self._run(key, delay, message, repeats=False)

    def every(self, key: Hashable, delay: float, message: Any) -> None:
        """Deliver `message` every `delay` seconds, at a fixed rate, first after `delay`.

        A tick that comes while the last one is still unread is skipped. A timer that has the key already is cancelled.
        """
        if not 0 < delay < math.inf:
            raise ValueError(f"a delay is a number of seconds > 0, not {delay!r}")
        self._run(key, delay, message, repeats=True)

    def cancel(self, key: Hashable) -> None:
        """No more ticks of this key, not even one that is in the mailbox already. An unknown key is no error."""
        timer = self._running.pop(key, None)
        if timer is not None:
            timer.cancel()

    def pause(self) -> None:
        """The actor is stopping: what comes from now on is refused, what is in the mailbox is not."""
        for timer in self._running.values():
            timer.handle.cancel()

    def close(self) -> None:
        """The incarnation has ended."""
        self.closed = True
        for key in list(self._running):
            self.cancel(key)

    def forget(self, timer: "Timer") -> None:
        if self._running.get(timer.key) is timer:
            del self._running[timer.key]

    def _run(self, key: Hashable, delay: float, message: Any, repeats: bool) -> None:
        self.cancel(key)
        if not self.closed and not self._cell.closed:
            self._running[key] = Timer(self, self._cell, key, delay, message, repeats)
            self._cell.attention = True         # what it has queued in the loop is no business of the next turn

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._running

    def __repr__(self) -> str:
        return f"<Timers of {self._cell.path}: {', '.join(map(repr, self._running)) or 'none'}>"


class Timer(Envelope):
    """One timer; it is itself what lies in the mailbox, so a tick costs nothing but its place there."""

    __slots__ = ("_cell", "_interval", "_live", "_start", "_ticks", "_timers", "_unread", "handle", "key", "message")
    counts = False

    handle: asyncio.TimerHandle

    def __init__(
        self, timers: Timers, cell: "Cell", key: Hashable, delay: float, message: Any, repeats: bool
    ) -> None:
        self._timers = timers
        self._cell = cell
        self.key = key
        self.message = message
        self._interval = delay if repeats else None
        self._start = cell.system.loop.time()
        self._ticks = 0                             # that were due so far; number n is due at start + n * interval
        self._live = True
        self._unread = False
        self._wait_until(self._start + delay)

    def cancel(self) -> None:
        self._live = False
        self.handle.cancel()

    def open(self, cell: "Cell") -> Any:
        """The actor reads the tick."""
        cell.count_notices(-1)
        self._unread = False
        if not self._live or self._timers.closed:
            return VOID
        if self._interval is None:
            self._timers.forget(self)
        return self.message

    def _wait_until(self, when: float) -> None:
        # In the system's context itself: a copy of the handler's would keep all that it holds alive.
        system = self._cell.system
        self.handle = system.loop.call_at(when, self._tick, context=system.context)

    def _tick(self) -> None:
        if self._interval is not None:
            # A loop that was blocked does not catch up: what it missed is skipped.
            passed = math.floor((self._cell.system.loop.time() - self._start) / self._interval)
            self._ticks = max(self._ticks + 1, passed)
            self._wait_until(self._start + (self._ticks + 1) * self._interval)
        if not self._unread:
            self._unread = True
            self._cell.post_notice(self)
