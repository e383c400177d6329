"""Parts of a cell: its phases, what few cells need, and who decides about its next incarnation."""

import asyncio
import enum
import math
from collections.abc import Callable, Sized
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .asking import Reply, Turn
    from .cell import Cell
    from .ref import ActorRef
    from .timers import Timers


class Phase(enum.Enum):
    RESTING = "restarting"      # between two incarnations, or before the first
    STARTING = "starting"
    LIVE = "live"
    ENDING = "stopping"
    DEAD = "dead"


RESTING, STARTING, LIVE, ENDING, DEAD = Phase       # names of their own: looking one up in an Enum is slow


class Keeper:
    """Decides what becomes of an actor whose incarnation is over, and takes part in its beginning and end."""

    __slots__ = ()
    takes_part = False      # does it need before_start and before_stop?

    def over(self, cell: "Cell", reason: Any) -> None:
        """The incarnation is over: see that the cell is launched again, or bury it."""
        raise NotImplementedError

    def idle(self, cell: "Cell") -> None:
        """The actor has handled all its mail."""

    def before_start(self, cell: "Cell") -> Any:
        """The new incarnation is built; its on_start comes next, after what this returns, if that is to be awaited."""

    async def before_stop(self, cell: "Cell", reason: Any) -> None:
        """The old incarnation handles no more mail; its on_stop comes next."""


class Mark(enum.Enum):
    """What a handler has asked for concerning the message it is handling."""

    STASHED = "stashed"
    PROMISED = "promised"


class Extras:
    """What most actors never need: allocated when the first of it is."""

    __slots__ = (
        "endings", "failed", "final", "hurry", "keeper", "launched", "promises", "recipe", "reply",
        "restarts", "shutdown", "stash", "timers", "waiter", "watchers", "watching",
    )  # fmt: skip

    def __init__(self) -> None:
        self.keeper: Keeper | None = None
        self.recipe: Callable[[Cell], None] | None = None      # builds an incarnation into the cell
        self.shutdown: float = math.inf     # seconds that draining and on_stop may take together
        self.final = False                  # the end on its way is for good, whatever the keeper thinks
        self.hurry = False                  # its time to end is up
        self.waiter: asyncio.Future[Any] | None = None         # of who ordered a start or a halt, and decides then
        self.watchers: dict[Cell, ActorRef] = {}
        self.watching: dict[Cell, None] = {}
        self.endings: dict[asyncio.Future[Any], None] = {}
        self.timers: Timers | None = None
        self.stash: list[Any] = []
        self.promises: dict[int, Turn] = {} # of the turns that owe an answer, by their serial numbers
        self.reply: Reply | None = None     # promised while handling the current message
        self.failed = 0
        self.restarts = 0
        self.launched = False


# In the place of a message: there is none. (`None` is a message like any other.)
NOTHING: Final = object()


# And there is no message, but a hook that runs.
HOOK: Final = object()


class Unseen:
    """The queue of a loop that does not show it: whoever looks again finds another length, and another last entry."""

    __slots__ = ("looks",)

    def __init__(self) -> None:
        self.looks = 0

    def __len__(self) -> int:
        self.looks += 1
        return self.looks

    def __getitem__(self, place: int) -> object:
        return object()


def queue_of(loop: asyncio.AbstractEventLoop) -> Any:
    """The callbacks that are ready to run. With a task factory, a task may run before it is queued."""
    usual = isinstance(loop, asyncio.BaseEventLoop) and loop.get_task_factory() is None
    return loop._ready if usual else Unseen()  # type: ignore[attr-defined]


def timers_of(loop: asyncio.AbstractEventLoop) -> Sized:
    """The callbacks that wait for their time. The loop may replace this list whenever it runs."""
    return getattr(loop, "_scheduled", ())


def waits(answer: Any) -> bool:
    """Is it something to await?"""
    return type(answer) is CoroutineType or hasattr(type(answer), "__await__")


def escapes(error: BaseException) -> bool:
    """Does it concern the whole program, and not the actor alone?"""
    return isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)


def drop_unstarted(answer: Any) -> None:
    """Close a coroutine that will never run, or Python would warn that nobody awaited it."""
    if type(answer) is CoroutineType:
        answer.close()
