"""An event loop whose clock is a variable.

Invariants
    1. `time()` moves only when nothing is ready: then it jumps to the next timer, exactly.
    2. It does not move while a job is unfinished that was given to `run_in_executor` or announced with `job_begins`:
       threads live in real time, so the loop waits for them in real time. A job counts until the loop has seen its
       result; one whose thread waits for this loop (`run_coroutine_threadsafe(...).result()`) does not.
    3. With nothing ready, no timer (one at infinity is none), no job and no other thread at work that was started
       during the run, no callback can ever run again: that is the deadlock.
    4. Nothing here depends on the wall clock, on hash seeds or on addresses, so a run can be repeated.
"""

import asyncio
import concurrent.futures
import math
import random
import selectors
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from .report import deadlock_of
from .threads import any_at_work, of_a_notebook, pool_threads

Events = list[tuple[selectors.SelectorKey, int]]
Wait = Callable[[float | None], Events]

# Real seconds. Long enough to cost nothing, short enough for Ctrl-C on systems where a signal does not end a select.
_PATIENCE = 0.05
# A pool's thread that has just been handed work looks idle for a moment: look several times before judging.
_LOOKS, _MOMENT = 5, 0.004


class _JumpingSelector(selectors.DefaultSelector):
    """Polls for real, and asks the loop what to do when it would have to wait."""

    def __init__(self, when_idle: Callable[[Wait], Events]) -> None:
        super().__init__()
        self._when_idle = when_idle

    def select(self, timeout: float | None = None) -> Events:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        return self._when_idle(super().select)


T = TypeVar("T")


class _InOrder(weakref.WeakKeyDictionary[T, None]):
    """A weak set that remembers in which order things came."""

    def add(self, thing: T) -> None:
        self[thing] = None

    def discard(self, thing: T) -> None:
        self.pop(thing, None)


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """Starts at time 0.0; `random` is what `select` draws from."""

    def __init__(self, seed: int | None = None) -> None:
        self._now = 0.0
        self._jobs: set[object] = set()
        self._born = _InOrder[asyncio.Task[Any]]()
        self._unnamed = 0
        self._older_threads = weakref.WeakSet(threading.enumerate())
        self.random = random.Random(0 if seed is None else seed)
        super().__init__(_JumpingSelector(self._when_idle))
        self._asyncgens = _InOrder[Any]()       # asyncio's own, a set, would close them in the order of their addresses
        self._jump(0.0)
        self.set_default_executor(concurrent.futures.ThreadPoolExecutor(thread_name_prefix="asyncio"))

    def time(self) -> float:
        return self._now

    def unfinished(self) -> list[asyncio.Task[Any]]:
        """The tasks that are not done, oldest first."""
        known = [task for task in self._born if not task.done()]
        others = [task for task in asyncio.all_tasks(self) if task not in self._born]
        return known + sorted(others, key=lambda task: (len(task.get_name()), task.get_name()))

    def tasks(self) -> list[asyncio.Task[Any]]:
        """All that were created here and are still referred to, done or not, oldest first."""
        return list(self._born)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[Any]:
        if name is None:    # asyncio counts through the life of the process, a repeatable run counts from one
            self._unnamed += 1
            name = f"Task-{self._unnamed}"
        task = super().create_task(coro, name=name, context=context, **options)
        self._born.add(task)
        return task

    # --- when nothing is ready ---

    def _when_idle(self, wait: Wait) -> Events:
        if self._jobs and not self._jobs_wait_for_us():
            return wait(_PATIENCE)
        timers = self._scheduled  # type: ignore[attr-defined]
        if timers and timers[0].when() < math.inf:
            self._jump(timers[0].when())
            return []
        events = self._wait_for_other_threads(wait)
        if events or self._ready:  # type: ignore[attr-defined]
            return events
        if self._waits_for_the_world():
            return wait(_PATIENCE)
        raise deadlock_of(self.unfinished())

    def _jump(self, when: float) -> None:
        self._now = float(when)
        # asyncio fires what is due before now + resolution: 16 ms on Windows, too coarse; and beyond 97 days
        # the 1 ns of other systems drowns in a float, and nothing would ever fire.
        self._clock_resolution = max(1e-9, math.ulp(self._now))

    def _wait_for_other_threads(self, wait: Wait) -> Events:
        """What they have to tell, or nothing when none is at work."""
        looks = 0
        while looks < _LOOKS:
            threads = self._younger_threads()
            at_work = any_at_work(threads)
            # Look at the threads first, poll second: whatever a finished thread had to tell us is then in the poll.
            events = wait(_PATIENCE if at_work else _MOMENT if threads else 0)
            if events or self._ready:  # type: ignore[attr-defined]
                return events
            looks = 0 if at_work else looks + 1 if threads else _LOOKS
        return []

    def _jobs_wait_for_us(self) -> bool:
        """A job may run something on this loop and wait for it: then the loop must go on, and its clock too."""
        for _ in range(_LOOKS):
            threads = set(self._younger_threads()) | pool_threads()
            if any_at_work(threads) or self._ready:  # type: ignore[attr-defined]
                return False
            time.sleep(_MOMENT)
        return bool(threads) and not self._selector.select(0)  # type: ignore[attr-defined]

    def _younger_threads(self) -> list[threading.Thread]:
        here = threading.current_thread()
        younger = [t for t in threading.enumerate() if t not in self._older_threads and t is not here]
        return [t for t in younger if not of_a_notebook(t)]

    def _waits_for_the_world(self) -> bool:
        """Does somebody read or write a socket of his own (the loop has one, to be woken up by threads)?"""
        return len(self._selector.get_map()) > self._internal_fds  # type: ignore[attr-defined]

    # --- jobs on threads ---

    def job_begins(self, job: object) -> None:
        """Who gives work to threads of his own, not to an executor, announces it here, before he gives it ..."""
        self._jobs.add(job)

    def job_seen(self, job: object) -> None:
        """... and says here, on the loop, that he has heard what came of it. Such a thread should have an attribute
        `waiting_for_work`, or it looks as if it were at work for ever, and the loop never sees a deadlock."""
        self._jobs.discard(job)

    def set_default_executor(self, executor: concurrent.futures.ThreadPoolExecutor) -> None:  # type: ignore[override]
        super().set_default_executor(executor)
        self._pool = executor

    def run_in_executor(  # type: ignore[override]
        self, executor: concurrent.futures.Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        job = (self._pool if executor is None else executor).submit(func, *args)
        self.job_begins(job)
        future = asyncio.wrap_future(job, loop=self)
        future.add_done_callback(lambda _: self._result_seen(job))
        return future

    def _result_seen(self, job: concurrent.futures.Future[Any]) -> None:
        if job.done():
            self.job_seen(job)
        else:               # nobody waits for it any more, yet its thread goes on
            job.add_done_callback(self._job_ended)

    def _job_ended(self, job: concurrent.futures.Future[Any]) -> None:
        try:
            self.call_soon_threadsafe(self.job_seen, job)
        except RuntimeError:    # the loop is closed, and does not count any more
            pass

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        # Never with a timeout: a virtual one would be over before the first thread has ended.
        await super().shutdown_default_executor()
