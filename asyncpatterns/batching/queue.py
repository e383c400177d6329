"""Who waits, in which order: a line for each key, a level in it for each priority.

Invariants
    1. `len(queue)` and `queue.rows` count the waiting requests and nothing else: one that was taken or removed is out
       at once, although the place where it stood may be swept later.
    2. Within a level it is first come, first served; a higher level goes first, in its line and across lines.
    3. Lines that have something on the same level take turns; who was served goes to the back.
    4. Adding and removing cost O(1), taking n requests O(n), whatever else waits. Places of removed requests never
       outnumber the others by more than a handful, so memory follows what waits.
"""

from bisect import insort
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from operator import attrgetter
from typing import Any

from . import policy

# The life of a request. Everything from SETTLED on is an end, and the only one.
UNSENT, WAITING, RUNNING = 0, 1, 2
SETTLED = 3
ANSWERED, FAILED, EXPIRED, CANCELLED, REFUSED = 3, 4, 5, 6, 7

_SWEEP_ABOVE = 32
_rows = attrgetter("rows")


class Request:
    """One item on its way. `deadline`: when it must have been started; `due`: when an answer was promised.

    `waiter`: what its caller waits for; done too early, it says that the caller was cancelled in this very tick.
    """

    __slots__ = ("arrived", "deadline", "due", "id", "item", "key", "priority", "rows", "state", "timeout",
                 "waiter")

    item: Any
    key: Hashable
    priority: float
    rows: int
    state: int
    id: int
    arrived: float
    deadline: float
    due: float
    timeout: float | None
    waiter: Any

    def settle(self, state: int, outcome: Any) -> None:
        """The one end: an ANSWERED request has a result, the others an exception."""
        raise NotImplementedError

    def too_late(self, result: Any) -> None:
        """It had been given up while it ran; this would have been the result."""


class Level:
    """The requests of one key and priority. Removed ones leave a hole until they are reached or swept out."""

    __slots__ = ("holes", "places", "rows")

    def __init__(self) -> None:
        self.places: deque[Request] = deque()
        self.rows = 0
        self.holes = 0

    def __len__(self) -> int:
        return len(self.places) - self.holes

    def first(self) -> Request:
        places = self.places
        while places[0].state != WAITING:
            places.popleft()
            self.holes -= 1
        return places[0]

    def leave_hole(self, request: Request) -> None:
        """`request` is no longer waiting, wherever it stands."""
        self.rows -= request.rows
        self.holes += 1
        if self.holes > _SWEEP_ABOVE and 2 * self.holes > len(self.places):
            self.sweep()

    def sweep(self) -> None:
        self.places = deque(request for request in self.places if request.state == WAITING)
        self.holes = 0

    def take(self, room: int, alone: bool) -> list[Request]:
        """From the front what fits into `room` rows; if `alone`, one that is larger may still be the whole batch."""
        places = self.places
        if self.holes:
            taken = self._take_around_holes(room, alone)
        elif self.rows <= room:
            taken = list(places)
            places.clear()
        else:
            taken = [places.popleft() for _ in range(self._fitting(room, alone))]
        self.rows -= sum(map(_rows, taken)) if self.rows > len(self) + len(taken) else len(taken)
        return taken

    def _fitting(self, room: int, alone: bool) -> int:
        if self.rows == len(self):          # one row each
            return max(min(room, self.rows), 1 if alone else 0)
        weights = (request.rows for request in self.places if request.state == WAITING)
        count = policy.fit(weights, room)
        return count if alone or self.first().rows <= room else 0

    def _take_around_holes(self, room: int, alone: bool) -> list[Request]:
        wanted = self._fitting(room, alone)
        taken: list[Request] = []
        while len(taken) < wanted:
            taken.append(self.first())
            self.places.popleft()
        return taken


class Line:
    """All that waits under one key."""

    __slots__ = ("count", "key", "levels", "rows")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.levels: dict[float, Level] = {}
        self.rows = 0
        self.count = 0

    def front(self, room: int) -> int:
        """The rows of the requests that would be taken into a batch of `room` rows."""
        rows = 0
        for priority in sorted(self.levels, reverse=True):
            for request in self.levels[priority].places:
                if rows and rows + request.rows > room:
                    return rows
                rows += request.rows if request.state == WAITING else 0
        return rows

    def oldest(self) -> Request:
        """Of the first in each level the one that came first."""
        return min((level.first() for level in self.levels.values()), key=attrgetter("arrived"))


class Queue:
    """All lines. Who is next is a matter of priority first, then of turns."""

    def __init__(self) -> None:
        self.rows = 0
        self._count = 0
        self._lines: dict[Hashable, Line] = {}
        self._turns: dict[float, OrderedDict[Hashable, Line]] = {}
        self._order: list[float] = []       # the priorities of `_turns`, negated and sorted

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Request]:
        for line in self._lines.values():
            for level in line.levels.values():
                yield from (request for request in level.places if request.state == WAITING)

    @property
    def lines(self) -> int:
        return len(self._lines)

    def line(self, key: Hashable) -> Line | None:
        return self._lines.get(key)

    def push(self, request: Request) -> Line:
        """The request waits from now on; its state is the caller's to set."""
        key, rows = request.key, request.rows
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(key)
        level = line.levels.get(request.priority)
        if level is None:
            level = self._new_level(line, request.priority)
        level.places.append(request)
        level.rows += rows
        line.rows += rows
        line.count += 1
        self.rows += rows
        self._count += 1
        return line

    def remove(self, request: Request) -> None:
        """Takes out a request that waited; its state must have been set to something else before."""
        line = self._lines[request.key]
        level = line.levels[request.priority]
        level.leave_hole(request)
        self._count_out(line, 1, request.rows)
        if not len(level):
            self._drop_level(line, request.priority)

    def serving_order(self) -> Iterator[Line]:
        """Each line once, in the order in which they would be served if nothing else came."""
        if len(self._order) == 1:
            yield from self._turns[-self._order[0]].values()
            return
        seen: set[Hashable] = set()
        for negated in self._order:
            for key, line in self._turns[-negated].items():
                if key not in seen:
                    seen.add(key)
                    yield line

    def first_line(self) -> Line:
        """The line that is served next."""
        return next(iter(self._turns[-self._order[0]].values()))

    def take(self, line: Line, room: int) -> list[Request]:
        """Takes from the front of `line` what fits into `room` rows, at least one request; it goes to the back."""
        taken: list[Request] = []
        rows = 0
        for priority in sorted(line.levels, reverse=True):
            level = line.levels[priority]
            before = level.rows
            part = level.take(room - rows, alone=not taken)
            rows += before - level.rows
            taken += part
            self._turns[priority].move_to_end(line.key)
            if len(level):
                break
            self._drop_level(line, priority)
            if rows >= room:
                break
        self._count_out(line, len(taken), rows)
        return taken

    # --- bookkeeping ---

    def _new_level(self, line: Line, priority: float) -> Level:
        level = line.levels[priority] = Level()
        turns = self._turns.get(priority)
        if turns is None:
            turns = self._turns[priority] = OrderedDict()
            insort(self._order, -priority)
        turns[line.key] = line
        return level

    def _drop_level(self, line: Line, priority: float) -> None:
        del line.levels[priority]
        turns = self._turns[priority]
        del turns[line.key]
        if not turns:
            del self._turns[priority]
            self._order.remove(-priority)
        if not line.levels:
            del self._lines[line.key]

    def _count_out(self, line: Line, count: int, rows: int) -> None:
        line.count -= count
        line.rows -= rows
        self._count -= count
        self.rows -= rows
