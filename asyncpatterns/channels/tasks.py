"""Tasks that neither vanish nor fail in silence."""

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")

# asyncio holds its tasks weakly: one that nobody else holds may be collected in the middle of its work.
_running: set[asyncio.Task[Any]] = set()


def go(awaitable: Awaitable[T], *, name: str | None = None) -> asyncio.Task[T]:
    """Start `awaitable` (a coroutine, a channel operation, a future) as a task, and return the task.

    Like Go's `go` statement you may forget what it returns: the task is not collected while it runs, and if it fails,
    the loop's exception handler is told, also while somebody holds the task or awaits it. Cancellation is no failure.
    Raises `TypeError` if it is not given an awaitable, `RuntimeError` if no event loop is running.
    """
    if not inspect.isawaitable(awaitable):
        raise TypeError(f"go() wants something to await, such as a coroutine, not {awaitable!r}")
    task = keep(_task_of(awaitable, name))
    task.add_done_callback(_tell_failure)
    return task


def keep(task: "asyncio.Task[T]") -> "asyncio.Task[T]":
    """Hold the task until it is done."""
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task


def _task_of(awaitable: Awaitable[T], name: str | None) -> "asyncio.Task[T]":
    if isinstance(awaitable, asyncio.Task):
        return awaitable
    coroutine = awaitable if inspect.iscoroutine(awaitable) else _wait_for(awaitable)
    try:
        return asyncio.get_running_loop().create_task(coroutine, name=name)
    except RuntimeError:
        coroutine.close()
        raise


async def _wait_for(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _tell_failure(task: asyncio.Task[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    # SystemExit and KeyboardInterrupt have ended the loop already.
    if error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        context = {"message": f"task {task.get_name()!r} failed", "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)
