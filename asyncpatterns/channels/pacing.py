"""Operations that never have to wait let other tasks run now and then.

Invariant: a task completes at most `BURST` operations in a row without giving the event loop a turn. The count is of
operations since anything last waited; it starts afresh with the first channel of a new loop, so that a run on a virtual
clock does not depend on the runs before it. The pause comes before an operation looks at its channel: a task that is
cancelled in it has neither sent nor received anything.
"""

import weakref
from asyncio import _get_running_loop
from typing import Any

BURST = 64


class Pace:
    __slots__ = ("_loop", "left")

    def __init__(self) -> None:
        self.left = BURST
        self._loop: Any = None

    def reset(self) -> None:
        self.left = BURST

    def start_afresh_on_a_new_loop(self) -> None:
        loop = _get_running_loop()
        if loop is not None and (self._loop is None or self._loop() is not loop):
            self._loop = weakref.ref(loop)
            self.left = BURST


pace = Pace()
