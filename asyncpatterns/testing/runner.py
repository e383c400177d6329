"""`run`: the one door. It builds the loop, runs main, and leaves nothing behind, whatever happens."""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import inspect
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from .clock import VirtualClockLoop
from .report import Deadlock

T = TypeVar("T")
Main = Callable[[], Coroutine[Any, Any, T]]

# A task may start another one, or wait once more, while it is being cancelled; one that goes on for ever may not.
_ROUNDS = 10


def run(main: Main[T], seed: int | None = None) -> T:
    """Run the coroutine function `main` on a loop with a virtual clock, and return its result.

    Sleeping costs nothing: when every task waits, the clock jumps to the next timer. The clock starts at 0.0 and
    stands still while a worker thread (`asyncio.to_thread`, `loop.run_in_executor`) is busy. The run can be repeated:
    `seed` seeds `loop.random`, which `select` draws from (`None` is seed 0).

    Raises what `main` raises; `Deadlock` when every task is blocked and no timer is left; `TypeError` when `main` is
    not a coroutine function. Before it returns or raises, tasks that are left are cancelled and awaited, asynchronous
    generators and the default executor are shut down, and the loop is closed. No event loop is set or replaced.

    Called where a loop is running already, as in a notebook, it does all this on a thread of its own and blocks.
    """
    coroutine = _coroutine_of(main)
    if asyncio._get_running_loop() is None:
        return _run(VirtualClockLoop(seed), coroutine)
    return _run_on_a_thread(coroutine, seed)


def _coroutine_of(main: Main[T]) -> Coroutine[Any, Any, T]:
    if inspect.iscoroutine(main):
        main.close()        # or Python would warn that it was never awaited
        raise TypeError(f"run() wants the coroutine function: run({main.__name__}), not run({main.__name__}())")
    if not callable(main):
        raise TypeError(f"run() wants a coroutine function (async def ...), not {main!r}")
    coroutine = main()
    if not inspect.iscoroutine(coroutine):
        raise TypeError(f"run() wants a coroutine function (async def ...), but {main!r} returned {coroutine!r}")
    return coroutine


def _run(loop: VirtualClockLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        try:
            result: T = loop.run_until_complete(loop.create_task(coroutine, name="main"))
        except BaseException as error:
            _mark_as_seen(loop, error)
            _tidy(loop)     # if tidying fails too, the first failure is the one to tell
            raise
        deadlock = _tidy(loop)
        if deadlock is not None:
            raise deadlock
        return result
    finally:
        loop.close()


def _mark_as_seen(loop: VirtualClockLoop, error: BaseException) -> None:
    """A task that ended the whole run (SystemExit, KeyboardInterrupt) has been heard: no complaint when it is freed."""
    known: Iterable[asyncio.Task[Any]] = getattr(
        asyncio.tasks, "_scheduled_tasks" if sys.version_info >= (3, 12) else "_all_tasks", ()
    )
    tasks = loop.tasks()
    with contextlib.suppress(RuntimeError):     # another thread's loop has made a task meanwhile
        tasks += known      # some are made without the loop's help: asyncio.Task(...)
    for task in tasks:
        if getattr(task, "_exception", None) is error:
            task.exception()


def _tidy(loop: VirtualClockLoop) -> Deadlock | None:
    """End what still runs; return the deadlock of those that cannot be ended."""
    deadlock = _cancel_the_rest(loop)
    for step in (loop.shutdown_asyncgens, loop.shutdown_default_executor):
        try:
            loop.run_until_complete(step())
        except Deadlock as blocked:
            deadlock = deadlock or blocked
    return deadlock


def _cancel_the_rest(loop: VirtualClockLoop) -> Deadlock | None:
    deadlock = None
    for _ in range(_ROUNDS):
        tasks = loop.unfinished()
        if not tasks:
            return None
        for task in tasks:
            task.cancel()
        try:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        except Deadlock as blocked:
            deadlock = blocked
        _tell_failures(loop, tasks)
    return deadlock


def _tell_failures(loop: VirtualClockLoop, tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        error = task.exception() if task.done() and not task.cancelled() else None
        if error is not None:
            message = "a task failed while it was being cancelled at the end of run()"
            loop.call_exception_handler({"message": message, "exception": error, "task": task})


def _run_on_a_thread(coroutine: Coroutine[Any, Any, T], seed: int | None) -> T:
    """The same on a thread of its own, because asyncio allows one running loop per thread."""
    loop = VirtualClockLoop(seed)
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(_settle, outcome, loop, coroutine), name="testing.run")
    thread.start()
    try:
        return outcome.result()
    except BaseException:
        if not outcome.done():          # Ctrl-C reached us: hand it on
            loop.call_soon_threadsafe(_interrupt)
        raise
    finally:
        thread.join()


def _settle(outcome: "concurrent.futures.Future[T]", loop: VirtualClockLoop, coroutine: Coroutine[Any, Any, T]) -> None:
    try:
        outcome.set_result(_run(loop, coroutine))
    except BaseException as error:
        outcome.set_exception(error)


def _interrupt() -> None:
    raise KeyboardInterrupt
