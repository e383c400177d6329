"""One batch on its way through the function, in one piece or, after a failure, in several."""

from collections.abc import Hashable, Sequence
from typing import Any

from . import policy
from .queue import RUNNING, Request


class Tally:
    """What came of a batch's requests so far."""

    __slots__ = ("answered", "failed")

    def __init__(self) -> None:
        self.answered = self.failed = 0

    def outcome(self) -> str:
        if not self.failed:
            return "answered"
        return "isolated" if self.answered else "failed"


class Batch:
    """`part` is what the current call of the function is for, `rows` the rows of that call with its padding, `began`
    when it began; `parts` are still to come. `size` are the rows of all requests together."""

    __slots__ = ("began", "key", "number", "owner", "part", "parts", "reason", "requests", "rows", "sealed", "size",
                 "tally", "worker")

    def __init__(self, number: int, worker: int, requests: list[Request], size: int, now: float) -> None:
        self.number, self.worker, self.requests = number, worker, requests
        self.key: Hashable = requests[0].key
        self.sealed = self.began = now
        self.size = self.rows = size
        self.reason = ""
        self.owner: Any = None
        self.part = requests
        self.parts: list[list[Request]] = []
        self.tally = Tally()

    def ids(self) -> tuple[int, ...]:
        return tuple(request.id for request in self.requests)

    def items_of(self, part: list[Request], sizes: Sequence[int] | None) -> list[Any]:
        """The items for one call, padded with repeated ones where only some sizes are allowed."""
        self.part = part
        items = [request.item for request in part]
        self.rows = self.size if part is self.requests else rows_of(part)
        gap = policy.padded(self.rows, sizes) - self.rows
        if gap:
            weights = [request.rows for request in part]
            for index in policy.fillers(gap, weights):
                items.append(items[index])
                self.rows += weights[index]
        return items

    def bisect(self) -> None:
        """The part has failed, and one of its items may be to blame: its halves come next, the left one first."""
        half = policy.half(len(self.part))
        self.parts += [self.part[half:], self.part[:half]]

    def next_part(self) -> list[Request]:
        """What is to be run next, without those whose callers have gone meanwhile; nothing when the batch is done."""
        while self.parts:
            part = [request for request in self.parts.pop() if request.state == RUNNING]
            if part:
                return part
        return []


def rows_of(requests: list[Request]) -> int:
    return sum([request.rows for request in requests])
