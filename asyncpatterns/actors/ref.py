"""References: all that anybody but its supervisor ever holds of an actor."""

from typing import TYPE_CHECKING, Any, NamedTuple

from .asking import USUAL_TIMEOUT, Ask
from .operations import Ending, Operation, Send

if TYPE_CHECKING:
    from .cell import Cell


class ActorRef:
    """The address of an actor. It stays valid through restarts, and may be kept when the actor is dead.

    References are equal when they are of the same actor. They belong to the event loop of their system; from another
    thread use `loop.call_soon_threadsafe(ref.tell, message)`.
    """

    __slots__ = ("__weakref__", "_cell")

    _cell: "Cell"

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell

    def tell(self, message: Any) -> None:
        """Put a message into the actor's mailbox. Never waits and never raises for the receiver's sake.

        Messages of one sender are handled in the order they were told. What cannot be delivered is a dead letter.
        """
        cell = self._cell
        mail = cell.mail
        if mail is not None and len(mail) < cell.room:
            mail.append(message)        # the usual case: it is at work, and there is room
        else:
            cell.post(message)

    def send(self, message: Any, *, timeout: float | None = None) -> Operation[None]:
        """Wait for room in the mailbox, then tell: back-pressure. Those who wait are served first come, first served.

        Raises `ActorStopped` when the actor takes no more mail, also while it waits; `TimeoutError` when there was no
        room within `timeout` seconds (0 tries once): then nothing was sent. A cancelled send either happened or left
        no trace.
        """
        return Send(self, message, timeout)

    def ask(self, message: Any, *, timeout: float | None = USUAL_TIMEOUT) -> Operation[Any]:
        """Send a message and wait for the answer: what the actor's `receive` returns, or the reply it gives later.

        Nothing is sent before the ask is awaited (`gather`, `wait_for` and `create_task` take it as it is). It ends
        exactly once, and raises
        what the handler raised, with a note that names the actor;
        `ActorStopped` when the actor takes no more mail or ends before it answers;
        `MailboxFull` when there is no room, or the message was dropped for a newer one;
        `AskCycle` when the answer could only come after the asking actor's own handler has ended;
        `TimeoutError` after `timeout` seconds (`None` waits for ever). The message is handled all the same, also when
        the asker is cancelled, and the late reply is a dead letter.
        """
        return Ask(self, message, timeout)

    def stop(self) -> None:
        """Order a normal end: what is queued is handled, what comes from now on is refused."""
        self._cell.stop()

    def kill(self) -> None:
        """Order an abnormal end, now: the running handler is cancelled, what is queued becomes dead letters.

        `on_stop` still runs; a second `kill` cuts that short, too.
        """
        self._cell.kill()

    def stopped(self, *, timeout: float | None = None) -> Operation[Any]:
        """Wait for the end for good and return its reason: an `Ended`, or the exception the actor failed with.

        A restart is not an end. Raises `TimeoutError` after `timeout` seconds.
        """
        return Ending(self, timeout)

    @property
    def path(self) -> str:
        """Where it stands in the tree, as in `/user/supervisor/worker`."""
        return self._cell.path

    @property
    def name(self) -> str:
        return self._cell.name

    def _mortal(self) -> "Cell":
        """The cell whose end one can wait for."""
        return self._cell

    def _identity(self) -> Any:
        return self._cell

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorRef) and other._identity() == self._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._cell.describe()}>"


class Terminated(NamedTuple):
    """What an actor that watches `ref` is told when that has ended for good.

    `reason` is an `Ended`, or the exception it failed with.
    """

    ref: ActorRef
    reason: Any
