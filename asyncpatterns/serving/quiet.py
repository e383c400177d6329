"""TensorFlow without its start-up chatter, which no reader of a notebook can act on."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any


def import_tensorflow() -> Any:
    """TensorFlow, imported quietly and without looking for a GPU unless the environment asks for one.

    What TensorFlow's C++ side prints meanwhile is shown only if the import fails.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        with _stderr_only_on_failure():
            import tensorflow
            tensorflow.config.list_physical_devices()       # the device probe chatters too, once
    import tensorflow

    return tensorflow


@contextlib.contextmanager
def no_deprecation_notes() -> Iterator[None]:
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _stderr_only_on_failure() -> Iterator[None]:
    """The C++ log writes to file descriptor 2 before it can be configured, so the descriptor itself is turned away."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except BaseException:
            chatter.seek(0)
            os.write(kept, chatter.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
