"""Consistent hashing: even shares, the same answer everywhere, and only a lost host's keys move."""

import subprocess
import sys
from collections import Counter

import pytest

from asyncpatterns.serving.ring import HashRing

HOSTS = ("amber", "beryl", "coral", "dusk", "ember")
KEYS = [f"user-{number}" for number in range(5_000)]


def owners(ring, skip=()):
    return {key: ring.owner(key, skip=skip) for key in KEYS}


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_shares_are_even(count):
    shares = Counter(owners(HashRing(HOSTS[:count])).values())
    assert len(shares) == count
    assert max(shares.values()) <= 1.25 * len(KEYS) / count


@pytest.mark.parametrize("gone", HOSTS)
def test_only_the_keys_of_a_lost_host_move_and_they_come_back(gone):
    ring = HashRing(HOSTS)
    before = owners(ring)
    skipped = owners(ring, skip={gone})
    ring.remove(gone)
    after = owners(ring)
    assert after == skipped
    assert all(after[key] == before[key] for key in KEYS if before[key] != gone)
    assert gone not in after.values()
    assert len({after[key] for key in KEYS if before[key] == gone}) == 4, "one neighbour inherits everything"
    ring.add(gone)
    assert owners(ring) == before


def test_the_order_of_the_hosts_does_not_matter():
    assert owners(HashRing(HOSTS)) == owners(HashRing(reversed(HOSTS)))


def test_every_process_gives_the_same_answer():
    code = ("from asyncpatterns.serving.ring import HashRing; ring = HashRing(('amber', 'beryl', 'coral'));"
            "print(*(ring.owner(f'user-{n}') for n in range(50)))")
    said = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
            for _ in range(2)}
    assert said == {" ".join(HashRing(HOSTS[:3]).owner(f"user-{n}") for n in range(50)) + "\n"}


def test_keys_that_look_alike_are_two():
    ring = HashRing(HOSTS)
    assert any(ring.owner(number) != ring.owner(str(number)) for number in range(20))


def test_what_cannot_be_is_said():
    ring = HashRing(["amber"])
    with pytest.raises(LookupError, match="no host is left for 'alice'"):
        ring.owner("alice", skip={"amber"})
    with pytest.raises(ValueError, match="on the ring already"):
        ring.add("amber")
    with pytest.raises(KeyError):
        ring.remove("beryl")
    with pytest.raises(ValueError, match="points"):
        HashRing(points=0)
    assert "amber" in ring and list(ring) == ["amber"] and repr(ring) == "<HashRing of 1: amber>"
