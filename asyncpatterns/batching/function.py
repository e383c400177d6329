"""One call of the user's function, on a worker thread or on the loop, and what can be said of what it gave back.

Invariant: an attempt never raises. Whatever the function does comes back as an `Outcome`, so no caller hangs.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, NamedTuple

from .errors import BatchSizeMismatch


class Outcome(NamedTuple):
    """One result for each item; or the error, and whether it could be the fault of one item alone."""

    results: Sequence[Any] = ()
    error: BaseException | None = None
    divisible: bool = False


def attempt(function: Callable[[list[Any]], Any], items: list[Any]) -> Outcome:
    """Runs on a worker thread; turning arrays into lists happens here too, where it does not hold up the loop."""
    expected = len(items)       # now: the list is the function's, to do with as it likes
    try:
        return _checked(function(items), expected)
    except BaseException as error:
        return _failure(error)


async def attempt_async(function: Callable[[list[Any]], Any], items: list[Any]) -> Outcome:
    expected = len(items)
    try:
        return _checked(await function(items), expected)
    except (KeyboardInterrupt, SystemExit):
        raise           # these stop the loop; the callers are told by whoever finds the attempt cut short
    except BaseException as error:
        return _failure(error)


def outcome_of(attempt: "asyncio.Future[Outcome]") -> Outcome:
    """What came of an attempt that is over, in whatever way."""
    if attempt.cancelled():
        return _failure(asyncio.CancelledError("the batch was cancelled while it ran"))
    error = attempt.exception()
    return attempt.result() if error is None else _failure(error)


def _failure(error: BaseException) -> Outcome:
    return Outcome(error=error, divisible=isinstance(error, Exception))


def _checked(results: Any, expected: int) -> Outcome:
    if not isinstance(results, list):
        if not _is_sequence(results):
            return Outcome(error=BatchSizeMismatch(expected, _named(results)))
        results = list(results)
    if len(results) != expected:
        return Outcome(error=BatchSizeMismatch(expected, len(results)))
    return Outcome(results)


def _is_sequence(results: Any) -> bool:
    """Arrays and tensors too. Sets and mappings have a length, but no order that belongs to the items."""
    return hasattr(results, "__len__") and hasattr(results, "__iter__") and not isinstance(results, Mapping | Set)


def _named(results: Any) -> str:
    if inspect.iscoroutine(results):
        results.close()
        return "a coroutine (is the function an `async def` behind a plain one?)"
    return "None" if results is None else f"an object of type {type(results).__name__}"
