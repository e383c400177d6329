"""Slots that a template writes out: "is it still free tonight" names a time as much as "at {time}" does.

Hand-written sentences are marked throughout, so the drawn ones must be, too, or the model learns that some words of a
template are slots only where the author thought of it.
"""

from collections.abc import Iterator, Sequence

from .fillers import COUNTS, DAYS, WHO
from .noise import Word

_WHEN = {
    "date": (
        *("today", "tomorrow", "yesterday", "next week", "this week", "last week", "next month", "last month", *DAYS),
        *("this weekend", "next weekend", "the day after tomorrow", "christmas day", "christmas eve"),
    ),
    "time": ("tonight", "noon", "midnight", "midday", "this morning", "this afternoon", "this evening", "last night"),
    "class": ("first class", "second class", "1st class", "2nd class", "business class", "standard class"),
    "people": tuple(f"{n} {who}" for n in COUNTS if n not in ("a", "one") for who in WHO if who != "babies"),
}
_SLOT_OF = {tuple(phrase.split()): slot for slot, phrases in _WHEN.items() for phrase in phrases}
_CLASSES = {(word,): "class" for word in ("first", "second", "1st", "2nd", "standard", "business")}
_NOT_A_CLASS = frozenset(("time", "leg", "train", "thing", "one", "train's", "thoughts"))
_LONGEST = max(map(len, _SLOT_OF))


def mark_mentions(words: Sequence[Word], intent: str) -> list[Word]:
    """The words, with those that name a day, a time, a class or travellers marked as slots where they are not yet."""
    known = _SLOT_OF | _CLASSES if intent == "upgrade" else _SLOT_OF
    marked: list[Word] = []
    at = 0
    while at < len(words):
        length, slot = next(_mentions(words, at, known), (1, None))
        piece = words[at : at + length]
        marked += piece if slot is None else [w._replace(slot=slot, begins=i == 0) for i, w in enumerate(piece)]
        at += length
    return marked


def _mentions(words: Sequence[Word], at: int, known: dict[tuple[str, ...], str]) -> Iterator[tuple[int, str]]:
    """The slots that begin at a word, the longest first, each with its length."""
    for length in range(_LONGEST, 0, -1):
        piece = words[at : at + length]
        slot = known.get(tuple(word.text for word in piece))
        following = words[at + length].text if at + length < len(words) else ""
        if slot and all(word.slot is None for word in piece) and following not in _NOT_A_CLASS:
            yield length, slot
