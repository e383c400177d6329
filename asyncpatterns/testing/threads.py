"""Is a thread at work, or does it wait for somebody to give it some?"""

import concurrent.futures.thread
import sys
import threading
from collections.abc import Iterable
from types import FrameType


def any_at_work(threads: Iterable[threading.Thread]) -> bool:
    frames = sys._current_frames()
    return any(not _is_idle(thread, frames.get(thread.ident or 0)) for thread in threads)


def pool_threads() -> set[threading.Thread]:
    """The threads of all thread pools, also of those that were there before."""
    return {thread for thread in threading.enumerate() if thread in _queues}


def of_a_notebook(thread: threading.Thread) -> bool:
    """Was it started by a notebook's kernel? That starts threads whenever its page asks for one, also in the middle of
    a run, and they wait for the page."""
    return type(thread).__module__.partition(".")[0] in ("ipykernel", "IPython")


def _is_idle(thread: threading.Thread, frame: FrameType | None) -> bool:
    """A thread without work, of a pool or one that says so itself (`waiting_for_work`), or one that waits without a
    time limit for another thread to tell it something."""
    if frame is None or getattr(thread, "waiting_for_work", None) is True:
        return True
    if frame.f_code is _pool_loop:      # its innermost frame also when work has come that it has not begun yet
        return thread not in _queues or _queues[thread].empty()
    return frame.f_code is threading.Condition.wait.__code__ and frame.f_locals.get("timeout") is None


_queues = concurrent.futures.thread._threads_queues
_pool_loop = concurrent.futures.thread._worker.__code__
