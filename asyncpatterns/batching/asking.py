"""A request that came as a message to an actor; its answer is a reply."""

import math
from typing import TYPE_CHECKING, Any

from .queue import ANSWERED, EXPIRED, REFUSED, UNSENT, Request

if TYPE_CHECKING:
    from ..actors import Reply
    from .engine import Engine


class Ask(Request):
    """What `ref.ask(item)` or `ref.tell(item)` brought. An asker who gives up takes the request out of the queue."""

    __slots__ = ("_reply",)

    def __init__(self, reply: "Reply", item: Any, rows: int) -> None:
        self._reply = reply
        self.item, self.rows, self.key, self.priority = item, rows, None, 0
        self.timeout = None
        self.deadline = self.due = math.inf
        self.waiter = reply
        self.state = UNSENT

    def enter(self, engine: "Engine") -> None:
        self._reply.add_done_callback(lambda _: engine.abandon(self))
        engine.admit(self)

    def settle(self, state: int, outcome: Any) -> None:
        self.state = state
        item, self.item = self.item, None
        reply = self._reply
        if reply.done():
            return
        if state == ANSWERED:
            reply.set_result(outcome)
            return
        reply.set_exception(outcome)
        if reply._ask is None and state in (REFUSED, EXPIRED):      # told, so nobody hears of it in another way
            cell = reply._cell
            cell.system.dead_letters.add(cell.reference(), item, str(outcome))

    def too_late(self, result: Any) -> None:
        self._reply.set_result(result)      # the system makes it a dead letter
