"""A SavedModel for chapter 13 that its readers have never seen: made here in a second, so that none has to ship."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np

from asyncpatterns.serving import import_tensorflow
from asyncpatterns.serving.quiet import no_deprecation_notes

READINGS, WIDTH, CLASSES = 48, 384, 4


def save_delay_model(folder: str | os.PathLike[str], version: int = 1, *, late: float = 0.0) -> Path:
    """Saves version `version` of a model that guesses a train's delay from readings of the line; returns its folder.

    Its signature is `readings` float32 [?,48] → `crowding` float32 [?,4], `delay` float32 [?]. `late` minutes are added
    to every delay, which tells two versions apart.
    """
    tf = import_tensorflow()
    draw = np.random.default_rng(13)

    class Delays(tf.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            sizes = (READINGS, WIDTH, WIDTH, WIDTH, CLASSES + 1)
            self.layers = [tf.Variable(draw.normal(0, (2 / rows) ** 0.5, (rows, columns)), dtype=tf.float32)
                           for rows, columns in pairwise(sizes)]
            self.late = tf.Variable(late, dtype=tf.float32)

        @tf.function(input_signature=[tf.TensorSpec([None, READINGS], tf.float32, "readings")])
        def serve(self, readings):
            x = readings
            for weights in self.layers[:-1]:
                x = tf.nn.relu(x @ weights)
            x = x @ self.layers[-1]
            return {"delay": tf.nn.softplus(x[:, 0]) + self.late, "crowding": tf.nn.softmax(x[:, 1:])}

    place = Path(folder) / str(version)
    module = Delays()
    with no_deprecation_notes():
        tf.saved_model.save(module, str(place), {"serving_default": module.serve})
    return place
