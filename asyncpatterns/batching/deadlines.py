"""The deadlines of those that wait: one heap, and one timer for the earliest of them all.

Invariants
    1. A timer is armed exactly while somebody waits who has a deadline; an idle batcher has none.
    2. A request that no longer waits may still be in the heap, but such remnants never outnumber the rest by more than
       a handful.
"""

import asyncio
import math
from collections.abc import Callable, Sized
from heapq import heapify, heappop, heappush

from .queue import WAITING, Request

_SPARE = 64


class Deadlines:
    """`expire` is called with those whose deadline has come, earliest first.

    While `about_to_seal()`, a worker is on its way that was free in time for them.
    """

    def __init__(self, waiting: Sized, expire: Callable[[list[Request]], None],
                 about_to_seal: Callable[[], bool]) -> None:
        self._waiting = waiting
        self._expire = expire
        self._about_to_seal = about_to_seal
        self._heap: list[tuple[float, int, Request]] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, request: Request, loop: asyncio.AbstractEventLoop) -> None:
        if len(self._heap) > 2 * len(self._waiting) + _SPARE:
            self._heap = [entry for entry in self._heap if entry[2].state == WAITING]
            heapify(self._heap)
        heappush(self._heap, (request.deadline, request.id, request))
        if self._timer is None or request.deadline < self._timer.when():
            self._arm(loop)

    def pass_(self, now: float) -> None:
        """A batch is about to be sealed: whoever should have started before `now` must not be in it."""
        if self._heap and self._heap[0][0] < now:
            self._settle(now, strictly=True)

    def rest(self) -> None:
        """Nobody waits any more."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def room_at(self, rows: float) -> float:
        """When so many rows will have left the queue because their time is up."""
        while self._heap and self._heap[0][2].state != WAITING:
            heappop(self._heap)
        for deadline, _, request in sorted(self._heap[:1] if rows <= 1 else self._heap):
            rows -= request.rows if request.state == WAITING else 0
            if rows <= 0:
                return deadline
        return math.inf

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._heap[0][0], self._ring, loop, self._heap[0][0])

    def _ring(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        self._timer = None
        if not self._about_to_seal():
            # A timer may ring a moment early, by the resolution of the clock.
            self._settle(max(loop.time(), when), strictly=False)
        if self._heap:
            self._arm(loop)

    def _settle(self, now: float, *, strictly: bool) -> None:
        heap = self._heap
        late: list[Request] = []
        while heap and (heap[0][0] < now or (heap[0][0] == now and not strictly) or heap[0][2].state != WAITING):
            request = heappop(heap)[2]
            if request.state == WAITING:
                late.append(request)
        if late:
            self._expire(late)
