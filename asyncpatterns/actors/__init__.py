"""Actors: state behind a mailbox, supervised."""

from .actor import Actor
from .asking import Reply
from .dead_letters import DeadLetter, DeadLetters
from .errors import ActorStopped, AskCycle, Ended, MailboxFull, TooManyRestarts
from .mailbox import Mailbox
from .pools import PoolRef
from .ref import ActorRef, Terminated
from .stores import SqliteStore
from .supervision import Child, Supervisor, SupervisorRef
from .system import ActorSystem
from .timers import Timers
from .tree import Node, Tree
from .virtual import VirtualActors, VirtualRef

__all__ = [
    "Actor",
    "ActorRef",
    "ActorStopped",
    "ActorSystem",
    "AskCycle",
    "Child",
    "DeadLetter",
    "DeadLetters",
    "Ended",
    "Mailbox",
    "MailboxFull",
    "Node",
    "PoolRef",
    "Reply",
    "SqliteStore",
    "Supervisor",
    "SupervisorRef",
    "Terminated",
    "Timers",
    "TooManyRestarts",
    "Tree",
    "VirtualActors",
    "VirtualRef",
]
