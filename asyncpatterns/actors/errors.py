"""What can go wrong with an actor, and the ends it can come to."""

import enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cell import Cell


class Ended(enum.StrEnum):
    """Why an incarnation ended, when it was not a failure: the reason of a failure is the exception itself.

    `on_stop(reason)`, `await ref.stopped()` and `Terminated.reason` carry one of these or an exception.
    """

    STOPPED = "stopped"        # stop(), or the system was left: a normal end
    KILLED = "killed"          # kill(), or shutdown took longer than it may: an abnormal end
    RESTARTED = "restarted"    # its supervisor restarts it along with a sibling, or was asked to
    PASSIVATED = "passivated"  # a virtual actor that was idle, or one too many: it comes back with its next message


class ActorStopped(Exception):
    """The actor takes no messages any more. `path` names it, `reason` says why; a failure is also the `__cause__`."""

    def __init__(self, path: str, reason: Any) -> None:
        self.path = path
        self.reason = reason
        super().__init__(path, reason)
        if isinstance(reason, BaseException):
            self.__cause__ = reason

    def __str__(self) -> str:
        if isinstance(self.reason, BaseException):
            return f"{self.path} has failed with {self.reason!r}"
        return f"{self.path} {_SENTENCES.get(self.reason, 'takes no messages any more')}"


_SENTENCES = {
    None: "is stopping and takes no messages any more",
    Ended.STOPPED: "has been stopped",
    Ended.KILLED: "has been killed",
}


class MailboxFull(Exception):
    """There was no room for the message in the mailbox of `path`, which holds `capacity` messages."""

    def __init__(self, path: str, capacity: float) -> None:
        self.path = path
        self.capacity = capacity
        super().__init__(path, capacity)

    @classmethod
    def of(cls, cell: "Cell") -> "MailboxFull":
        return cls(cell.path, cell.policy.capacity)

    def __str__(self) -> str:
        return f"the mailbox of {self.path} is full ({self.capacity} messages wait)"


class AskCycle(RuntimeError):
    """The ask would have waited for itself: `path` has the actors on the way round, the first one again at the end."""

    def __init__(self, path: tuple[str, ...]) -> None:
        self.path = path
        super().__init__(path)

    def __str__(self) -> str:
        return f"this ask would wait for itself: {' -> '.join(self.path)}"


class TooManyRestarts(Exception):
    """A supervisor gave up: its children needed more restarts than it allows. The last failure is the `__cause__`."""
