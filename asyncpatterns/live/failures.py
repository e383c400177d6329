"""No background failure goes unseen.

A task that fails between two cells fails no cell: a notebook runs to its end with a dead demo in it. So whoever checks
notebooks calls `watch_failures()` first and `await settle()` last, which raises all that failed in between.
"""

import asyncio
import gc
import sys
from typing import Any

_seen: list[BaseException] = []


class BackgroundFailure(RuntimeError):
    """Something failed while nobody looked: `failures` are the exceptions, the first is the cause.

    Not an exception group: IPython prints a group without telling the front end that the cell has failed.
    """

    def __init__(self, failures: list[BaseException]) -> None:
        told = "; ".join(f"{type(one).__name__}: {one}" for failure in failures for one in _leaves(failure))
        super().__init__(f"failed in the background while the cells ran: {told}")
        self.failures = failures


def _leaves(failure: BaseException) -> list[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        return [leaf for one in failure.exceptions for leaf in _leaves(one)]
    return [failure]


def watch_failures() -> None:
    """From now on keeps what reaches the running loop's exception handler, and passes it on to the handler there was.

    In a notebook it also keeps the exception groups that cells raise, which IPython does not report as errors.
    """
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def keep(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        _seen.append(context.get("exception") or RuntimeError(context["message"]))
        if before is None:
            loop.default_exception_handler(context)
        else:
            before(loop, context)

    loop.set_exception_handler(keep)
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()) is not None:
        shell.events.register("post_run_cell", _keep_group)


def _keep_group(result: Any) -> None:
    if isinstance(result.error_in_exec, BaseExceptionGroup):
        _seen.append(result.error_in_exec)


def background_failures() -> list[BaseException]:
    """What failed in the background so far: reported to the loop, or in a task whose result nobody has looked at."""
    gc.collect()        # a failed task tells of its failure when it is collected
    held = [task for task in gc.get_objects() if isinstance(task, asyncio.Task) and _forgotten(task)]
    _seen.extend(problem for task in held if (problem := task.exception()) is not None)
    return list({id(problem): problem for problem in _seen}.values())


def _forgotten(task: "asyncio.Task[Any]") -> bool:
    """Whether the task failed and nobody has asked for its exception: asyncio keeps that in this flag of its own."""
    return task.done() and not task.cancelled() and getattr(task, "_log_traceback", False)


async def settle() -> None:
    """Closes every open panel, lets the loop turn, and raises `BackgroundFailure` if anything failed in the background.

    Failures are told once: a second call speaks of new ones only.
    """
    if f"{__package__}.panel" in sys.modules:
        from .panel import close_panels

        await close_panels()
    for _ in range(3):
        await asyncio.sleep(0)
    failures = background_failures()
    _seen.clear()
    if failures:
        raise BackgroundFailure(failures) from failures[0]
