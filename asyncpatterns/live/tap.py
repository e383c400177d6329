"""What a batcher does, kept in bounded memory so that a picture of it can be drawn at any moment.

The tap reads `batcher.events()` and folds each event into a few bounded containers; views sample them some times a
second. So the cost of a picture does not depend on how many requests a second there are, and memory does not grow.
Times are those of the events: `loop.time()`.

Invariant: whatever is read of a tap that follows is up to date, though it takes events in only now and then. To be
woken for each of them would cost the batcher more than all the rest of the tap.
"""

import asyncio
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from .svg import number
from .views import State

KEEP_REQUESTS, KEEP_BATCHES = 4_000, 60
NAP = 0.05      # seconds from one look at the events to the next


class History:
    """What the events seen so far add up to."""

    def __init__(self, slice: float) -> None:
        self.requests: dict[int, dict[str, Any]] = {}
        self.batches: dict[int, dict[str, Any]] = {}
        self.sizes: Counter[int] = Counter()
        self.reasons: Counter[str] = Counter()
        self.latencies = Slices(slice)
        self.arrived = self.answered = self.shed = self.waiting = 0
        self.last = 0.0
        self._folds: dict[str, Callable[[Any], None]] = {
            "arrived": self._arrived, "sealed": self._sealed, "done": self._done, "shed": self._shed}

    def see(self, event: Any) -> None:
        """Folds one event into the state. Kinds it does not know are passed over."""
        fold = self._folds.get(event.kind)
        if fold is not None:
            fold(event)
            self.last = event.time

    def _arrived(self, event: Any) -> None:
        self.arrived += 1
        self.waiting = event.waiting
        self.requests[event.id] = {"number": self.arrived, "arrived": event.time, "sealed": None, "done": None,
                                   "batch": None}
        if len(self.requests) > KEEP_REQUESTS:
            self.requests.pop(next(iter(self.requests)))

    def _sealed(self, event: Any) -> None:
        self.waiting = event.waiting
        self.sizes[event.size] += 1
        self.reasons[event.reason] += 1
        for request in self._known(event.ids):
            request["sealed"], request["batch"] = event.time, event.batch
        self.batches[event.batch] = {"id": event.batch, "sealed": event.time, "done": None, "size": event.size,
                                     "reason": event.reason, "outcome": None}
        if len(self.batches) > KEEP_BATCHES:
            self.batches.pop(next(iter(self.batches)))

    def _done(self, event: Any) -> None:
        self.answered += event.answered
        if event.batch in self.batches:
            self.batches[event.batch].update(done=event.time, outcome=event.outcome)
        for request in self._known(event.ids):
            request["done"] = event.time
            self.latencies.add(event.time, event.time - request["arrived"])

    def _shed(self, event: Any) -> None:
        self.shed += 1
        if event.id is not None:        # it was let in, and waited
            self.waiting = max(self.waiting - event.rows, 0)
            self.requests.pop(event.id, None)

    def _known(self, ids: Iterable[int]) -> list[dict[str, Any]]:
        return [self.requests[id] for id in ids if id in self.requests]


def _current(name: str) -> Any:
    """An attribute of the history, read when all that has happened has been taken in."""
    return property(lambda tap: getattr(tap.history(), name))


