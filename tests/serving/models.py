"""SavedModels made here for the tests: TensorFlow Serving's example, one of everything, one with optimizer slots."""

import numpy as np

from asyncpatterns.serving import import_tensorflow


def half_plus_three(folder):
    """The model of TensorFlow Serving's documentation: x / 2 + 3, in a folder with zeros in front of its number."""
    tf = import_tensorflow()

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = tf.Variable(0.5), tf.Variable(3.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def serve(self, x):
            return {"y": self.a * x + self.b}

    module = Module()
    tf.saved_model.save(module, str(folder / "00000123"), {"serving_default": module.serve})
    return folder


def everything(folder):
    """Several inputs and outputs, strings and bytes, open dimensions, NaN, and signatures without rows."""
    tf = import_tensorflow()
    spec = tf.TensorSpec

    class Module(tf.Module):
        @tf.function(input_signature=[spec([None], tf.string, "tag"), spec([None, 5], tf.int64, "signal"),
                                      spec([None, 2, 2], tf.float32, "sensor")])
        def describe(self, tag, signal, sensor):
            return {"name": tf.strings.upper(tag), "total": tf.reduce_sum(signal, 1), "trace": tf.linalg.trace(sensor)}

        @tf.function(input_signature=[spec([None], tf.string, "image_bytes")])
        def mirror(self, image_bytes):
            return {"image_bytes": image_bytes, "length": tf.strings.length(image_bytes)}

        @tf.function(input_signature=[spec([None, None], tf.float32, "x")])
        def normalize(self, x):
            return {"scaled": x / tf.reduce_max(x, 1, keepdims=True), "sum": tf.reduce_sum(x, 1)}

        @tf.function(input_signature=[spec([None], tf.float32, "x"), spec([], tf.float32, "factor")])
        def scale(self, x, factor):
            return {"y": x * factor, "count": tf.size(x)}

        @tf.function(input_signature=[spec([None, 2], tf.float32, "left"), spec([None, 2], tf.float32, "right")])
        def distances(self, left, right):
            return {"distance": tf.norm(left[:, None] - right[None], axis=2)}

        @tf.function(input_signature=[spec([None], tf.bool, "yes"), spec([None], tf.float64, "x"),
                                      spec([None], tf.uint8, "small")])
        def types(self, yes, x, small):
            return {"no": tf.logical_not(yes), "root": tf.sqrt(x), "small": small}

    module = Module()
    names = ("describe", "mirror", "normalize", "scale", "distances", "types")
    tf.saved_model.save(module, str(folder / "1"), {"serving_default": module.describe,
                                                    **{name: getattr(module, name) for name in names[1:]}})
    return folder


def with_slots(folder):
    """What Keras 2 leaves behind: an optimizer whose slots TensorFlow 2's loader of today refuses."""
    tf = import_tensorflow()

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(np.arange(6, dtype=np.float32).reshape(2, 3))
            self.optimizer = tf.compat.v1.train.MomentumOptimizer(0.1, 0.9)
            self.optimizer.apply_gradients([(tf.ones_like(self.kernel), self.kernel)])

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
        def serve(self, x):
            y = x @ self.kernel
            return {"y": y, "best": tf.argmax(y, 1)}

    module = Module()
    tf.saved_model.save(module, str(folder / "1"), {"serving_default": module.serve})
    return folder, module.kernel.numpy()
