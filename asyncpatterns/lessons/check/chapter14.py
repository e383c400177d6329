"""Chapter 14: beyond one machine. Who holds a key, who may write it, and how even the shares are."""

from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

from .core import check, expect

Places = list[tuple[int, str]]
HOSTS = ("amber", "beryl", "coral", "dusk", "ember", "flint", "garnet", "hazel", "iris", "jade")


def _place_of(text: object) -> int:
    return int.from_bytes(blake2b(repr(text).encode(), digest_size=8).digest(), "big")


def _places(hosts: Sequence[str], points: int = 16) -> Places:
    return sorted((_place_of((host, number)), host) for host in hosts for number in range(points))


def _no_way_round(problem: BaseException) -> str | None:
    if isinstance(problem, IndexError):
        return "Behind the last place comes the first again: it is a ring. `% len(places)`"
    if isinstance(problem, TypeError) and "<" in str(problem):
        return "The places are pairs (place, host): compare a pair with them, as in `bisect(places, (place,))`."
    return None


@check("the next host clockwise", diagnose=_no_way_round)
def owner(function: Callable[[int, Places], str]) -> str:
    """`function(place, places)`: the host at the first of the sorted `places` that is not before `place`."""
    ring: Places = [(10, "amber"), (20, "beryl"), (30, "coral"), (40, "amber")]
    before = [function(place, ring) for place in (15, 25, 35)]
    saw = f"on the ring {ring} the keys at 15, 25 and 35 went to {', '.join(map(str, before))}"
    expect(before != ["amber", "beryl", "coral"], saw=saw,
           hint="That is the place before the key. Go the other way, clockwise: the next one.")
    expect(before != [(20, "beryl"), (30, "coral"), (40, "amber")], saw=saw,
           hint="A place is a pair; the host is its second half.")
    expect(before != ["amber"] * 3, saw=saw, hint="Every key went to the first place. Where does the key itself lie?")
    expect(before == ["beryl", "coral", "amber"], saw=saw,
           hint="`bisect` finds where the key would be sorted in; there stands the next place.")
    around = function(45, ring)
    expect(around == "amber", saw=f"a key at 45, behind the last place, went to {around}",
           hint="Behind the last place comes the first again: it is a ring. `% len(places)`")
    return _moves(function)


def _moves(function: Callable[[int, Places], str]) -> str:
    keys = [f"user-{number}" for number in range(2_000)]
    three, two = _places(HOSTS[:3]), _places(HOSTS[:2])
    moved = {key for key in keys if function(_place_of(key), three) != function(_place_of(key), two)}
    lost = {key for key in keys if function(_place_of(key), three) == HOSTS[2]}
    expect(moved == lost, saw=f"one of three hosts left with {len(lost):,} of 2,000 keys, and {len(moved):,} moved",
           hint="Only the keys of the host that left may move. The answer must depend on places, not on their number.")
    return f"one of three hosts left with {len(lost):,} of 2,000 keys, and just these moved"


@check("who was superseded is refused")
def fence(make: Callable[[], Any]) -> str:
    """`claim(key)` hands out a token; `save(key, token, state)` is refused unless the token is the key's newest."""
    store = make()
    old = store.claim("alice")
    first = store.save("alice", old, "one")
    expect(first is True and store.states.get("alice") == "one",
           saw=f"the only claimant saved and got {first!r}; the store holds {store.states}",
           hint="The holder of the newest token may save: put the state into `self.states` and return True.")
    new = store.claim("alice")
    expect(old != new, saw=f"two claims of one key got the same token, {old!r}",
           hint="A token must be new each time, also for the same host: `next(self.tokens)`.")
    late = store.save("alice", old, "from beyond")
    expect(store.states["alice"] != "from beyond",
           saw="alice moved to another host, and her old one, which knows nothing of it, wrote over her state",
           hint="Compare the token with the newest one that `claim` handed out for this key." if late else
                "It was refused, and stored all the same: compare first, then store.")
    expect(late is False, saw=f"the old host's save was answered with {late!r}",
           hint="Tell the old host that it is no longer in charge: return False.")
    store.claim("bob")
    mine = store.save("alice", new, "two")
    expect(mine is True and store.states["alice"] == "two",
           saw=f"bob was claimed, and then alice's rightful host saved and got {mine!r}",
           hint="Each key has a newest token of its own: remember it by key.")
    return "the newest claimant saved, the one before was refused, and bob did not disturb alice"


class Key(str):
    """A key whose `hash` differs from process to process, as that of every str does."""

    __slots__ = ()
    salt = 0

    def __hash__(self) -> int:
        return super().__hash__() ^ Key.salt


@check("evener than the ring, and as steady")
def assignment(assign: Callable[[str, Sequence[str]], str], *, beat: float = 1.12, steady: float = 1.3) -> str:
    """`assign(key, hosts)` names a host: the busiest of ten has at most 1.12 times the mean, and when one leaves
    only its keys move.
    """
    keys = [Key(f"user-{number}") for number in range(5_000)]
    before = [assign(key, HOSTS) for key in keys]
    expect(set(before) <= set(HOSTS), saw=f"the first key went to {before[0]!r}", hint="Return one of `hosts`.")
    _same_everywhere(assign, keys, before)
    busiest = max(Counter(before).values()) / (len(keys) / len(HOSTS))
    after = [assign(key, HOSTS[:-1]) for key in keys]
    moved = sum(old != new for old, new in zip(before, after, strict=True)) / len(keys)
    saw = f"the busiest of ten hosts has {busiest:.2f} times the mean; when one left, {moved:.0%} of the keys moved"
    expect(moved <= steady / len(HOSTS), saw=saw,
           hint="Even, but not steady: a key should go elsewhere only when its own host is gone. Let every host make "
                "a bid for the key, and the bids not depend on who else is there." if busiest <= beat else
                "A key should go elsewhere only when its own host is gone.")
    expect(busiest <= beat, saw=saw, hint=f"The number to beat is {beat}. More points on the ring make it evener; "
                                          "or give each pair of host and key a number, and let the largest win.")
    return saw


def _same_everywhere(assign: Callable[[str, Sequence[str]], str], keys: Sequence[Key], before: Sequence[str]) -> None:
    Key.salt = 0x5EED
    try:
        elsewhere = [assign(key, HOSTS) for key in keys[:200]]
    finally:
        Key.salt = 0
    expect(elsewhere == list(before[:200]), saw="in another process the same keys go to other hosts",
           hint="Python salts `hash(str)` anew in each process, and `random` is as forgetful. `place_of(...)` is the "
                "same everywhere.")
