"""The model: a small transformer with two heads, built from Keras' own layers alone.

So `keras.models.load_model` opens the file without any code of ours. Tokens int32 [n, 24] in; `intent` float32
[n, 37] and `slots` float32 [n, 24, 19] out, both logits. Padding (0) is attended by nobody and pooled into nothing.
"""

import os
from pathlib import Path
from typing import Any

from .labels import INTENTS, LENGTH, SLOT_LABELS

MODELS = Path(__file__).parent / "models"
MODEL_DIR = MODELS / "intent"
"""The SavedModel in TensorFlow Serving's layout: numbered versions inside."""
KERAS_FILE = MODELS / "intent.keras"

WIDTH, HEADS, LAYERS = 96, 4, 1
"""Chosen on sentences of template files that were left out of the training: a second layer gained nothing there."""


def quiet_tensorflow() -> None:
    """Makes the import of TensorFlow quiet and free of a search for GPUs, unless the user has chosen otherwise.

    Has an effect only before TensorFlow is imported for the first time."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def load_keras_model() -> Any:
    """The trained model as Keras has it, for `model.predict`: the tutorial's way. Imports TensorFlow (seconds)."""
    quiet_tensorflow()
    import keras

    return keras.models.load_model(KERAS_FILE, compile=False)


def build(n_tokens: int, length: int | None = LENGTH, dropout: float = 0.1) -> Any:
    """A new, untrained model for `n_tokens` ids (`len(tokenizer)`) and rows of `length`; None takes any.

    The intent is read from four views of the sentence side by side: its words as a bag, its best three-word groups, and
    mean and maximum of what attention made of them. The simple views carry over best to phrasings never trained on."""
    quiet_tensorflow()
    import keras
    from keras import layers as kl
    from keras import ops

    tokens = keras.Input((length,), dtype="int32", name="tokens")
    real = ops.not_equal(tokens, 0)
    weight = ops.expand_dims(ops.cast(real, "float32"), -1)
    count = ops.maximum(ops.sum(weight, axis=1), 1.0)
    words = kl.Embedding(n_tokens, WIDTH, name="words")(tokens) * weight
    groups = kl.Conv1D(WIDTH, 3, padding="same", activation="relu", name="groups")(kl.Dropout(dropout)(words))
    x = kl.Dropout(dropout)(kl.Dense(WIDTH, name="joined")(kl.Concatenate()([words, groups])))
    for i in range(LAYERS):
        attend = kl.MultiHeadAttention(HEADS, WIDTH // HEADS, dropout=dropout, name=f"attention_{i}")
        x = x + kl.Dropout(dropout)(attend(x, x, attention_mask=ops.expand_dims(real, 1)))
        x = kl.LayerNormalization(name=f"norm_{i}a")(x)
        hidden = kl.Dense(2 * WIDTH, activation="relu", name=f"expand_{i}")(x)
        x = x + kl.Dropout(dropout)(kl.Dense(WIDTH, name=f"contract_{i}")(hidden))
        x = kl.LayerNormalization(name=f"norm_{i}b")(x)
    slots = kl.Dense(len(SLOT_LABELS), name="slots")(x)
    views = [
        ops.sum(words, axis=1) / ops.sqrt(count),
        ops.max(groups * weight, axis=1),
        ops.sum(x * weight, axis=1) / count,
        ops.max(x * weight - 9.0 * (1.0 - weight), axis=1),
    ]
    intent = kl.Dense(len(INTENTS), name="intent")(kl.Dropout(1.5 * dropout)(kl.Concatenate()(views)))
    return keras.Model(tokens, {"intent": intent, "slots": slots}, name="kestrel")