class BatcherTap:
    """Follows one `Batcher`. Give `tap.follow` to a panel as work, or use `async with tap:` around a run.

    `window`: seconds shown by `gathering()`, which zooms in when there are too many requests to see; `slice`: length of
    one point of `latency()`.
    """

    requests, batches, sizes, reasons = map(_current, ("requests", "batches", "sizes", "reasons"))
    arrived, answered, shed, waiting = map(_current, ("arrived", "answered", "shed", "waiting"))
    latencies, last = map(_current, ("latencies", "last"))

    def __init__(self, batcher: Any, *, window: float = 2.0, slice: float = 0.5) -> None:
        self.batcher, self.window, self.slice = batcher, window, slice
        self.queue: deque[int] = deque(maxlen=120)
        self._history = History(slice)
        self._events: Any = None
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<BatcherTap {number(self.answered)} answered, {number(self.sizes.total())} batches seen>"

    async def __aenter__(self) -> "BatcherTap":
        self._task = asyncio.create_task(self.follow(), name="batcher tap")
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    async def follow(self) -> None:
        """Reads events until cancelled, or until the batcher has nothing more to tell. What was under way is
        forgotten.
        """
        history = self.history()
        history.requests.clear()
        history.batches.clear()
        self._events = self.batcher.events()
        try:
            async for event in self._events:
                history.see(event)
                self.history()
                await asyncio.sleep(NAP)
        finally:
            self.history()
            self._events = None

    def see(self, event: Any) -> None:
        """Folds one event into the state. Kinds it does not know are passed over."""
        self._history.see(event)

    def history(self) -> History:
        """What has happened up to now."""
        if self._events is not None:
            for event in self._events.take():
                self._history.see(event)
        return self._history

    def gathering(self) -> State:
        """State of the view `gathering`: the last requests and batches. While nothing happens, time stands still in
        it.
        """
        now, past = asyncio.get_running_loop().time(), self.history()
        idle = 0.0 if _busy(past) else max(now - past.last - self.window / 8, 0.0)
        requests = list(islice(reversed(past.requests.values()), 80))[::-1]
        oldest = requests[0]["arrived"] if requests else now
        window = min(self.window, max(now - idle - oldest, 0.02)) if len(requests) == 80 else self.window
        return {"view": "gathering", "now": now - idle, "idle": idle, "window": window,
                "requests": [dict(r) for r in requests], "batches": [dict(batch) for batch in past.batches.values()],
                "waiting": past.waiting, "answered": past.answered, "shed": past.shed}

    def latency(self, slo: float | None = None) -> State:
        """State of the view `latency`: p50 and p99 of each slice of time."""
        now = asyncio.get_running_loop().time()
        return {"view": "latency", "points": self.latencies.points(now), "slice": self.slice, "slo": slo}

    def sizes_and_queue(self) -> State:
        """State of the view `sizes`. Each call adds one point to the curve of the queue."""
        past = self.history()
        self.queue.append(past.waiting)
        return {"view": "sizes", "queue": list(self.queue), "limit": _finite(self.batcher.max_queue),
                "sizes": {str(size): count for size, count in sorted(past.sizes.items())},
                "reasons": dict(past.reasons), "max_batch_size": self.batcher.max_batch_size}


def _busy(past: History) -> bool:
    return not past.batches or past.waiting > 0 or any(batch["done"] is None for batch in past.batches.values())


class Slices:
    """Latencies gathered into slices of time; of each slice at most `keep` values are held, chosen evenly at random."""

    def __init__(self, slice: float, *, most: int = 60, keep: int = 400) -> None:
        self.slice, self.keep = slice, keep
        self.slices: deque[tuple[int, list[float], int]] = deque(maxlen=most)
        self._random = random.Random(0)
        self._points: dict[int, dict[str, Any]] = {}        # as they were last computed

    def add(self, time: float, latency: float) -> None:
        index = int(time / self.slice)
        if not self.slices or self.slices[-1][0] < index:
            self.slices.append((index, [], 0))
        index, values, count = self.slices[-1]
        self.slices[-1] = (index, values, count + 1)
        if len(values) < self.keep:
            values.append(latency)
        elif (place := self._random.randrange(count + 1)) < self.keep:
            values[place] = latency

    def points(self, now: float) -> list[dict[str, Any]]:
        """One point for each full slice up to now, empty ones too."""
        if not self.slices:
            return []
        known = {index: (values, count) for index, values, count in self.slices}
        last = int(now / self.slice)
        first = max(self.slices[0][0], last - 60)
        self._points = {index: self._point(index, *known.get(index, ([], 0))) for index in range(first, last)}
        return list(self._points.values())

    def _point(self, index: int, values: list[float], count: int) -> dict[str, Any]:
        point = self._points.get(index)
        if point is None or point["answered"] != count:
            p50, p99 = quantiles(values, 0.50, 0.99)
            point = {"t": index * self.slice, "p50": p50, "p99": p99, "answered": count}
        return point


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def quantile(values: list[float], share: float) -> float | None:
    """The nearest-rank quantile, or None of nothing: the smallest value that at least `share` of them do not exceed."""
    return quantiles(values, share)[0]


def quantiles(values: list[float], *shares: float) -> list[float | None]:
    """The quantile for each share; the values are sorted but once."""
    ordered = sorted(values)
    if not ordered:
        return [None for _ in shares]
    return [ordered[max(math.ceil(len(ordered) * share - 1e-9) - 1, 0)] for share in shares]
