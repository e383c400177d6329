"""What to do with a queue and a free worker: pure functions, no clock, no asyncio, no state.

The batcher and the simulation call the same ones, so what is learned from one holds for the other. Sizes are counted
in rows; a cost is a function n -> seconds that does not fall as n grows; times are seconds on any one clock.

Invariants
    1. Nothing admitted is thrown away to make room: whoever is shed would have been answered too late.
    2. Cutting a batch down never makes anybody in its queue wait longer than padding it up would have, but for the
       turns of other queues; under an SLO not even so.
    3. Under the 2T rule with a steady cost, whatever is let in is answered within the SLO.
"""

import heapq
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

Cost = Callable[[int], float]

# Rows let in before the first batch has told anything about T(n): into an idle batcher; and in all, while one runs.
# They are answered within any SLO that has room for two batches of half a dozen.
COLD_BURST, COLD = 16, 8
# Sums of floats: a promise of exactly 60 ms is not broken by the sixteenth decimal.
TOLERANCE = 1e-9


class Waiting(NamedTuple):
    """One queue: its rows, when its oldest request arrived, when the first answer is due, its highest priority."""

    key: Hashable
    rows: int
    arrived: float
    due: float = math.inf
    priority: float = 0


class Outlook(NamedTuple):
    """A moment of the future: what waits then, in serving order, and since or from when each worker is free."""

    time: float
    queues: list[Waiting]
    free: list[float]

    @property
    def rows(self) -> int:
        return sum(queue.rows for queue in self.queues)


# --- how many to take ---

