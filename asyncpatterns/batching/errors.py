"""What a batcher raises, and how one failure becomes an exception object for each caller.

Invariant: no two callers ever hold the same exception object. A traceback and notes grow on an exception while it
travels; on a shared object one caller would read what happened to another.
"""

import copy
from typing import Any, TypeVar

E = TypeVar("E", bound=BaseException)

# These keep part of their state outside `args` and `__dict__`, so only `copy.copy` can be trusted with them.
_BUILT_IN_STATE = (OSError, UnicodeError, ImportError, SyntaxError, AttributeError, NameError, BaseExceptionGroup)
# Raised inside a coroutine these would not arrive as what they are: Python gives them a meaning of their own.
_NOT_FOR_CALLERS = (StopIteration, StopAsyncIteration)


class Overloaded(RuntimeError):
    """Refused on arrival: too much is waiting. Nothing happened; the request was never admitted.

    `retry_after`: seconds until the same request would be admitted if nobody else came (`math.inf`: never).
    `waiting`: rows that were waiting; `room`: the rows that may.
    """

    def __init__(self, retry_after: float = 0.0, waiting: int = 0, room: float = 0) -> None:
        super().__init__(retry_after, waiting, room)
        self.retry_after, self.waiting, self.room = retry_after, waiting, room

    def __str__(self) -> str:
        return f"{self.waiting} rows are waiting where {self.room} may; try again in {self.retry_after:.3g} s"


class DeadlineExceeded(TimeoutError):
    """Admitted, but not started in time: `function` never saw the request.

    `waited`: seconds in the queue; `limit`: the seconds it had, from `timeout=` or from the `slo`.
    """

    def __init__(self, waited: float = 0.0, limit: float = 0.0) -> None:
        super().__init__(waited, limit)
        self.waited, self.limit = waited, limit

    def __str__(self) -> str:
        return f"not started after waiting {self.waited:.3g} s of the {self.limit:.3g} s it had"


class BatcherClosed(RuntimeError):
    """The batcher takes no more requests: drained, its block left, or failed, and then `__cause__` says why."""


class BatchSizeMismatch(RuntimeError):
    """`function` broke its promise of one result for each item, so nobody can know whose results they are.

    `expected`: items given; `got`: results returned, or the type of what was returned if it is no sequence.
    """

    def __init__(self, expected: int = 0, got: Any = 0) -> None:
        super().__init__(expected, got)
        self.expected, self.got = expected, got

    def __str__(self) -> str:
        got = f"{self.got} results" if isinstance(self.got, int) else f"{self.got}, no sequence of results"
        return f"the function got {self.expected} items and returned {got}: it must return one for each, in order"


class BatchFailed(RuntimeError):
    """Stands in, with the original as its `__cause__`, for an exception that cannot be copied or raised in a caller."""


def private(error: BaseException) -> BaseException:
    """An exception object for one caller: a copy of the same type, or a `BatchFailed` whose `__cause__` is `error`.

    The traceback, the cause and the notes so far come along. A copy that had to go around the constructor has the
    original as its `__cause__`.
    """
    if not isinstance(error, Exception) or isinstance(error, _NOT_FOR_CALLERS):
        return _stand_in(error)
    return _faithful_copy(error) or _copy_around_constructor(error) or _stand_in(error)


def _faithful_copy(error: E) -> E | None:
    try:
        twin = copy.copy(error)
        if twin is error or type(twin) is not type(error) or not _same_args(twin, error):
            return None
        return _dressed(twin, error, error.__cause__)
    except Exception:       # whatever a constructor written for other arguments may do
        return None


def _same_args(twin: BaseException, error: BaseException) -> bool:
    """By identity: arguments may be arrays, which have no truth value when compared."""
    return len(twin.args) == len(error.args) and all(x is y for x, y in zip(twin.args, error.args, strict=True))


def _copy_around_constructor(error: E) -> E | None:
    if isinstance(error, _BUILT_IN_STATE):
        return None
    try:
        twin = type(error).__new__(type(error))
        twin.args = error.args
        twin.__dict__.update(error.__dict__)
        return _dressed(twin, error, error) if str(twin) == str(error) else None
    except Exception:
        return None


def _stand_in(error: BaseException) -> BatchFailed:
    return _dressed(BatchFailed(f"{type(error).__name__}: {error}"), None, error)


def _dressed(twin: E, error: BaseException | None, cause: BaseException | None) -> E:
    if error is not None:
        twin.__context__ = error.__context__
        twin.__traceback__ = error.__traceback__
        if hasattr(error, "__notes__"):
            twin.__notes__ = list(error.__notes__)
    twin.__cause__ = cause
    twin.__suppress_context__ = cause is not None or (error is not None and error.__suppress_context__)
    return twin
