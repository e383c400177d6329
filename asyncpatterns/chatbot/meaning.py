"""What the shared model makes of many texts at once: the function behind the conversations' `Batcher`.

A request is one row of token ids, an answer one `Meaning`. The rows of a batch become numbers, and the numbers become
meanings, in a few array operations for the whole batch, on the model's thread; the event loop gets finished answers.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .corpus import Slot
from .labels import INTENTS, LENGTH
from .model import MODEL_DIR
from .tokenizer import default_tokenizer
from .understanding import slots_of

Row = Sequence[int]


class ModelCrash(Exception):
    """The model itself is broken, whatever it was asked: its actor fails, restarts, and its queue survives."""


class Meaning(NamedTuple):
    """One text as the model sees it: `labels` has one byte for each token, the index of its `SLOT_LABELS`; it is empty
    when the text names nothing."""

    intent: str
    confidence: float
    labels: bytes = b""

    def slots(self, text: str) -> tuple[Slot, ...]:
        """The pieces of `text` that mean something."""
        return slots_of(text, self.labels, default_tokenizer().spans(text)) if self.labels else ()


class MeaningModel:
    """The model that ships here as a function of a batch: at most 24 ids a row in, a `Meaning` a row out.

    It may be called from several threads at once. Imports TensorFlow (seconds) when it is made.
    """

    def __init__(self, model_dir: str | Path = MODEL_DIR) -> None:
        from asyncpatterns.serving import TensorFlowModel

        self._model = TensorFlowModel(model_dir)

    def __call__(self, rows: Sequence[Row]) -> list[Meaning]:
        outputs = self._model.run({"tokens": padded(rows)})
        return meanings(outputs["intent"], outputs["slots"])

    def warm_up(self, sizes: Iterable[int] = (1, 2, 4, 8, 16, 32, 64)) -> None:
        """Run every size of batch once, so that no user pays for the first."""
        for size in sizes:
            self([[1]] * size)

    def alone(self, texts: Sequence[str]) -> list[Meaning]:
        """What it makes of texts without a batcher or a conversation around it: for checking."""
        ids = default_tokenizer().ids
        return [meaning for start in range(0, len(texts), 64)
                for meaning in self([ids(text) for text in texts[start:start + 64]])]


def padded(rows: Sequence[Row]) -> np.ndarray:
    """The rows as an array int32 [n, 24]; what is missing is 0."""
    tokens = np.zeros((len(rows), LENGTH), np.int32)
    for place, row in enumerate(rows):
        tokens[place, : len(row)] = row
    return tokens


def meanings(intent_logits: Any, slot_logits: Any) -> list[Meaning]:
    """The meanings of a batch: `intent_logits` [n, 37] and `slot_logits` [n, 24, 19]."""
    best = intent_logits.argmax(axis=1)
    margins = intent_logits - intent_logits.max(axis=1, keepdims=True)
    sure = 1.0 / np.exp(margins).sum(axis=1)
    labels = slot_logits.argmax(axis=2).astype(np.uint8)
    marked = labels.any(axis=1)
    return [Meaning(INTENTS[intent], confidence, row.tobytes() if any_slot else b"")
            for intent, confidence, row, any_slot in
            zip(best.tolist(), sure.tolist(), labels, marked.tolist(), strict=True)]
