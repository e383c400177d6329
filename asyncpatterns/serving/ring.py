"""Which of several hosts holds a key: consistent hashing.

Invariants
    1. The answer depends on the names of the hosts and on the key, on nothing else: every process that knows the same
       names gives the same answer, without asking anybody. (Python's `hash` of a str differs between processes.)
    2. When a host goes, only its own keys move; when it comes back, only these come back.

The idea and the name are Karger's and others' (Consistent Hashing and Random Trees, 1997); several points for each
host, so that the shares are even, as in Amazon's Dynamo (2007).
"""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Container, Hashable, Iterable, Iterator
from hashlib import blake2b


class HashRing:
    """`ring.owner(key)` names the host that holds `key`.

    Each host stands at `points` places on a circle of 2**64; a key belongs to the next place clockwise. With `points`
    = 128 the largest share is some 20 % above the mean. Keys are told apart by their `repr`, so that 1 and "1" are two.
    """

    def __init__(self, hosts: Iterable[str] = (), *, points: int = 128) -> None:
        if not isinstance(points, int) or points < 1:
            raise ValueError(f"points is an int >= 1, not {points!r}")
        self.points = points
        self._places: list[tuple[int, str]] = []
        self._hosts: dict[str, None] = {}
        for host in hosts:
            self.add(host)

    def add(self, host: str) -> None:
        """Put a host on the ring; raises `ValueError` when it stands there already."""
        if host in self._hosts:
            raise ValueError(f"{host!r} is on the ring already")
        self._hosts[host] = None
        for number in range(self.points):
            insort(self._places, (place_of((host, number)), host))

    def remove(self, host: str) -> None:
        """Take a host off the ring; raises `KeyError` when it is not there."""
        del self._hosts[host]
        self._places = [(place, name) for place, name in self._places if name != host]

    def owner(self, key: Hashable, *, skip: Container[str] = ()) -> str:
        """The host of `key`, as if those in `skip` were not there; raises `LookupError` when nobody is left."""
        for host in self.clockwise(key):
            if host not in skip:
                return host
        raise LookupError(f"no host is left for {key!r}: {self!r}")

    def clockwise(self, key: Hashable) -> Iterator[str]:
        """Every host, in the order in which they would take over `key`."""
        start = bisect(self._places, (place_of(key), "\U0010ffff"))
        seen = set()
        for step in range(len(self._places)):
            host = self._places[(start + step) % len(self._places)][1]
            if host not in seen:
                seen.add(host)
                yield host

    def __contains__(self, host: object) -> bool:
        return host in self._hosts

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._hosts))

    def __len__(self) -> int:
        return len(self._hosts)

    def __repr__(self) -> str:
        return f"<HashRing of {len(self)}: {', '.join(self)}>"


def place_of(key: Hashable) -> int:
    """Where on the circle `key` lies; the same in every process."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big")
