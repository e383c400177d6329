"""Operations that never have to wait let other tasks run now and then.

Invariant: a task completes at most `BURST` operations in a row without giving the event loop a turn. The count is of
operations since anything last waited; it starts afresh with the first channel of a new loop, so that a run on a virtual
clock does not depend on the runs before it. The pause comes before an operation looks at its channel: a task that is
cancelled in it has neither sent nor received anything.
"""

import weakref
from asyncio import _get_running_loop
from collections.abc import Callable
from threading import get_ident
from typing import Any

BURST = 64


def _no_loop() -> None:
    return None


class Pace:
    __slots__ = ("left", "loop", "thread")

    def __init__(self) -> None:
        self.left = BURST
        self.loop: Callable[[], Any] = _no_loop      # a weak reference
        self.thread = 0

    def reset(self) -> None:
        self.left = BURST

    def start_afresh_on_a_new_loop(self) -> None:
        loop, thread = _get_running_loop(), get_ident()
        if loop is not None and (self.loop() is not loop or self.thread != thread):
            self.loop, self.thread = weakref.ref(loop), thread
            self.left = BURST


pace = Pace()
