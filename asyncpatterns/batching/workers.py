"""The workers of a batcher: threads for a plain function, tasks on the loop for an `async def`.

Invariants
    1. A worker is free or has exactly one batch. What it costs the loop does not depend on the batch's size.
    2. What came of a call is told on the loop, once, by one `call_soon_threadsafe`. When the loop has been closed
       meanwhile nobody is left to be told.
    3. A worker's thread starts with its first call. It sleeps, without the interpreter's lock, until there is another
       one; while it sleeps it refers to nothing of the batcher. It ends with the last call after `stop`, or when nobody
       refers to the workers any more.
    4. The interpreter does not end in the middle of a call.

A thread that has been woken can do nothing until the loop lets go of the interpreter's lock, and a loop with many
callers to tell does that late: the model would stand still meanwhile, although it needs the lock for a moment only. So
before the callers get their turn the loop lets the threads begin (`let_begin`), which costs it a few microseconds where
the thread is awake by then. A function that keeps the lock would have kept the loop waiting a moment later anyway.
"""

import asyncio
import atexit
import contextlib
import contextvars
import functools
import math
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from .function import Outcome, attempt, attempt_async, outcome_of
from .settings import is_async

# Seconds that the loop waits at most for a thread to begin. On a machine that is too busy for that it goes on.
PATIENCE = 0.0005

Function = Callable[[list[Any]], Any]
Told = Callable[[Outcome], None]


class Workers:
    """`free`: the numbers of those without a batch, the one that has been free longest first; `since`: since when."""

    def __init__(self, function: Function, count: int, name: str) -> None:
        self.count, self.name = count, name
        self.free = deque(range(count))
        self.since = [-math.inf] * count
        self.context = contextvars.copy_context()       # that of the batcher: a batch belongs to none of its callers
        self._threads: dict[int, Thread] = {}
        self._given: list[Thread] = []          # that may not have begun yet
        self._tasks: dict[asyncio.Future[Outcome], None] = {}    # in the order in which they were started
        self.call(function)

    def __del__(self) -> None:
        for thread in self._threads.values():
            thread.end()

    def call(self, function: Function) -> None:
        """What is to be called from the next batch on."""
        self._function = function
        self._on_loop = is_async(function)
        self._stopped = False

    def start(self, worker: int, items: list[Any], loop: asyncio.AbstractEventLoop, told: Told) -> None:
        """Worker number `worker` calls the function with `items`; `told` hears, in a later tick, what came of it."""
        if self._on_loop:
            self._start_task(items, loop, told)
            return
        try:
            thread = self._threads.get(worker) or self._new_thread(worker)
        except RuntimeError as error:       # no more threads: there are too many, or the interpreter is about to end
            loop.call_soon(told, Outcome(error=error), context=self.context)
        else:
            thread.give(self._function, items, loop, told, self.context)
            self._given.append(thread)

    def let_begin(self) -> None:
        """Lets go of the interpreter's lock until the threads that were given something have begun with it."""
        all(thread.has_begun(PATIENCE) for thread in self._given)      # where one cannot the others are not waited for
        self._given.clear()

    def _start_task(self, items: list[Any], loop: asyncio.AbstractEventLoop, told: Told) -> None:
        task = loop.create_task(attempt_async(self._function, items), name=f"batch of {self.name}",
                                context=self.context)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        task.add_done_callback(lambda task: told(outcome_of(task)), context=self.context)

    def _new_thread(self, worker: int) -> "Thread":
        thread = Thread(f"{self.name}_{worker}")
        thread.start()
        self._threads[worker] = thread
        return thread

    def release(self, worker: int, now: float) -> None:
        self.free.append(worker)
        self.since[worker] = now
        if self._stopped and worker in self._threads:
            self._threads.pop(worker).end()

    def stop(self) -> None:
        """Ends the threads. A batch that still runs goes on; nobody waits for it."""
        self._stopped = True
        threads, self._threads = self._threads, {}
        for thread in threads.values():
            thread.end()
        for worker in self.free:
            if worker in threads:
                threads[worker].join()      # gone in a moment

    def cancel(self) -> None:
        """Cancels what runs on the loop; threads cannot be cancelled."""
        for task in self._tasks:
            task.cancel()


class Thread(threading.Thread):
    """Makes calls, one after the other. `waiting_for_work`: has the loop heard of all that it gave it?

    A loop that wants to know what is done for it outside, as the one with the virtual clock does, has two methods:
    `job_begins(job)` and `job_seen(job)`.
    """

    def __init__(self, name: str) -> None:
        _wait_at_exit()
        super().__init__(name=name, daemon=True)    # or a batcher that nobody closed would keep the interpreter alive
        self.waiting_for_work = True
        self._calls: SimpleQueue[Any] = SimpleQueue()
        self._to_begin = threading.Lock()       # held from when it is given a call until it begins with it

    def give(self, function: Function, items: list[Any], loop: Any, told: Told, context: contextvars.Context) -> None:
        self.waiting_for_work = False
        if hasattr(loop, "job_begins"):
            loop.job_begins(self)
        self._to_begin.acquire(blocking=False)
        self._calls.put((function, items, loop, told, context))

    def has_begun(self, timeout: float) -> bool:
        """Waits for that, `timeout` seconds at most."""
        begun = self._to_begin.acquire(timeout=timeout)
        if begun:
            self._to_begin.release()
        return begun

    def end(self) -> None:
        """When all calls that it was given are over."""
        self._calls.put(None)       # never blocks and may be called anywhere, also by the garbage collector

    def run(self) -> None:
        while (call := self._calls.get()) is not None:
            self._make(*call)
            del call

    def _make(self, function: Function, items: list[Any], loop: Any, told: Told, context: contextvars.Context) -> None:
        self._to_begin.release()
        outcome = attempt(function, items)
        with contextlib.suppress(RuntimeError):     # the loop is closed
            loop.call_soon_threadsafe(self._seen, loop, told, outcome, context=context)

    def _seen(self, loop: Any, told: Told, outcome: Outcome) -> None:
        self.waiting_for_work = True
        if hasattr(loop, "job_seen"):
            loop.job_seen(self)
        told(outcome)


@functools.cache
def _wait_at_exit() -> None:
    """Called with the first thread, so that what was set up before it, a model for one, is torn down after it."""
    atexit.register(_end_all)


def _end_all() -> None:
    threads = [thread for thread in threading.enumerate() if isinstance(thread, Thread)]
    for thread in threads:
        thread.end()
    for thread in threads:
        thread.join()
