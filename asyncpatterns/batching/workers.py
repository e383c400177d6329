"""The workers of a batcher: threads for a plain function, tasks on the loop for an `async def`.

Invariant: a worker is free or has exactly one batch. What they cost the loop does not depend on the batch's size.
"""

import asyncio
import contextvars
import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .function import Outcome, attempt, attempt_async
from .settings import is_async


class Workers:
    """`free`: the numbers of those without a batch, the one that has been free longest first; `since`: since when."""

    def __init__(self, function: Callable[[list[Any]], Any], count: int, name: str) -> None:
        self.count, self.name = count, name
        self.free = deque(range(count))
        self.since = [-math.inf] * count
        self.context = contextvars.copy_context()       # that of the batcher: a batch belongs to none of its callers
        self.call(function)
        self._threads: ThreadPoolExecutor | None = None
        self._tasks: dict[asyncio.Future[Outcome], None] = {}    # in the order in which they were started

    def call(self, function: Callable[[list[Any]], Any]) -> None:
        """What is to be called from the next batch on."""
        self._function = function
        self._on_loop = is_async(function)

    def start(self, items: list[Any], loop: asyncio.AbstractEventLoop) -> "asyncio.Future[Outcome]":
        """Calls the function with `items`; the future is never a failure of the function itself."""
        if self._on_loop:
            task = loop.create_task(attempt_async(self._function, items), name=f"batch of {self.name}",
                                    context=self.context)
            self._tasks[task] = None
            task.add_done_callback(self._tasks.pop)
            return task
        try:
            return loop.run_in_executor(self._pool(), attempt, self._function, items)
        except RuntimeError as error:       # the interpreter is about to end, and starts no more threads
            failed: asyncio.Future[Outcome] = loop.create_future()
            failed.set_result(Outcome(error=error))
            return failed

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.count, thread_name_prefix=self.name)
        return self._threads

    def release(self, worker: int, now: float) -> None:
        self.free.append(worker)
        self.since[worker] = now

    def stop(self) -> None:
        """Ends the threads. A batch that still runs goes on; nobody waits for it."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=len(self.free) == self.count)     # idle threads are gone in a moment

    def cancel(self) -> None:
        """Cancels what runs on the loop; threads cannot be cancelled."""
        for task in self._tasks:
            task.cancel()
