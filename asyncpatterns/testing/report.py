"""What a deadlock says: one line for every task, with its name and what it waits for.

The report knows nothing of channels or actors. It follows the chain of awaits from the task's coroutine inwards and
lets the innermost object that wrote its own `__await__` speak for itself, through its `repr`.
"""

import asyncio
import gc
import inspect
import os
from collections.abc import Iterable, Iterator
from typing import Any


class Deadlock(RuntimeError):
    """Every task waits for another one, and no timer is left that could wake any of them.

    The text has one line per task: its name, the operation it is blocked in, and the channel or actor concerned.
    """


def deadlock_of(tasks: Iterable[asyncio.Task[Any]]) -> Deadlock:
    return Deadlock("\n".join(describe(task) for task in tasks))


def describe(task: asyncio.Task[Any]) -> str:
    line = f"{task.get_name()}: blocked in {_operation(task)}"
    return " ".join(line.split("\n"))


def _operation(task: asyncio.Task[Any]) -> str:
    chain = list(_awaits(task.get_coro()))
    for awaitable in reversed(chain):
        speaker = _speaker(awaitable)
        if speaker is not None:
            return repr(speaker)
    return _foreign(chain, getattr(task, "_fut_waiter", None))


def _awaits(awaitable: Any) -> Iterator[Any]:
    """The coroutine, what it awaits, what that awaits, and so on inwards."""
    while awaitable is not None:
        yield awaitable
        awaitable = _awaited_by(awaitable)


def _awaited_by(awaitable: Any) -> Any:
    for attribute in ("cr_await", "gi_yieldfrom", "ag_await"):
        if hasattr(awaitable, attribute):
            return getattr(awaitable, attribute)
    if type(awaitable).__name__ in ("async_generator_asend", "async_generator_athrow", "anext_awaitable"):
        # These do not say whose step they are; the garbage collector knows.
        return next((held for held in gc.get_referents(awaitable) if _is_awaited(held)), None)
    return None


def _is_awaited(held: Any) -> bool:
    return inspect.isasyncgen(held) or type(held).__name__ == "async_generator_asend"


def _speaker(awaitable: Any) -> Any:
    """The object that `await` was called on, if it wrote its own `__await__` and is no bare future."""
    frame = getattr(awaitable, "gi_frame", None)
    owner = frame.f_locals.get("self") if frame is not None else None
    if owner is None or not hasattr(type(owner), "__await__") or asyncio.isfuture(owner):
        return None
    return owner


def _foreign(chain: list[Any], future: Any) -> str:
    """For what is not ours: the innermost function, the task it waits for if it is one, and where we called it."""
    steps = [step for step in chain if _frame_of(step) is not None]
    if not steps:
        return repr(future)
    what = _wanted(future) or f"{steps[-1].__qualname__}()"
    frame = _frame_of(next((step for step in reversed(steps) if not _of_the_library(step)), steps[-1]))
    return f"{what}, at {os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def _wanted(future: Any) -> str | None:
    if isinstance(future, asyncio.Task):
        return f"await of task {future.get_name()!r}"
    children = getattr(future, "_children", None)
    if children:
        return f"gather of {', '.join(_name(child) for child in children if not child.done())}"
    return None


def _name(future: Any) -> str:
    return repr(future.get_name()) if isinstance(future, asyncio.Task) else "a future"


def _of_the_library(step: Any) -> bool:
    return os.path.dirname(_frame_of(step).f_code.co_filename) == os.path.dirname(asyncio.__file__)


def _frame_of(step: Any) -> Any:
    for attribute in ("cr_frame", "gi_frame", "ag_frame"):
        if hasattr(step, attribute):
            return getattr(step, attribute)
    return None