def share(rows: int, total: int, idle: int, others: int) -> int:
    """How many of one queue's `rows` a batch may take, so that idle workers get their share of all `total` rows.

    `idle` counts the worker that asks; `others` are the other queues that have something waiting. Where they are
    enough to occupy the other idle workers, nothing is left over: rows left behind would wait for a busy worker.
    """
    return rows if idle - 1 <= others else min(rows, -(-total // idle))


def fit(weights: Iterable[int], limit: int) -> int:
    """How many requests from the front fit into `limit` rows; at least one, since a larger one runs alone.

    It stops at the first that does not fit: letting smaller ones pass would keep a large one waiting for ever.
    """
    count = total = 0
    for weight in weights:
        total += weight
        if total > limit:
            return max(count, 1)
        count += 1
    return count


# --- what to pad to, or cut down to ---

def padded(rows: int, sizes: Sequence[int] | None) -> int:
    """The smallest allowed size that holds `rows`; `rows` itself where every size is allowed, or none is enough."""
    if sizes is None:
        return rows
    return next((size for size in sizes if size >= rows), rows)


def pad_or_cut(rows: int, sizes: Sequence[int] | None, cost: Cost | None) -> int:
    """How many of `rows` to take now: all of them, to be padded up, or the next allowed size below.

    It cuts only when the smaller batch and then the rest take less time than the padded one: then nobody is answered
    later than he would have been. Without a measured cost it pads.
    """
    if sizes is None or cost is None or rows in sizes or rows > sizes[-1] or rows < sizes[0]:
        return rows
    below = max(size for size in sizes if size < rows)
    return below if cost(below) + _cheapest(rows - below, sizes, cost) < cost(padded(rows, sizes)) else rows


def may_cut(taken: int, wanted: int, rows: int, sizes: Sequence[int], cost: Cost, between: float) -> bool:
    """May requests of `taken` rows, which were to fill `wanted`, be taken now, and the rest of `rows` in one batch,
    when others have had their turns, which last `between` seconds? The first request may be larger than `wanted`."""
    whole = cost(padded(rows, sizes))
    return taken <= wanted and cost(padded(taken, sizes)) + between + cost(padded(rows - taken, sizes)) < whole


def _cheapest(rows: int, sizes: Sequence[int], cost: Cost) -> float:
    """The least time for `rows` with batches of allowed sizes."""
    if rows == 0:
        return 0.0
    whole = cost(padded(rows, sizes))
    below = max((size for size in sizes if size <= rows), default=0)
    if not below:
        return whole
    return min(whole, rows // below * cost(below) + _cheapest(rows % below, sizes, cost))


def fillers(gap: int, weights: Sequence[int]) -> list[int]:
    """Which requests of a batch to repeat so that `gap` rows are filled, as indices; as close from below as can be."""
    chosen: list[int] = []
    for index in sorted(range(len(weights)), key=lambda i: -weights[i]):
        copies, rest = divmod(gap, weights[index])
        if copies and (rest == 0 or rest >= min(weights)):
            chosen += [index] * copies
            gap = rest
    smallest = min(range(len(weights)), key=lambda i: weights[i])
    return chosen + [smallest] * (gap // weights[smallest])


# --- when to seal ---

def seal_time(free_since: float, first_arrival: float, linger: float) -> float:
    """A worker lingers from the moment it could start: when it is free and something is there.

    A timer from the oldest request instead would have run out while the last batch ran, and cure nothing.
    """
    return max(free_since, first_arrival) + linger


# --- the SLO ---

def promised(upper: Cost, slo: float, linger: float, limit: int, sizes: Sequence[int] | None = None) -> int:
    """n*: the largest n up to `limit`, of the allowed sizes if there are any, with 2·T(n) + linger <= slo; 0 if none.

    A request waits for at most one running batch and is in the next one, and both have at most n* rows.
    """
    candidates: Sequence[int] = range(1, limit + 1) if sizes is None else [size for size in sizes if size <= limit]
    low, high = 0, len(candidates)
    while low < high:
        middle = (low + high) // 2
        if 2 * upper(candidates[middle]) + linger <= slo * (1 + TOLERANCE):
            low = middle + 1
        else:
            high = middle
    return candidates[low - 1] if low else 0


def answer_times(queues: Sequence[Waiting], free: Sequence[float], upper: Cost, linger: float) -> list[float]:
    """When each of `queues` will have been answered, if they are served once each in this order."""
    workers = list(free)
    heapq.heapify(workers)
    times = []
    for queue in queues:
        times.append(workers[0] + linger + upper(queue.rows))
        heapq.heapreplace(workers, times[-1])
    return times


def in_time(queues: Sequence[Waiting], free: Sequence[float], upper: Cost, linger: float) -> bool:
    """Would all that waits be answered when it is due?

    This is how n* is cut for several keys: each key more costs a batch more.
    """
    times = answer_times(queues, free, upper, linger)
    return not any(late(queue.due, time) for queue, time in zip(queues, times, strict=True))


def late(due: float, done: float) -> bool:
    return done > due + TOLERANCE


def hopeless(due: Sequence[float], weights: Sequence[int], now: float, likely: Cost) -> list[int]:
    """Whom to shed from a batch about to start: as few as possible, so that the others are answered when they are due.

    Returns indices, most urgent first. Those due first go first: they would be late in any batch that they are in,
    and without them the batch is shorter for the rest.
    """
    rows = sum(weights)
    shed: list[int] = []
    for index in sorted(range(len(due)), key=due.__getitem__):
        if not late(due[index], now + likely(rows)):
            break
        shed.append(index)
        rows -= weights[index]
    return shed


# --- what to tell the rejected ---

def future(now: float, queues: Iterable[Waiting], free: Iterable[float], limit: int, linger: float,
           cost: Cost) -> Iterator[Outlook]:
    """What will be if nobody else comes: how things stand now, and after each batch that will be sealed."""
    line, workers = [queue for queue in queues if queue.rows > 0], list(free)
    heapq.heapify(workers)
    yield Outlook(now, list(line), list(workers))
    while line:
        index, when = _next_seal(line, workers[0], limit, linger)
        now = max(now, when)
        queue = line.pop(index)
        total, idle = queue.rows + sum(other.rows for other in line), sum(1 for when in workers if when <= now)
        taken = min(limit, share(queue.rows, total, idle, len(line)))
        if queue.rows > taken:
            line.append(queue._replace(rows=queue.rows - taken))
        heapq.heapreplace(workers, now + cost(taken))
        yield Outlook(now, list(line), list(workers))


def _next_seal(line: Sequence[Waiting], free: float, limit: int, linger: float) -> tuple[int, float]:
    """Which queue is sealed next, and when: the first whose batch is full, else the first whose linger is over."""
    times = [free if queue.rows >= limit else seal_time(free, queue.arrived, linger) for queue in line]
    index = min(range(len(line)), key=times.__getitem__)
    return index, times[index]


# --- whom an exception hits ---

def half(count: int) -> int:
    """Where a failed batch of `count` is cut in two: k poisoned of n cost at most 2·k·log2(n) calls more."""
    return (count + 1) // 2
