"""What a channel is: two queues of waiters around a buffer, and the operations on them that never wait.

Nothing here awaits or knows of tasks. `operations` and `select` put waiting on top, `Channel` and its ends are handles
that refer to a core. A waiter is a future or looks like one (`waiting`, the case of a select); a queue of waiters is
an ordered dict keyed by waiter, so that the first is found and any one is removed at a cost that does not depend on how
many wait. Removed is whoever gives up, with one exception: a waiter that was cancelled stays until its task runs or it
comes to be first. Giving it something fails, and the next waiter gets it.

Invariants, with cancelled waiters left out, and with the cases of one and the same select (which may wait in both
queues) not counted against each other:

    1. Receivers wait only while nothing is buffered and no sender waits.
    2. Senders wait only while the buffer is full.
    3. On a closed channel nobody waits.
    4. sent = received + buffered + dropped, at every moment. `sent` counts what was accepted: buffered, or handed to a
       receiver. What a cancelled receiver gives back is buffered again, and counts as received no longer.
    5. `returned` holds what was given back, in the order in which it was handed out, and is received before `buffer`.
    6. A waiter is settled once, by `set_result`, after it has left the queue. To a receiver it tells either
       `(number, value)`, the number being that of the handing-out, or an `Outcome`; to a sender an `Outcome`.
"""

import math
from asyncio import InvalidStateError
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import Enum
from heapq import heappop, heappush
from typing import Any, NamedTuple, Protocol

from .errors import ChannelBroken, ChannelClosed


class Outcome(Enum):
    SENT = "the value was taken"
    CLOSED = "the channel was closed"
    LEFT = "the end the operation belongs to was closed"
    TIMED_OUT = "the time was up"


class Waiter(Protocol):
    """The part of `asyncio.Future` that a core needs."""

    def set_result(self, outcome: Any) -> None: ...
    def done(self) -> bool: ...
    def get_loop(self) -> Any: ...


Queue = OrderedDict[Any, Any]       # waiter -> the value to send, None for a receiver; oldest first

NOTHING: Any = type("Nothing", (), {"__repr__": lambda self: "NOTHING"})()     # None is a value like any other
SENT, CLOSED, LEFT, TIMED_OUT = Outcome     # names of their own: looking one up in an Enum is slow
_FAILED = (InvalidStateError, RuntimeError)


class ChannelStatistics(NamedTuple):
    """A channel at one moment. At every moment `sent == received + buffered + dropped`."""

    buffered: int
    capacity: float
    receivers_waiting: int
    senders_waiting: int
    open_senders: int
    open_receivers: int
    sent: int
    received: int
    dropped: int
    peak: int


