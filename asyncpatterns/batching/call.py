"""What calling a batcher returns."""

import asyncio
import math
from collections.abc import Callable, Generator, Hashable
from typing import TYPE_CHECKING, Any

from .queue import ANSWERED, CANCELLED, EXPIRED, FAILED, REFUSED, RUNNING, SETTLED, UNSENT, WAITING, Request

if TYPE_CHECKING:
    from .engine import Engine

_STATES = {UNSENT: "not sent", WAITING: "waiting", RUNNING: "running", ANSWERED: "answered", FAILED: "failed",
           EXPIRED: "expired", CANCELLED: "cancelled", REFUSED: "refused"}


class Call(Request):
    """A request as its caller sees it: `await` gives the result.

    It has been admitted, or refused, when the batcher was called; awaiting only waits, and a call that nobody awaits
    runs all the same and complains of nothing. It can be awaited again. Cancelling a task that awaits it takes the
    request out of the queue.

    It is no task and costs none. It speaks the protocol of coroutines, so `gather`, `wait_for`, `create_task` and
    `TaskGroup.create_task` take it as they take a coroutine.
    """

    __slots__ = ("_engine", "_outcome", "_steps")

    def __init__(self, engine: "Engine", item: Any, timeout: float | None, priority: float, key: Hashable) -> None:
        self._engine = engine
        self.item = item
        self.timeout = timeout
        self.priority = priority
        self.key = key
        self.rows = 1
        self.state = UNSENT
        self.deadline = self.due = math.inf
        self.waiter = None

    def __repr__(self) -> str:
        return f"<call of {self._engine.owner!r}, {_STATES[self.state]}>"

    def __await__(self) -> Generator[Any, None, Any]:
        if self.state == UNSENT:
            self._send()
        if self.state < SETTLED:
            waiter = self.waiter or self._wait()
            # What `yield from waiter` would do, without the iterator: that is a tenth of the price of a call.
            waiter._asyncio_future_blocking = True
            try:
                yield waiter
            except BaseException:
                self.cancel()
                raise
        if self.state == ANSWERED:
            return self._outcome
        try:
            return self.result()
        finally:
            del self        # as in `result`

    def _send(self) -> None:
        """It was called where no loop was running, or another one."""
        self._engine.bind(asyncio.get_running_loop())
        self._engine.admit(self)

    def _wait(self) -> asyncio.Future[None]:
        self.waiter = self._engine.loop.create_future()
        return self.waiter

    def cancel(self) -> bool:
        """The caller lost interest. True unless the outcome was there already; `await` then raises `CancelledError`."""
        return self._engine.abandon(self)

    def done(self) -> bool:
        return self.state >= SETTLED

    def result(self) -> Any:
        """The result, or raises what awaiting it raises; `asyncio.InvalidStateError` before there is an outcome."""
        if self.state == ANSWERED:
            return self._outcome
        if self.state < SETTLED:
            raise asyncio.InvalidStateError(f"{self!r} has no outcome yet")
        try:
            raise self._outcome
        finally:
            del self        # or the exception, its traceback and this frame would keep each other alive

    def add_done_callback(self, function: Callable[["Call"], object]) -> None:
        """`function(call)` is called on the loop, soon after the call is done, in whatever way; as with a future."""
        if self.state == UNSENT:
            self._send()
        if self.state >= SETTLED:
            self._engine.loop.call_soon(function, self)
        else:
            (self.waiter or self._wait()).add_done_callback(lambda _: function(self))

    # --- what the engine calls ---

    def settle(self, state: int, outcome: Any) -> None:
        self.state = state
        self._outcome = outcome
        self.item = None
        waiter = self.waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # --- the coroutine protocol ---

    @property
    def cr_await(self) -> Any:
        return getattr(self, "_steps", None)

    def send(self, value: Any) -> Any:
        if self.cr_await is None:
            self._steps = self.__await__()
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        if self.cr_await is None:       # a task that was cancelled before its first step
            self.cancel()
            self._steps = self.__await__()
        return self._steps.throw(*error)

    def close(self) -> None:
        self.cancel()
        if self.cr_await is not None:
            self._steps.close()
