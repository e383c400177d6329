"""The options of a batcher, checked once here, so that the rest of the code can trust them."""

import inspect
import math
import operator
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any, SupportsFloat, SupportsIndex

QUEUE_OF_BATCHES = 16


class _DefaultSize(int):
    """64 where nobody said 64: with `sizes`, the largest of them is the limit, unless the user gave a smaller one."""


DEFAULT_SIZE = _DefaultSize(64)


def whole(name: str, value: SupportsIndex, least: int = 1) -> int:
    """`value` as an int of at least `least`; numpy's integers are welcome, floats and booleans are not."""
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an int >= {least}, not {value!r}") from None
    if number < least or isinstance(value, bool):
        raise ValueError(f"{name} must be an int >= {least}, not {value!r}")
    return number


def seconds(name: str, value: SupportsFloat, *, above: float | None = None) -> float:
    """`value` as a finite float >= 0, or > `above`."""
    if isinstance(value, bool | str):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    try:
        number = float(value)
    except TypeError:
        raise TypeError(f"{name} must be a number of seconds, not {value!r}") from None
    if not 0 <= number < math.inf or (above is not None and number <= above):
        least = ">= 0" if above is None else f"> {above:g}"
        raise ValueError(f"{name} must be a finite number of seconds {least}, not {value!r}")
    return number


def timeout(value: Any) -> float:
    """Any number of seconds; a time that is over already is one, too."""
    number = None if isinstance(value, bool) else _number(value)
    if number is None:
        raise TypeError(f"timeout must be a number of seconds or None, not {value!r}")
    if math.isnan(number):
        raise ValueError("timeout must be a number of seconds or None, not nan")
    return number


def priority(value: Any) -> float:
    """Any number that can be compared."""
    number = _number(value)
    if number is None or math.isnan(number):
        raise TypeError(f"priority must be a number, higher goes first, not {value!r}")
    return number


def _number(value: Any) -> float | None:
    """None if it is no number; numpy's are."""
    if isinstance(value, int | float):
        return value
    return float(value) if isinstance(value, Real) else None


def queue_limit(value: Any) -> float | None:
    """None for the default, `math.inf` for no bound at all, else an int >= 1."""
    return value if value is None or value == math.inf else whole("max_queue", value)


def promise(value: Any) -> float | None:
    return None if value is None else seconds("slo", value, above=0.0)


def allowed_sizes(value: Iterable[Any] | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    if not isinstance(value, Iterable):
        raise TypeError(f"sizes must be batch sizes, such as (1, 2, 4, 8), not {value!r}")
    sizes = tuple(sorted({whole("each of sizes", size) for size in value}))
    if not sizes:
        raise ValueError("sizes must name at least one batch size, such as (1, 2, 4, 8); or leave it out")
    return sizes


def function(value: Any) -> Callable[..., Any]:
    if not callable(value):
        raise TypeError(f"function must be callable with a list of items, not {value!r}")
    return value


def weigher(value: Any) -> Callable[[Any], int] | None:
    if value is not None and not callable(value):
        raise TypeError(f"rows must be a function of one item, such as len, not {value!r}")
    return value


def exception_types(value: Any) -> tuple[type[BaseException], ...]:
    types = value if isinstance(value, tuple) else (value,)
    for each in types:
        if not (inspect.isclass(each) and issubclass(each, BaseException)):
            raise TypeError(f"fatal must be a tuple of exception types, such as (MemoryError,), not {value!r}")
    return types


def is_async(value: Any) -> bool:
    """An `async def`, also behind `functools.partial`, a method, or an object whose `__call__` is one."""
    return inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(getattr(value, "__call__", None))  # noqa: B004


class Settings:
    """Checked options; four of them can be changed at any time."""

    __slots__ = ("_queue", "_size", "fatal", "isolate", "linger", "name", "rows", "sizes", "slo", "workers")

    def __init__(self, *, max_batch_size: int, max_queue: float | None, slo: float | None, linger: float, workers: int,
                 sizes: Iterable[int] | None, rows: Any, isolate: bool, fatal: Any, name: str | None) -> None:
        self.sizes = allowed_sizes(sizes)
        if self.sizes is not None and max_batch_size is DEFAULT_SIZE:
            max_batch_size = self.sizes[-1]
        self.max_batch_size = max_batch_size
        self.max_queue = max_queue
        self.slo = promise(slo)
        self.linger = seconds("linger", linger)
        self.workers = whole("workers", workers)
        self.rows = weigher(rows)
        self.isolate = bool(isolate)
        self.fatal = exception_types(fatal)
        self.name = name

    @property
    def max_batch_size(self) -> int:
        """The limit in rows: with `sizes` the largest of them that was not ruled out."""
        return self._size

    @max_batch_size.setter
    def max_batch_size(self, value: int) -> None:
        size = whole("max_batch_size", value)
        if self.sizes is not None:
            if size < self.sizes[0]:
                raise ValueError(f"max_batch_size must be at least the smallest of sizes={self.sizes}, not {value!r}")
            size = max(allowed for allowed in self.sizes if allowed <= size)
        self._size = size

    @property
    def max_queue(self) -> float:
        return QUEUE_OF_BATCHES * self._size if self._queue is None else self._queue

    @max_queue.setter
    def max_queue(self, value: float | None) -> None:
        self._queue = queue_limit(value)
