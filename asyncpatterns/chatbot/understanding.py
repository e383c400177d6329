"""The model's numbers back into meaning: an intent, how sure of it, and the slots with their places in the text."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .corpus import Slot
from .labels import INTENTS, LENGTH, SLOT_LABELS
from .tokenizer import Span, default_tokenizer

_OUTSIDE = 0


class Understanding(NamedTuple):
    intent: str
    confidence: float
    """The probability that the model gives to the intent, between 0 and 1."""
    slots: tuple[Slot, ...]

    def slot(self, name: str) -> str | None:
        """What the text says for a slot (the first time, if it does so twice), or None."""
        return next((slot.text for slot in self.slots if slot.name == name), None)


def decode(text: str, intent_logits: np.ndarray, slot_logits: np.ndarray) -> Understanding:
    """What one text means by the model's answer for it: `intent_logits` [n_intents] and `slot_logits` [24, n_labels],
    arrays or nested lists. Raises ValueError when their shapes are others, a batch for example."""
    intents, slots = np.asarray(intent_logits), np.asarray(slot_logits)
    if intents.shape != (len(INTENTS),) or slots.ndim != 2 or slots.shape[1] != len(SLOT_LABELS):
        expected = f"({len(INTENTS)},) and ({LENGTH}, {len(SLOT_LABELS)})"
        raise ValueError(f"decode() takes one row, shapes {expected}; got {intents.shape} and {slots.shape}")
    best = int(intents.argmax())
    confidence = 1.0 / float(np.exp(intents - intents[best]).sum())
    labels = slots.argmax(axis=1).tolist()
    return Understanding(INTENTS[best], confidence, slots_of(text, labels, default_tokenizer().spans(text)))


def slots_of(text: str, labels: Sequence[int], spans: Sequence[Span]) -> tuple[Slot, ...]:
    """The slots that BIO labels mark. Models err, and this is what they mean: an `I-` right after a slot continues it,
    also under another name ("B-to I-station"); one that follows no slot begins one."""
    slots: list[Slot] = []
    inside = False
    for label, (start, end) in zip(labels, spans, strict=False):
        if label == _OUTSIDE:
            inside = False
        elif inside and SLOT_LABELS[label][0] == "I":
            slots[-1] = slots[-1]._replace(text=text[slots[-1].start : end], end=end)
        else:
            slots.append(Slot(SLOT_LABELS[label][2:], text[start:end], start, end))
            inside = True
    return tuple(slots)
