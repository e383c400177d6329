"""How many replicas: by the time that requests wait, not by how many there are.

A batcher that has sixty requests under way may be idle half of the time, so their number says little. What its users
feel, and what more replicas shorten, is the queue delay.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from asyncpatterns import Batcher
from asyncpatterns.batching.events import Sealed

QUEUE_DELAY = "queue_delay"
NAP = 0.05      # seconds


class Recent:
    """A quantile of the values of the last `seconds` seconds, 0 where there are none."""

    def __init__(self, seconds: float = 5.0, quantile: float = 0.9) -> None:
        self.seconds, self.quantile = seconds, quantile
        self._values: deque[tuple[float, float]] = deque(maxlen=4096)

    def note(self, time: float, value: float) -> None:
        self._values.append((time, value))

    def at(self, time: float) -> float:
        while self._values and self._values[0][0] < time - self.seconds:
            self._values.popleft()
        if not self._values:
            return 0.0
        ordered = sorted(value for _, value in self._values)
        return ordered[math.ceil(self.quantile * len(ordered)) - 1]


async def note_delays(batcher: Batcher, delays: Recent) -> None:
    """Notes how long the first request of each batch had waited, as long as the batcher lives."""
    events = batcher.events()
    async for first in events:
        for event in (first, *events.take()):
            if isinstance(event, Sealed):
                delays.note(event.time, event.queue_delay)
        await asyncio.sleep(NAP)        # to be woken for every event would cost the batcher more than its events do


def wanted_replicas(current: int, delays: Sequence[float], target: float) -> int:
    """How many replicas there should be, when requests wait `delays` seconds at the `current` ones.

    Above `target` seconds on average: in proportion, but at most twice as many at a time. Below a quarter of it: one
    less, and never none. Between, and without any figures: as many as there are, so that it does not swing.
    """
    if not delays:
        return current
    delay = sum(delays) / len(delays)
    if delay > target:
        return math.ceil(current * min(2.0, delay / target))
    return max(1, current - 1) if delay < target / 4 else current


class QueueDelayPolicy:
    """A policy for Ray Serve's `AutoscalingConfig`, which calls it again and again with what the replicas report."""

    def __init__(self, target: float = 0.05) -> None:
        self.target = target

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        reported: Mapping[str, Mapping[Any, float]] = context.aggregated_metrics or {}
        delays = list(reported.get(QUEUE_DELAY, {}).values())
        return wanted_replicas(context.target_num_replicas, delays, self.target), {}
