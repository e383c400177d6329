"""Text to token ids, in plain Python, at some ten microseconds a sentence.

A word that the vocabulary knows is one token. Otherwise, in this order: its digits are written `#` ("8:15" and "9:40"
are both `#:##`, and so is every six-digit ticket number one token), an ending is taken off ("refunded"), one typo is
undone ("refnud"); what is left goes by a hash of its last letters into one of a few buckets, so that the model sees at
least the shape of a word that it has never met.

Ids: 0 is padding, 1 to BUCKETS are the buckets, then come the words in the order of the vocabulary file.
The same text has the same ids in every process and on every machine: the hash is CRC-32, never `hash()`.
"""

import re
from array import array
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from zlib import crc32

import numpy as np

from .labels import LENGTH

VOCABULARY_FILE = Path(__file__).parent / "models" / "vocabulary.txt"
BUCKETS = 64
FIRST_WORD = 1 + BUCKETS
REMEMBERED = 20_000
"""Words outside of the vocabulary whose ids are remembered; an attacker's random words cannot fill the memory."""

Span = tuple[int, int]

_WORDS = re.compile(
    r"(?:e|wi)-[^\W\d_]+"  # e-mail, wi-fi
    r"|[^\W\d_]{1,3}-?\d+"  # KR-482913, EX204, S4
    r"|\d(?:[\d:./]*\d)?[^\W\d_]{0,3}"  # 8:15, 17.05, 5pm, 14h, 3rd
    r"|'s\b"
    r"|[^\W\d_]+(?:'(?!s\b)[^\W\d_]+)*"
)
_DIGIT = re.compile(r"\d")
_ENDINGS = (("s", ""), ("es", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("ly", ""), ("er", ""))
_KEPT_NUMBERS = frozenset(("1st", "2nd"))
"""First and second class: the two numbers that are words."""


def normal(word: str) -> str:
    """A word as the vocabulary writes it: lower case, no apostrophes inside, no hyphens, digits as `#`."""
    if word.isalpha() or word in _KEPT_NUMBERS or word == "'s":
        return word
    return _DIGIT.sub("#", word.replace("'", "").replace("-", ""))


def split(text: str) -> list[tuple[str, Span]]:
    """The words of a text in lower case, each with the place where it stands."""
    return [(match.group(), match.span()) for match in _WORDS.finditer(_lower(text))]


def _lower(text: str) -> str:
    """Lower case of the same length, with plain apostrophes: places in it are places in the text."""
    lower = text.lower().replace("’", "'")
    if len(lower) == len(text):
        return lower
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text).replace("’", "'")


class Tokenizer:
    """Turns texts into rows of `LENGTH` token ids, by a vocabulary file of one word a line.

    A model and its vocabulary belong together: ids of one vocabulary mean nothing to a model trained with another."""

    def __init__(self, vocabulary: Path | Sequence[str] = VOCABULARY_FILE) -> None:
        words = vocabulary.read_text(encoding="utf-8").split("\n") if isinstance(vocabulary, Path) else vocabulary
        self.words: tuple[str, ...] = tuple(word for word in words if word)
        self._ids = {word: FIRST_WORD + i for i, word in enumerate(self.words)}
        self._near_misses = self._symmetric_deletions()
        self._remembered: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Tokenizer of {len(self.words)} words and {BUCKETS} buckets, {LENGTH} tokens a row>"

    def __len__(self) -> int:
        """How many ids there are, padding and buckets included: what the model's embedding must hold."""
        return FIRST_WORD + len(self.words)

    def ids(self, text: str) -> list[int]:
        """The ids of the first `LENGTH` words of a text, without padding."""
        known, unknown = self._ids, self._id_of_other
        found = _WORDS.findall(_lower(text))
        return [known.get(word) or unknown(word) for word in found[:LENGTH]]

    def spans(self, text: str) -> list[Span]:
        """Where the tokens stand: token i of the row is `text[start:end]` of the i-th pair."""
        return [span for _, span in split(text)[:LENGTH]]

    def encode(self, texts: Iterable[str]) -> np.ndarray:
        """The texts as an array int32 [n, LENGTH] of token ids, padded with 0 on the right.

        Raises TypeError for a single str, whose letters would be taken for texts, and for what is not text."""
        if isinstance(texts, str):
            raise TypeError("encode() takes a list of texts and got one str; write encode([text])")
        flat = array("i")
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"encode() takes a list of texts; one of them is a {type(text).__name__}: {text!r}")
            row = self.ids(text)
            flat.extend(row)
            flat.extend(_PADDING[len(row)])
        return np.array(flat, dtype=np.int32).reshape(-1, LENGTH)

    def bucket(self, word: str) -> int:
        """The id that stands for a word that nothing else is known of."""
        return 1 + crc32(word[-2:].encode()) % BUCKETS

    def _id_of_other(self, word: str) -> int:
        found = self._remembered.get(word)
        if found is None:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            found = self._remembered[word] = self._work_out(word)
        return found

    def _work_out(self, word: str) -> int:
        plain = normal(word)
        return self._ids.get(plain) or self._stem(plain) or self._corrected(plain) or self.bucket(plain)

    def _stem(self, word: str) -> int | None:
        if len(word) < 5:
            return None
        stems = (word.removesuffix(ending) + rest for ending, rest in _ENDINGS if word.endswith(ending))
        return next((self._ids[stem] for stem in stems if stem in self._ids), None)

    def _corrected(self, word: str) -> int | None:
        """The id of the most frequent word that one slip of the fingers makes into this one."""
        if len(word) < 4 or not word.isalpha():
            return None
        near = self._near_misses
        candidates = {near[variant] for variant in (word, *_deletions(word)) if variant in near}
        same_start = {i for i in candidates if self.words[i - FIRST_WORD][0] == word[0]}
        return min(same_start or candidates, default=None)

    def _symmetric_deletions(self) -> dict[str, int]:
        """Words of four letters or more with at most one letter left out. A slip (one more, one less, another, two
        swapped) meets its word here when one of its own letters is left out, too (SymSpell's idea). Frequent words
        win."""
        found: dict[str, int] = {}
        for i, word in enumerate(self.words):
            if len(word) >= 4 and word.isalpha():
                found.setdefault(word, FIRST_WORD + i)
                for variant in _deletions(word):
                    found.setdefault(variant, FIRST_WORD + i)
        return found


_PADDING = [array("i", [0] * (LENGTH - n)) for n in range(LENGTH + 1)]


def _deletions(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i in range(len(word))]


@cache
def default_tokenizer() -> Tokenizer:
    """The tokenizer of the model that ships with the package, made at first use."""
    return Tokenizer()


def encode(texts: Iterable[str]) -> np.ndarray:
    """The texts as an array int32 [n, 24] of token ids for the model that ships with the package.

    Raises TypeError for a single str, whose letters would be taken for texts, and for what is not text."""
    return default_tokenizer().encode(texts)
