"""The model as every peer calls it: the same compiled graph that the batched deployment runs, one thread a batch."""

import os
import sys
from collections.abc import Callable

import numpy as np


def load() -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """A function from int32 tokens [n, 24] to the model's outputs; `PEERS_CALL=predict` makes it `model.predict`."""
    sys.setswitchinterval(0.0005)
    if os.environ.get("PEERS_CALL") == "predict":
        return _predict()
    from asyncpatterns.chatbot import MODEL_DIR
    from asyncpatterns.serving import TensorFlowModel

    model = TensorFlowModel(MODEL_DIR, threads=1)
    model.warm_up()                         # every batch size; and the garbage collector lets the model be
    return lambda tokens: model.run({"tokens": tokens})


def _predict() -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    from asyncpatterns.chatbot import KERAS_FILE
    from asyncpatterns.serving import import_tensorflow

    import_tensorflow()
    import keras

    model = keras.models.load_model(KERAS_FILE)
    return lambda tokens: model.predict(tokens, verbose=0)


def rows(outputs: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """One object for each row."""
    return [dict(zip(outputs, values, strict=True)) for values in zip(*outputs.values(), strict=True)]
