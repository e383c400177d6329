"""How a plain operation waits for its partner: it looks once more before it lies down.

Partners are often one turn of the loop away, as in a game of ping-pong. So whoever is the first in line gives the loop
one turn, by a bare `yield`, before it makes a future. Served in that turn, it needs neither the future nor the extra
turn that waking a future up takes: two tasks that answer each other both run in every turn.

Invariants
    1. Only the first in line spins. Its next step was scheduled before anybody behind it could be served, and those
       have futures: so who was served first runs first.
    2. Whoever is cancelled, or whose loop is closed, while it spins is passed over, as a future would be: it does not
       swallow what the next in line could take. If that cancellation is withdrawn, which Python 3.13 allows, it starts
       afresh.
"""

from asyncio import Future, InvalidStateError, Task, current_task, get_running_loop
from collections.abc import Generator
from threading import get_ident
from typing import Any

from .pacing import BURST, pace

PASSED: Any = type("Passed", (), {"__repr__": lambda self: "PASSED"})()


class Waiting:
    """A waiter that spins first; when it has lain down it has a future."""

    __slots__ = ("future", "outcome", "task")       # set by `stand_in`: an `__init__` would cost a third of the whole
    future: "Future[Any] | None"
    outcome: Any
    task: "Task[Any]"

    def lie_down(self) -> Generator[Any, Any, Any]:
        if self.future is None:
            self.future = get_running_loop().create_future()
        return (yield from self.future)

    # --- as a future would ---

    def set_result(self, outcome: Any) -> None:
        if self.future is not None:
            self.future.set_result(outcome)
            return
        task = self.task
        if task.cancelling():
            self.outcome = PASSED
            raise InvalidStateError("cancelled while it spins")
        if task.get_loop().is_closed():
            raise RuntimeError("Event loop is closed")
        self.outcome = outcome

    def done(self) -> bool:
        if self.future is not None:
            return self.future.done()
        if self.outcome is None and self.task.cancelling():
            self.outcome = PASSED
        return self.outcome is not None

    def cancelled(self) -> bool:
        return self.future is not None and self.future.cancelled()

    def result(self) -> Any:
        return self.outcome if self.future is None else self.future.result()

    def get_loop(self) -> Any:
        return self.task.get_loop() if self.future is None else self.future.get_loop()


def stand_in(queue: Any, value: Any) -> Waiting:
    """A waiter in the queue; one that may not spin has its future already."""
    pace.left = BURST
    waiter = Waiting()
    waiter.future = waiter.outcome = None
    task = current_task(pace.loop()) if get_ident() == pace.thread else None
    if task is None:
        pace.start_afresh_on_a_new_loop()
        task = current_task()
    if queue or task is None or task.cancelling():
        waiter.future = get_running_loop().create_future()
    else:
        waiter.task = task
    queue[waiter] = value
    return waiter
