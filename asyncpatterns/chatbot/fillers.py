"""Fillers: what people say for a station, a date, a time, a number. Each is drawn from the dice it is given."""

from collections.abc import Callable, Sequence
from random import Random

from .network import STATIONS

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAYS_SHORT = ("mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun")
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"),
)
HOURS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
SUFFIXES = ("am", "pm", "oclock", "o'clock")
SPOKEN_SUFFIXES = ("o'clock", "pm", "thirty", "fifteen")
FREE_DATES = (
    *("today", "tomorrow", "yesterday", "the day after tomorrow", "the day before yesterday", "next week", "this week"),
    *("this weekend", "next weekend", "next month", "in two weeks", "in three days", "last week", "the weekend"),
    *("christmas eve", "christmas day", "easter monday", "new year's eve", "boxing day", "good friday", "easter"),
    *("tmrw", "tmr", "2moro", "tomoz", "2day"),
)
PARTS_OF_DAY = ("morning", "afternoon", "evening", "early morning", "late afternoon", "late evening")
FREE_TIMES = (
    *("tonight", "this morning", "this afternoon", "this evening", "noon", "midnight", "midday", "lunchtime", "lunch"),
    *("last night", "morning", "afternoon", "evening", "night", "early morning", "late evening"),
)
COUNTS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "a", "one")
WHO = (
    *("adults", "people", "persons", "passengers", "children", "kids", "ppl", "students", "seniors", "pax", "friends"),
    *("travellers", "grown ups", "colleagues", "pensioners", "teenagers", "babies", "adult", "child", "person", "kid"),
)
CLASSES = (
    *("first class", "second class", "1st class", "2nd class", "first", "second", "1st", "2nd", "standard class"),
    *("standard", "business class", "business", "economy"),
)
TRAIN_KINDS = ("EX", "RG", "NT", "S", "IC", "EX", "RG", "S")
STEMS = ("bar", "wel", "tor", "mun", "hal", "bran", "cor", "fal", "gil", "nor", "pen", "ros", "sel", "ty", "ul", "ven")
ENDINGS = ("ton", "ville", "burg", "ham", "dale", "stad", "ford", "mouth", "wick", "ov", "heim", "port", "by", "ia")


def fill(slot: str, before: str, rng: Random) -> str:
    """Something that people say for `slot` where `before` has been said."""
    return _FILLERS[slot](before, rng)


def _pick(rng: Random, choices: Sequence[str]) -> str:
    return choices[int(rng.random() * len(choices))]


def _station(before: str, rng: Random) -> str:
    dice = rng.random()
    if dice < 0.06:  # a place that the network does not have: the model shall learn to tell a station by its neighbours
        return (_pick(rng, STEMS) + _pick(rng, STEMS) + _pick(rng, ENDINGS)).title()
    name = _pick(rng, _STATION_NAMES)
    nicknames = STATIONS[name]
    return _pick(rng, nicknames) if nicknames and dice < 0.35 else name


_STATION_NAMES = tuple(STATIONS)


def _ordinal(day: int) -> str:
    suffix = "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{suffix}"


def _calendar_date(rng: Random) -> str:
    day, month = rng.randint(1, 28), _pick(rng, MONTHS)
    return _pick(
        rng,
        (
            f"the {_ordinal(day)} of {month}",
            f"the {_ordinal(day)}",
            f"{day} {month}",
            f"{month} {day}",
            f"{month} {_ordinal(day)}",
            f"the {day} of {month}",
            f"{day}/{rng.randint(1, 12)}",
            f"{day}.{rng.randint(1, 12)}.",
            f"{_ordinal(day)} {month}",
            f"{day}.{rng.randint(1, 12)}.2026",
        ),
    )


def _date(before: str, rng: Random) -> str:
    dice = rng.random()
    if dice < 0.25:
        return _calendar_date(rng)
    if dice < 0.5 or before.endswith((" on ", "my ")):
        return _pick(rng, DAYS if rng.random() < 0.8 else DAYS_SHORT)
    if dice < 0.65:
        return f"{_pick(rng, ('next', 'this', 'last', 'coming', 'next', 'nxt'))} {_pick(rng, DAYS)}"
    return _pick(rng, FREE_DATES)


def _clock(rng: Random) -> str:
    hour, minute = rng.randint(1, 23), rng.randrange(0, 60, 5)
    word, half = _pick(rng, HOURS), rng.randint(1, 12)
    return _pick(
        rng,
        (
            f"{hour}:{minute:02}",
            f"{hour}:{minute:02}",
            f"{hour:02}:{minute:02}",
            f"{hour}.{minute:02}",
            f"{hour}:{minute:02}",
            f"{half}{_pick(rng, ('am', 'pm'))}",
            f"{half} {_pick(rng, SUFFIXES)}",
            f"{half}:{minute:02} {_pick(rng, ('am', 'pm'))}",
            f"{hour}",
            word,
            f"{word} {_pick(rng, SPOKEN_SUFFIXES)}",
            f"half past {_pick(rng, (word, str(half)))}",
            f"quarter {_pick(rng, ('past', 'to'))} {word}",
            f"{_pick(rng, ('ten', 'twenty', 'five'))} {_pick(rng, ('past', 'to'))} {word}",
            f"{hour}h{minute:02}",
            f"{hour:02}{minute:02}",
        ),
    )


def _time(before: str, rng: Random) -> str:
    if before.endswith((" in the ", "the in ", "about in the ")):
        return _pick(rng, PARTS_OF_DAY)
    clock_only = before.endswith((" the ", " at ", " around ", " my ", " by "))
    return _clock(rng) if clock_only or rng.random() < 0.6 else _pick(rng, FREE_TIMES)


def _ticket(before: str, rng: Random) -> str:
    number = rng.randint(100_000, 999_999)
    return _pick(rng, (f"KR {number}", f"KR{number}", f"KR-{number}", str(number), f"kr{number}"))


def _train(before: str, rng: Random) -> str:
    kind = _pick(rng, TRAIN_KINDS)
    number = rng.randint(1, 9) if kind == "S" else rng.randint(2, 989)
    return f"{kind}{'' if kind == 'S' or rng.random() < 0.3 else ' '}{number}"


def _people(before: str, rng: Random) -> str:
    count = _pick(rng, COUNTS) if rng.random() < 0.55 else str(rng.randint(1, 14))
    if count != "a" and rng.random() < 0.2:
        return count
    return f"{count} {_pick(rng, WHO)}"


def _class(before: str, rng: Random) -> str:
    return _pick(rng, CLASSES)


_FILLERS: dict[str, Callable[[str, Random], str]] = {
    "from": _station,
    "to": _station,
    "station": _station,
    "date": _date,
    "time": _time,
    "ticket": _ticket,
    "train": _train,
    "people": _people,
    "class": _class,
}