class Core:
    __slots__ = (
        "broken",
        "buffer",
        "capacity",
        "closed",
        "dropped",
        "error",
        "limit",
        "name",
        "on_close",
        "open_receivers",
        "open_senders",
        "peak",
        "receivers",
        "returned",
        "senders",
        "sent",
    )

    def __init__(self, capacity: float, name: str | None) -> None:
        self.name = name
        self.capacity = self.limit = _checked(capacity)
        self.buffer: deque[Any] = deque()
        self.returned: list[tuple[int, Any]] = []       # a heap
        self.receivers: Queue = OrderedDict()
        self.senders: Queue = OrderedDict()
        self.closed = self.broken = False
        self.error: BaseException | None = None         # raised once, when what was buffered has been received
        self.on_close: Callable[[], object] | None = None
        self.sent = self.dropped = self.peak = 0
        self.open_senders = self.open_receivers = 0

    def __len__(self) -> int:
        return len(self.buffer) + len(self.returned)

    # --- sending ---

    def put(self, value: Any) -> bool:
        """Hand the value to the first receiver, or buffer it. False if it would have to wait."""
        receivers = self.receivers
        while receivers:        # _hand, written out: this is the way of every rendezvous
            waiter, _ = receivers.popitem(False)
            number = self.sent + 1
            try:
                waiter.set_result((number, value))
            except _FAILED as error:
                _must_be_gone(waiter, error)
                continue
            self.sent = number
            return True
        buffered = len(self.buffer) + len(self.returned)
        if buffered < self.limit:
            self.buffer.append(value)
            self.sent += 1
            if buffered >= self.peak:
                self.peak = buffered + 1
            return True
        if self.closed:
            raise self.refusal()
        return False

    def can_put(self) -> bool:
        """Would `put` do anything but return False?"""
        return len(self) < self.limit or self.closed or _anyone(self.receivers)

    # --- receiving ---

    def take(self) -> Any:
        """The next value, or NOTHING."""
        if self.returned:
            value = heappop(self.returned)[1]
        elif self.buffer:
            value = self.buffer.popleft()
        else:
            senders = self.senders
            while senders:      # settle, written out
                waiter, value = senders.popitem(False)
                try:
                    waiter.set_result(SENT)
                except _FAILED as error:
                    _must_be_gone(waiter, error)
                    continue
                self.sent += 1
                return value
            return NOTHING
        if self.senders:
            self.admit()
        return value

    def can_take(self) -> bool:
        return bool(self.buffer or self.returned or self.closed or _anyone(self.senders))

    def admit(self) -> None:
        """Let waiting senders into the room that has become free."""
        senders = self.senders
        while senders and len(self) < self.limit:
            waiter, value = senders.popitem(False)
            if settle(waiter, SENT):
                self.sent += 1
                self.buffer.append(value)

    def give_back(self, number: int, value: Any) -> None:
        """What was handed to a receiver that has been cancelled goes to the next one, or back in front."""
        if self._hand(number, value):
            return
        if self.broken:
            self.dropped += 1
            return
        heappush(self.returned, (number, value))
        self.peak = max(self.peak, len(self))

    def _hand(self, number: int, value: Any) -> bool:
        receivers = self.receivers
        while receivers:
            waiter, _ = receivers.popitem(False)
            try:
                waiter.set_result((number, value))
            except _FAILED as error:
                _must_be_gone(waiter, error)
                continue
            return True
        return False

    # --- closing ---

    def close(self, error: BaseException | None = None) -> None:
        """Idempotent. With an error, the receive that finds the channel drained raises it, once."""
        if self.closed:
            return
        self.closed, self.error = True, error
        self.limit = -1
        for queue in (self.receivers, self.senders):
            _settle_all(queue, CLOSED)
        on_close, self.on_close = self.on_close, None
        if on_close is not None:
            on_close()

    def break_off(self) -> None:
        """Nobody will ever receive again."""
        self.broken = True
        self.dropped += len(self)
        self.buffer.clear()
        self.returned.clear()
        self.error = None
        self.close()

    def add_end(self, sending: bool) -> None:
        if sending:
            self.open_senders += 1
        else:
            self.open_receivers += 1

    def remove_end(self, sending: bool) -> None:
        if sending:
            self.open_senders -= 1
            if not self.open_senders:
                self.close()
        else:
            self.open_receivers -= 1
            if not self.open_receivers:
                self.break_off()

    def refusal(self) -> ChannelClosed:
        """A new exception for a send on the closed channel."""
        if self.broken:
            return ChannelBroken(f"{self.title()} has no receiver left")
        return ChannelClosed(f"{self.title()} is closed")

    def end_of_values(self) -> BaseException:
        """What a receive raises on the closed, drained channel."""
        error, self.error = self.error, None
        return error if error is not None else ChannelClosed(f"{self.title()} is closed and has no value left")

    # --- describing ---

    def statistics(self) -> ChannelStatistics:
        return ChannelStatistics(
            buffered=len(self),
            capacity=self.capacity,
            receivers_waiting=len(self.receivers),
            senders_waiting=len(self.senders),
            open_senders=self.open_senders,
            open_receivers=self.open_receivers,
            sent=self.sent,
            received=self.sent - len(self) - self.dropped,
            dropped=self.dropped,
            peak=self.peak,
        )

    def title(self) -> str:
        return "channel" if self.name is None else f"channel {self.name!r}"

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        states = [
            _count(len(self.receivers), "receiver"),
            _count(len(self.senders), "sender"),
            "closed" if self.closed else "",
            "broken" if self.broken else "",
        ]
        return f"<Channel{name} {', '.join([f'{len(self)}/{self.capacity}', *filter(None, states)])}>"


def _checked(capacity: Any) -> float:
    if isinstance(capacity, int) and not isinstance(capacity, bool) and capacity >= 0:
        return capacity
    if isinstance(capacity, float) and capacity == math.inf:
        return capacity
    raise ValueError(f"capacity is how many values wait in the channel: an int >= 0 or math.inf, not {capacity!r}")


def settle(waiter: Waiter, outcome: Any) -> bool:
    """False if it waits no longer."""
    try:
        waiter.set_result(outcome)
    except _FAILED as error:
        _must_be_gone(waiter, error)
        return False
    return True


def _settle_all(queue: Queue, outcome: Any) -> None:
    while queue:
        waiter, _ = queue.popitem(False)
        settle(waiter, outcome)


def _must_be_gone(waiter: Waiter, error: Exception) -> None:
    """It was cancelled and its task has not run yet, or its loop is closed; anything else is a caller's mistake."""
    if isinstance(error, RuntimeError) and not waiter.get_loop().is_closed():
        raise error


def _anyone(queue: Queue) -> bool:
    """Is somebody waiting who can still be given something?"""
    while queue:
        waiter = next(iter(queue))
        if not waiter.done():
            return True
        del queue[waiter]
    return False


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)} waiting" if number else ""
