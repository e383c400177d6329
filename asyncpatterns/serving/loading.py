"""Two ways to load a SavedModel, with one surface: `signatures` (name → proto), `callable(signature)`, `close()`.

A graph session comes first: its callable costs 0.30 ms a row where a TensorFlow 2 function costs 0.41 ms on the
machine this was measured on, and half of that in the thread that calls; its threads are its own, and it loads what
Keras 2 saved with its optimizer. Models whose
variables only TensorFlow 2's loader can restore (a Keras 3 network saved by `tf.saved_model.save`) fall back to that.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .quiet import import_tensorflow, no_deprecation_notes
from .signature import Signature, TensorSpec

Run = Callable[..., list[np.ndarray]]
CALLERS_THREAD = -1     # in TensorFlow's RunOptions


def usable_cores() -> int:
    """The cores that this process may run on, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pick_threads(cores: int | None = None) -> tuple[int, int]:
    """(batches at once, cores for each) for a machine with `cores`; those that this process may use unless said.

    A batch per core beats all cores on one batch (23,300 rows/s against 11,900 on two cores: the chatbot's model,
    batches of 64), but one event loop cannot feed more than about eight batches at once; further cores are shared out.
    """
    cores = cores or usable_cores()
    workers = min(cores, 8)
    return workers, cores // workers


class Loaded(Protocol):
    """A model in memory. `callable` takes a signature's inputs in its order and returns its outputs in its order."""

    signatures: dict[str, Any]

    def callable(self, signature: Signature) -> Run: ...
    def close(self) -> None: ...


def load(path: Path, threads: int) -> Loaded:
    """The SavedModel at `path`, ready to run; each batch uses `threads` cores where the way of loading allows it."""
    tf = import_tensorflow()
    session = InSession(tf, path, threads)
    if session.restored():
        return session
    session.close()
    return AsFunctions(tf, path)


class InSession:
    """A graph and a session of its own. How many cores one operation may use is the whole process's: first come."""

    def __init__(self, tf: Any, path: Path, threads: int) -> None:
        self._tf = tf
        # Callers of one session share its inter-op threads: with one, the batches of two workers wait for each other.
        options = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, use_per_session_threads=True,
                                           inter_op_parallelism_threads=max(threads, usable_cores()))
        with tf.Graph().as_default() as graph, no_deprecation_notes():
            self._session = tf.compat.v1.Session(graph=graph, config=options)
            meta = tf.compat.v1.saved_model.load(self._session, [tf.saved_model.SERVING], str(path))
        self.signatures = {name: proto for name, proto in meta.signature_def.items() if not name.startswith("__")}

    def callable(self, signature: Signature) -> Run:
        """Runs in the thread that calls: handing a batch of one row to a pool costs nearly as much as the row."""
        from tensorflow.core.protobuf.config_pb2 import CallableOptions

        options = CallableOptions(feed=[spec.tensor for spec in signature.inputs.values()],
                                  fetch=[spec.tensor for spec in signature.outputs.values()])
        options.run_options.inter_op_thread_pool = CALLERS_THREAD
        return self._session._make_callable_from_options(options)

    def restored(self) -> bool:
        """Whether a call finds its variables; the session's loader says nothing when it missed some."""
        for name, proto in self.signatures.items():
            signature = read_signature(self._tf, name, proto)
            try:
                self.callable(signature)(*(spec.blank(1) for spec in signature.inputs.values()))
            except self._tf.errors.FailedPreconditionError:
                return False
            except self._tf.errors.OpError:
                continue                                # zeros may be no input that this model likes
        return True

    def close(self) -> None:
        self._session.close()


class AsFunctions:
    """TensorFlow 2's own loader; its threads are those of the whole process."""

    def __init__(self, tf: Any, path: Path) -> None:
        self._tf = tf
        self._module = tf.saved_model.load(str(path))
        with tf.Graph().as_default(), tf.compat.v1.Session() as session, no_deprecation_notes():
            meta = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(path))
        self.signatures = {name: meta.signature_def[name] for name in self._module.signatures}

    def callable(self, signature: Signature) -> Run:
        function, names = self._module.signatures[signature.name], list(signature.inputs)
        outputs, constant = list(signature.outputs), self._tf.constant

        def run(*arrays: np.ndarray) -> list[np.ndarray]:
            results = function(**{name: constant(array) for name, array in zip(names, arrays, strict=True)})
            return [results[name].numpy() for name in outputs]

        return run

    def close(self) -> None:
        del self._module


def read_signature(tf: Any, name: str, proto: Any) -> Signature:
    return Signature(name, {key: _spec(tf, key, info) for key, info in sorted(proto.inputs.items())},
                     {key: _spec(tf, key, info) for key, info in sorted(proto.outputs.items())}, proto.method_name)


def _spec(tf: Any, name: str, info: Any) -> TensorSpec:
    dtype = np.dtype(tf.dtypes.as_dtype(info.dtype).as_numpy_dtype)
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
    return TensorSpec(name, dtype, shape, info.name)
