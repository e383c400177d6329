"""Sentences as arrays, for training and for scoring."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from .corpus import Utterance
from .labels import INTENTS, SLOT_LABELS
from .noise import SLANG
from .tokenizer import FIRST_WORD, Span, Tokenizer, normal, split

IGNORED = -1
"""The label of padding: it counts in no loss and no score."""
STEP = 4
"""Batches for training are cut to a multiple of so many tokens."""
_LABEL = {label: i for i, label in enumerate(SLOT_LABELS)}
_INTENT = {intent: i for i, intent in enumerate(INTENTS)}


def build_vocabulary(texts: Iterable[str], at_least: int = 2, most: int = 5_500) -> list[str]:
    """The words that occur `at_least` times in the texts, the most frequent ones first, and all known slang after them.

    What is rarer stays out on purpose: those words go by their ending, and the model learns what to make of them."""
    counts = Counter(normal(word) for text in texts for word, _ in split(text))
    frequent = sorted((-n, word) for word, n in counts.items() if n >= at_least)[:most]
    words = [word for _, word in frequent]
    slang = {word for others in SLANG.values() for other in others for word in other.split() if word.isalnum()}
    return words + sorted(slang.difference(words))


def labels_of(utterance: Utterance, spans: Sequence[Span]) -> list[int]:
    """The BIO labels of the tokens of an utterance: the inverse of `slots_of`."""
    labels = [_LABEL["O"]] * len(spans)
    for slot in utterance.slots:
        inside = [i for i, (start, end) in enumerate(spans) if start >= slot.start and end <= slot.end]
        for i in inside:
            labels[i] = _LABEL[f"{'B' if i == inside[0] else 'I'}-{slot.name}"]
    return labels


def arrays(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tokens int32 [n, 24], intents int32 [n], slot labels int32 [n, 24] with `IGNORED` for padding."""
    tokens = tokenizer.encode(utterance.text for utterance in utterances)
    intents = np.array([_INTENT[utterance.intent] for utterance in utterances], np.int32)
    labels = np.full(tokens.shape, IGNORED, np.int32)
    for row, utterance in zip(labels, utterances, strict=True):
        spans = tokenizer.spans(utterance.text)
        row[: len(spans)] = labels_of(utterance, spans)
    return tokens, intents, labels


Batch = tuple[np.ndarray, dict[str, np.ndarray]]


def batches(data: tuple[np.ndarray, np.ndarray, np.ndarray], size: int, seed: int) -> list[Batch]:
    """The arrays as shuffled batches for training, each of sentences about equally long and cut to the longest of them,
    for half of the work would be padding. Intents become one-hot float32 [size, 37]."""
    dice = np.random.default_rng(seed)
    tokens, intents, labels = data
    order = dice.permutation(len(tokens))
    lengths = -(-(tokens[order] != 0).sum(axis=1) // STEP) * STEP
    order = order[np.argsort(lengths, kind="stable")]
    lengths.sort()
    made: list[Batch] = []
    for start in range(0, len(order), size):
        rows, length = order[start : start + size], lengths[start : start + size].max()
        one_hot = np.eye(len(INTENTS), dtype=np.float32)[intents[rows]]
        made.append((tokens[rows, :length], {"intent": one_hot, "slots": labels[rows, :length]}))
    return [made[i] for i in dice.permutation(len(made))]


def forget_words(tokens: np.ndarray, tokenizer: Tokenizer, share: float, seed: int) -> np.ndarray:
    """The tokens with a share of the words replaced by their buckets, as if the vocabulary did not know them."""
    bucket_of = np.arange(len(tokenizer), dtype=np.int32)
    bucket_of[FIRST_WORD:] = [tokenizer.bucket(word) for word in tokenizer.words]
    forgotten = np.random.default_rng(seed).random(tokens.shape) < share
    return np.where(forgotten, bucket_of[tokens], tokens)
