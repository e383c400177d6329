"""Brings a widget's callback to the event loop that the rest of the program runs on.

Invariant: a handler runs on the loop on which the bridge was made, whatever thread the callback arrives on.

Why this is needed: depending on the kernel's version and the front end, a widget's message is handled on the main
thread or on another one with an event loop of its own (a "subshell"). A callback there that puts something into a queue
or starts a task does so behind the loop's back: nothing happens until the next cell runs.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from ..channels import go


class Bridge:
    """One for all observers of a panel. Make it where the work runs: it keeps the running loop.

    A handler may be a plain function or an `async def`, which becomes a task. A handler that raises reaches `on_error`,
    or the loop's exception handler where none is given.
    """

    def __init__(self, on_error: Callable[[BaseException], None] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.on_error = on_error
        self.closed = False
        self._undo: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{len(self._undo)} observers"
        return f"<Bridge to {type(self.loop).__name__}, {state}>"

    def observe(self, widget: Any, handler: Callable[[Any], Any], trait: str = "value") -> None:
        """Calls `handler(new value)` on the loop whenever the widget's trait changes."""
        def forward(change: Any) -> None:
            self.call(handler, change.new)

        widget.observe(forward, trait)
        self._undo.append(lambda: widget.unobserve(forward, trait))

    def click(self, button: Any, handler: Callable[[], Any]) -> None:
        """Calls `handler()` on the loop whenever the button is pressed."""
        def forward(_: Any) -> None:
            self.call(handler)

        button.on_click(forward)
        self._undo.append(lambda: button.on_click(forward, remove=True))

    def call(self, handler: Callable[..., Any], *args: Any) -> None:
        """Runs `handler(*args)` on the loop soon; may be called from any thread. After `close()` it does nothing."""
        if not self.closed and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._run, handler, args)

    def close(self) -> None:
        """Lets go of every widget; what is already on its way to the loop is dropped."""
        self.closed = True
        while self._undo:
            self._undo.pop()()

    def _run(self, handler: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if self.closed:
            return
        try:
            outcome = handler(*args)
        except Exception as problem:
            self._report(problem)
        else:
            if asyncio.iscoroutine(outcome):
                go(outcome)

    def _report(self, problem: Exception) -> None:
        if self.on_error:
            self.on_error(problem)
        else:
            self.loop.call_exception_handler({"message": "a widget's handler failed", "exception": problem})
