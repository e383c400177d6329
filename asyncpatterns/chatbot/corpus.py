"""The corpus: sentences people write to a railway's chatbot, with what they mean.

Training sentences are drawn from hand-written templates (`data/train/*.txt`) and roughened (`noise`). The development
and test sets are hand-written sentences (`data/dev.txt`, `data/test.txt`) that share no template with them.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from random import Random
from typing import NamedTuple

from . import fillers, templates
from .labels import INTENTS, SLOTS
from .mentions import mark_mentions
from .noise import ENDS, Word, roughen

DATA = files(__package__) / "data"
SMALL_TALK = frozenset(("greeting", "thanks", "goodbye", "yes", "no", "repeat", "start_over"))
WEIGHTS = {"out_of_scope": 3.0, "inform": 1.5} | dict.fromkeys(SMALL_TALK, 0.7)
REWORDED = 0.25
"""How often a word that has synonyms gives way to one, in a sentence that is reworded at all."""
_MARKED = re.compile(r"\[(\w+):([^\]]*)\]")
_SPOKEN = re.compile(r"[^\s,:]+|[,:]")


class Slot(NamedTuple):
    """A piece of a text that means something: `text == whole[start:end]`."""

    name: str
    text: str
    start: int
    end: int


class Utterance(NamedTuple):
    text: str
    intent: str
    slots: tuple[Slot, ...]


# Reading the files


def load_utterances(split: str = "test") -> list[Utterance]:
    """The hand-written utterances of a split, "test" or "dev", in the order of the file.

    Raises ValueError for another split: training sentences are drawn without end, by `generate`."""
    if split not in ("dev", "test"):
        raise ValueError(f"no split {split!r}; expected 'dev' or 'test' (training sentences come from generate())")
    return [marked(line, intent) for intent, line in _lines(f"{split}.txt")]


def marked(line: str, intent: str) -> Utterance:
    """Reads the notation of the files: `to [to:Rosk] at [time:9]` is a text of nine words, two of them slots."""
    text, slots, done = "", [], 0
    for mark in _MARKED.finditer(line):
        name, value = mark.groups()
        if name not in SLOTS:
            raise ValueError(f"no slot {name!r} in {line!r}; expected one of {', '.join(SLOTS)}")
        text += line[done : mark.start()]
        slots.append(Slot(name, value, len(text), len(text) + len(value)))
        text += value
        done = mark.end()
    return Utterance(text + line[done:], intent, tuple(slots))


def masked(utterance: Utterance) -> tuple[str, ...]:
    """The words of an utterance with each slot replaced by its name, as templates write it."""
    text = utterance.text
    for slot in reversed(utterance.slots):
        text = f"{text[: slot.start]}{{{slot.name}}}{text[slot.end :]}"
    return templates.words(text)


def _lines(path: str) -> Iterator[tuple[str, str]]:
    """The lines of a data file, each with the intent whose heading it stands under."""
    intent = ""
    for line in (DATA / path).read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            intent = line[3:]
            if intent not in INTENTS:
                raise ValueError(f"{path}: no intent {intent!r}; expected one of {', '.join(INTENTS)}")
        elif line and not line.startswith("#"):
            yield intent, line


@cache
def phrases() -> dict[str, templates.Node]:
    """The alternatives that templates share, by name."""
    lines = (line for _, line in _lines("phrases.txt"))
    pairs = (line.split(":", 1) for line in lines)
    return {name: templates.parse(f"({body.strip().replace(' | ', '|')})") for name, body in pairs}


@cache
def training_templates() -> dict[str, tuple[templates.Node, ...]]:
    """The templates of every intent, parsed."""
    found: dict[str, list[templates.Node]] = {intent: [] for intent in INTENTS}
    for file in sorted((DATA / "train").iterdir(), key=lambda file: file.name):
        for intent, line in _lines(f"train/{file.name}"):
            found[intent].append(templates.parse(line))
    return {intent: tuple(nodes) for intent, nodes in found.items()}


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """Words that people use for a word."""
    pairs = (line.split(":", 1) for _, line in _lines("synonyms.txt"))
    return {word: tuple(other.strip() for other in others.split(",")) for word, others in pairs}


# Drawing sentences


def generate(n: int, seed: int = 0, noise: float = 1.0) -> Iterator[Utterance]:
    """`n` training sentences, the same ones for the same seed. `noise=0` leaves out typos, slang, greetings before
    and after, odd case."""
    rng = Random(seed)
    weights = [WEIGHTS.get(intent, 1.0) for intent in INTENTS]
    for intent in rng.choices(INTENTS, weights, k=n):
        yield _drawn(intent, rng, noise)


def sample_requests(n: int, seed: int = 0) -> list[str]:
    """`n` texts of realistic traffic for load generators, the same ones for the same seed: three of four are training
    sentences with noise, one of four is from the test set."""
    rng = Random(seed)
    hand_written = load_utterances("test")
    drawn = generate(n, seed)
    return [rng.choice(hand_written).text if rng.random() < 0.25 else utterance.text for utterance in drawn]


def _drawn(intent: str, rng: Random, noise: float) -> Utterance:
    nodes = training_templates()[intent]
    pieces = templates.draw(nodes[int(rng.random() * len(nodes))], phrases(), fillers.fill, rng)
    words = mark_mentions(_words(pieces), intent)
    if noise:
        words = roughen(_framed(_reworded(words, rng), intent, rng), rng, noise)
    return _written(words, intent, rng, noise)


def _words(pieces: list[templates.Piece]) -> list[Word]:
    """The pieces cut into words; a comma is a word of its own, and hangs on to the one before it."""
    words: list[Word] = []
    glued = False
    for text, slot in pieces:
        for i, spoken in enumerate(_SPOKEN.findall(text) if slot is None else text.split()):
            hangs = spoken in ",:" or (i == 0 and glued and not text[0].isspace())
            words.append(Word(spoken, slot, begins=slot is not None and i == 0, glued=hangs and bool(words)))
        if text:
            glued = not text[-1].isspace()
    return words


def _reworded(words: list[Word], rng: Random) -> list[Word]:
    """Some words give way to others that mean about the same."""
    if rng.random() < 0.4:
        return words
    known = synonyms()
    reworded: list[Word] = []
    for word in words:
        others = known.get(word.text) if word.slot is None else None
        if others and rng.random() < REWORDED:
            first, *rest = rng.choice(others).split()
            reworded += [word._replace(text=first), *map(Word, rest)]
        else:
            reworded.append(word)
    return reworded


def _framed(words: list[Word], intent: str, rng: Random) -> list[Word]:
    """People say hello before they ask, and please after."""
    rate = 0.06 if intent in SMALL_TALK else 0.16
    if rng.random() < rate:
        words = _phrase("openers", rng) + words
    if rng.random() < rate:
        words = words + _phrase("closers", rng)
    return words


def _phrase(name: str, rng: Random) -> list[Word]:
    pieces = templates.draw(phrases()[name], phrases(), fillers.fill, rng)
    return [Word(word) for text, _ in pieces for word in text.split()]


def _written(words: list[Word], intent: str, rng: Random, noise: float) -> Utterance:
    """The sentence as text, with the places of its slots."""
    text = ""
    slots: list[Slot] = []
    for word in words:
        text += word.text if word.glued or not text else " " + word.text
        start = len(text) - len(word.text)
        if word.begins:
            slots.append(Slot(word.slot or "", word.text, start, len(text)))
        elif word.slot:
            opened = slots.pop()
            slots.append(opened._replace(text=text[opened.start :], end=len(text)))
    return Utterance(text + (rng.choice(ENDS) if noise else ""), intent, tuple(slots))
