"""The SLO as a rule for the door: whom to let in, so that whatever is let in is answered in time.

Four rules, chosen anew after each batch from what is known of T(n):

    cold      nothing is known: a handful is let in, to learn from;
    careful   some sizes are known, or even n = 1 does not fit twice into the SLO: a request is let in if, with the rest
              of the running batch before it and everything that waits beside it, it is answered in time at the worst
              T(n) that agrees with what was seen;
    2T        n* rows may wait and n* may be in a batch; for several keys the test of `careful` comes on top;
    probe     not even one row fits into the SLO: once in a while one is let in, to see whether that is still so.
"""

import math
from collections.abc import Sequence

from . import policy
from .estimate import ServiceTime
from .policy import Outlook, Waiting

# A probe is late by its nature; so many of its service times pass until the next one.
PROBE_EVERY = 20


class Promise:
    """`rows`: at most so many rows wait, and at most so many are in a batch (at least 1 there)."""

    def __init__(self, time: ServiceTime) -> None:
        self._time = time
        self._smallest = 1
        self._curious = self._missed = False
        self.slo, self.linger, self.limit, self.sizes = 0.0, 0.0, 1, None
        self.rule, self.rows = "cold", policy.COLD_BURST
        self.cost: policy.Cost = time.upper

    def __repr__(self) -> str:
        return f"<promise of {self.slo:g} s by rule {self.rule!r}: {self.rows} rows>"

    def retune(self, slo: float, linger: float, limit: int, sizes: Sequence[int] | None) -> None:
        """A batch has been measured, or a setting has changed."""
        self.slo, self.linger = slo, linger
        self._smallest = sizes[0] if sizes else 1
        self._curious, self._missed = self._missed and not self._curious, False
        time = self._time
        if not time.count:
            self.rule, self.rows = "cold", min(policy.COLD_BURST, limit)
            return
        self.cost = time.upper
        rows = policy.promised(time.upper, slo, linger, limit, sizes)
        if not rows:        # noise beyond any promise: serve what half of the batches allow, and shed the rest
            self.cost = time.typical
            rows = policy.promised(time.typical, slo, linger, limit, sizes)
        self._choose(rows, limit)

    def _choose(self, rows: int, limit: int) -> None:
        if rows and self._time.trusted:
            self.rule, self.rows = "2T", rows
        elif self.fits_alone(self._smallest):
            self.rule = "careful"
            self.rows = max(rows, self._smallest) if self._time.told_apart else min(policy.COLD_BURST, limit)
        else:
            self.rule, self.rows = "probe", 0

    def fits_alone(self, rows: int) -> bool:
        """Is a batch of `rows` that need not wait answered in time?"""
        return self._time.count > 0 and not policy.late(self.slo, self.cost(rows) + self.linger)

    # --- at the door ---

    def room_for(self, rows: int, waiting: int, running: int) -> bool:
        """By the number of rows alone: may `rows` more wait where `waiting` do and `running` are on their way?"""
        if rows > self.rows and not waiting and not running:
            return self.fits_alone(rows) or self.rule == "cold"
        if self.rule == "cold" and running:
            return rows + waiting + running <= policy.COLD
        return rows + waiting <= self.rows

    def in_time(self, queues: Sequence[Waiting], free: Sequence[float]) -> bool:
        """Would all of `queues`, the newcomer among them, be answered when they are due?

        While one size is all that was ever seen, a request that came early in a running batch would keep others out
        and the next batch as small as the last. So if some were kept out, for one batch requests are let in only
        when there is time for one more beside them.
        """
        if self._curious and not self._time.trusted and len(queues) == 1 and queues[0].rows == 1:
            queues = [queues[0]._replace(rows=2)]
        fits = policy.in_time(queues, free, self.cost, self.linger)
        self._missed = self._missed or not fits
        return fits

    def opening(self, outlook: Outlook, place: int, queues: Sequence[Waiting]) -> float:
        """When, in this state of things, the newcomer in queue `place` of `queues` would be let in; may be never.

        Those who wait must not become late, and the later it comes itself the later its own answer is due.
        """
        free = [max(outlook.time, when) for when in outlook.free]
        times = policy.answer_times(queues, free, self.cost, self.linger)
        if any(policy.late(queue.due, time) for queue, time in zip(queues, times, strict=True)):
            return math.inf
        return max(outlook.time, times[place] - self.slo)

    def next_probe(self, last: float) -> float:
        """When one that cannot be in time may be let in, to measure. `last`: when a batch was last started."""
        return last + PROBE_EVERY * max(self.slo, self._time.typical(self._smallest))
