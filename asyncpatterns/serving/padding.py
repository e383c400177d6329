"""Rows of different lengths made equal, and the answers cut back: what `padding=` allows.

Only where the model's signature leaves a dimension open, and only on request: a model that does not know which of its
values are padding answers something else for a padded row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .signature import TensorSpec

Tensors = Mapping[str, np.ndarray]


def stack(arrays: Sequence[np.ndarray], fill: Any) -> np.ndarray:
    """The rows of all `arrays` below each other, each padded at its ends to the longest."""
    shape = tuple(max(array.shape[axis] for array in arrays) for axis in range(1, arrays[0].ndim))
    stacked = np.full((sum(map(len, arrays)), *shape), fill, arrays[0].dtype)
    start = 0
    for array in arrays:
        corner = (slice(start, start + len(array)), *(slice(0, size) for size in array.shape[1:]))
        stacked[corner] = array
        start += len(array)
    return stacked


def cut_back(answer: Tensors, specs: Mapping[str, TensorSpec], own: Tensors, padded: Tensors) -> dict[str, np.ndarray]:
    """`answer` without what belongs to the padding: an open output dimension that came out as long as the padded
    input is cut to the length that the request's own input had."""
    lengths: dict[int, set[int]] = {}
    for name, array in padded.items():
        for long, short in zip(array.shape[1:], own[name].shape[1:], strict=True):
            lengths.setdefault(long, set()).add(short)
    known = {long: short.pop() for long, short in lengths.items() if len(short) == 1}
    return {name: array[_corner(array, specs[name], known)] for name, array in answer.items()}


def _corner(array: np.ndarray, spec: TensorSpec, known: Mapping[int, int]) -> tuple[slice, ...]:
    shape = spec.shape if spec.shape is not None else (None,) * array.ndim
    return (slice(None), *(slice(0, known.get(size, size) if want is None else size)
                           for want, size in zip(shape[1:], array.shape[1:], strict=True)))
