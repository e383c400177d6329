"""How good the model is: accuracy, slot F1, the confusion matrix, and how near the test comes to the training."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .corpus import Utterance, masked
from .dataset import arrays
from .labels import INTENTS
from .tokenizer import Tokenizer
from .understanding import slots_of

Predict = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""Tokens int32 [n, 24] to the model's outputs, `intent` and `slots`."""


SlotCounts = dict[str, tuple[int, int, int]]


class Scores(NamedTuple):
    utterances: Sequence[Utterance]
    confusion: np.ndarray
    """Counts int [n_intents, n_intents]: rows are what was meant, columns what the model said."""
    right: np.ndarray
    """bool [n]: whether the intent of each utterance was found."""
    confidence: np.ndarray
    slot_counts: SlotCounts
    """Per slot name: found and right, found but wrong, missed. Right means name and place, exactly."""

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())

    @property
    def slot_f1(self) -> float:
        """Micro-averaged over all slots of all utterances."""
        return f1(*np.sum(list(self.slot_counts.values()), axis=0))


def f1(hits: int, extra: int, missed: int) -> float:
    return 2 * hits / max(1, 2 * hits + extra + missed)


def score(predict: Predict, utterances: Sequence[Utterance], tokenizer: Tokenizer) -> Scores:
    """Runs the model over the utterances and counts."""
    tokens, meant, _ = arrays(utterances, tokenizer)
    outputs = predict(tokens)
    logits = np.asarray(outputs["intent"])
    said = logits.argmax(axis=1)
    confusion = np.zeros((len(INTENTS), len(INTENTS)), int)
    np.add.at(confusion, (meant, said), 1)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    labels = np.asarray(outputs["slots"]).argmax(axis=2)
    return Scores(utterances, confusion, said == meant, 1 / odds.sum(axis=1), _slots(utterances, labels, tokenizer))


def _slots(utterances: Sequence[Utterance], labels: np.ndarray, tokenizer: Tokenizer) -> SlotCounts:
    hits, extra, missed = Counter[str](), Counter[str](), Counter[str]()
    for utterance, row in zip(utterances, labels.tolist(), strict=True):
        found = set(slots_of(utterance.text, row, tokenizer.spans(utterance.text)))
        meant = set(utterance.slots)
        hits.update(slot.name for slot in found & meant)
        extra.update(slot.name for slot in found - meant)
        missed.update(slot.name for slot in meant - found)
    return {name: (hits[name], extra[name], missed[name]) for name in sorted(hits | extra | missed)}


def most_confused(confusion: np.ndarray, most: int = 10) -> list[tuple[str, str, int]]:
    """What was meant, what the model said, how often: the worst pairs first."""
    wrong = [(int(confusion[i, j]), i, j) for i, j in zip(*np.nonzero(confusion), strict=True) if i != j]
    return [(INTENTS[i], INTENTS[j], n) for n, i, j in sorted(wrong, key=lambda pair: (-pair[0], pair[1:]))[:most]]


def confusion_table(confusion: np.ndarray) -> str:
    """The matrix as text: a row for each intent that was meant, a numbered column for each that the model said."""
    header = " " * 20 + "".join(f"{i:3}" for i in range(len(INTENTS)))
    rows = (
        f"{i:2} {intent:17}" + "".join(f"{n:3}" if n else "  ." for n in row)
        for i, (intent, row) in enumerate(zip(INTENTS, confusion.tolist(), strict=True))
    )
    return "\n".join((header, *rows))


def nearness(utterances: Sequence[Utterance], training: Sequence[Utterance]) -> np.ndarray:
    """For each utterance the share of words that it has in common with the training sentence nearest to it (Jaccard:
    words in both, divided by words in either; slots masked), float [n]. 1 is the same set of words."""
    bags = [frozenset(masked(utterance)) for utterance in utterances]
    columns = {word: i for i, word in enumerate(sorted(frozenset().union(*bags)))}
    left = _bags(bags, columns)
    sizes = np.array([[len(bag)] for bag in bags])
    nearest = np.zeros(len(bags))
    for start in range(0, len(training), 4_000):
        others = [frozenset(masked(utterance)) for utterance in training[start : start + 4_000]]
        both = left @ _bags(others, columns).T
        either = sizes + np.array([len(bag) for bag in others]) - both
        nearest = np.maximum(nearest, (both / np.maximum(either, 1)).max(axis=1))
    return nearest


def _bags(bags: Sequence[frozenset[str]], columns: Mapping[str, int]) -> np.ndarray:
    matrix = np.zeros((len(bags), len(columns)), np.float32)
    for row, bag in zip(matrix, bags, strict=True):
        row[[columns[word] for word in bag if word in columns]] = 1.0
    return matrix
