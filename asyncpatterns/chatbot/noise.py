"""Noise: how people really type. Takes a clean sentence and roughens it, by seeded dice.

The sentence is a list of words, each with the slot that it belongs to, so that the slots survive whatever
happens to the letters.
"""

from random import Random
from typing import NamedTuple


class Word(NamedTuple):
    text: str
    slot: str | None = None
    begins: bool = False
    """True for the first word of its slot: two slots of one name may stand side by side."""
    glued: bool = False
    """True when no space stands before it: a comma, the "'s" after a name."""


SLANG: dict[str, tuple[str, ...]] = {
    "you": ("u", "ya"),
    "your": ("ur", "yr"),
    "you're": ("ur", "youre"),
    "are": ("r",),
    "please": ("pls", "plz", "plse", "pleas"),
    "thanks": ("thx", "tnx", "thnx"),
    "thank": ("thnk",),
    "tomorrow": ("tmrw", "tomoz", "2morrow", "tommorow", "tomorow"),
    "tonight": ("2nite", "tonite"),
    "today": ("2day",),
    "ticket": ("tix", "tkt", "tiket", "tickt"),
    "tickets": ("tix", "tkts", "tikets"),
    "to": ("2",),
    "for": ("4",),
    "want": ("wnt", "wanna"),
    "going": ("goin", "gonna"),
    "because": ("cause", "cuz", "coz", "bc", "because"),
    "what": ("wat", "wot", "whats"),
    "is": ("is", "iz"),
    "with": ("w", "wiv"),
    "and": ("n", "&", "an"),
    "people": ("ppl",),
    "minutes": ("mins", "min"),
    "hours": ("hrs",),
    "hour": ("hr",),
    "message": ("msg",),
    "number": ("no", "nr", "num"),
    "the": ("teh", "da", "th"),
    "something": ("sth", "smth", "summat", "somethin"),
    "someone": ("sb", "smone"),
    "help": ("halp", "hlp"),
    "have": ("hav", "got"),
    "next": ("nxt",),
    "about": ("abt",),
    "can": ("cn",),
    "could": ("cud", "could"),
    "would": ("wud", "would"),
    "don't": ("dont", "dunno"),
    "know": ("kno",),
    "right": ("rite",),
    "before": ("b4",),
    "great": ("gr8",),
    "later": ("l8r",),
    "see": ("c",),
    "okay": ("ok", "k"),
    "when": ("wen",),
    "where": ("wheres", "where", "were"),
    "through": ("thru",),
    "though": ("tho",),
    "luggage": ("lugage", "luggege"),
    "receipt": ("reciept", "receit"),
    "bicycle": ("bycicle", "bicicle"),
    "platform": ("platfrom", "plattform"),
    "reservation": ("resevation", "rezervation"),
    "address": ("adress",),
    "really": ("rly", "realy"),
    "customer": ("custumer",),
    "restaurant": ("restaurent", "resturant"),
    "wheelchair": ("wheel chair", "weelchair"),
    "refund": ("refnd", "re-fund"),
    "cancel": ("cancle", "cansel"),
    "i'm": ("im", "am"),
    "i": ("i", "me"),
}
OMITTED = frozenset(("a", "an", "the", "to", "of", "please", "is", "do", "for", "my", "on", "i", "at"))
KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEIGHBOURS = {key: row[max(0, i - 1) : i] + row[i + 1 : i + 2] for row in KEYBOARD for i, key in enumerate(row)}
ENDS = ("?", "?", "", "", "", ".", "!", "??", "!!", "...", " ?", "!!!")


def roughen(words: list[Word], rng: Random, amount: float = 1.0) -> list[Word]:
    """The sentence as a person in a hurry types it. `amount` scales how much goes wrong; 0 changes nothing."""
    careless = rng.random() * amount
    words = [word for word in words if not _omits(word, careless, rng)] or words
    words = [_slang(word, careless, rng) for word in words]
    if careless > 0.55:
        words = [_mistyped(word, 0.35 * (careless - 0.4), rng) for word in words]
    return _cased(words, careless, rng)


def _omits(word: Word, careless: float, rng: Random) -> bool:
    if word.text in ",:":
        return rng.random() < 0.1 + careless
    return word.slot is None and word.text in OMITTED and rng.random() < 0.2 * careless


def _slang(word: Word, careless: float, rng: Random) -> Word:
    if word.text in SLANG and word.slot in (None, "date") and rng.random() < 0.4 * careless * careless:
        return word._replace(text=rng.choice(SLANG[word.text]))
    return word


def _mistyped(word: Word, rate: float, rng: Random) -> Word:
    if len(word.text) < 4 or not word.text.isalpha() or rng.random() > rate:
        return word
    return word._replace(text=typo(word.text, rng))


def typo(word: str, rng: Random) -> str:
    """One slip of the fingers: two letters swapped, one left out, one doubled, or the key beside it."""
    at = rng.randrange(len(word) - 1)
    slip = rng.randrange(4)
    if slip == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if slip == 1:
        return word[:at] + word[at + 1 :]
    if slip == 2:
        return word[: at + 1] + word[at:]
    return word[:at] + rng.choice(NEIGHBOURS.get(word[at].lower(), word[at])) + word[at + 1 :]


def _cased(words: list[Word], careless: float, rng: Random) -> list[Word]:
    dice = rng.random()
    if dice < 0.04 * careless:
        return [word._replace(text=word.text.upper()) for word in words]
    if dice < 0.3 + 0.5 * careless:
        flat = [word._replace(text=word.text.lower()) for word in words]
        return [w._replace(text=w.text.replace("'", "")) for w in flat] if rng.random() < careless else flat
    first = words[0].text
    return [words[0]._replace(text=first[:1].upper() + first[1:]), *words[1:]]
