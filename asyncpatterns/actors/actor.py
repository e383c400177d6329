"""What users write: a class with a `receive`, or a function."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from .mailbox import Mailbox
from .parts import ENDING
from .ref import ActorRef
from .timers import Timers
from .traits import Traits

if TYPE_CHECKING:
    from .asking import Reply
    from .cell import Cell
    from .system import ActorSystem


class Actor:
    """Keeps state that nobody else touches, and handles one message at a time, to completion.

    Override `receive`, and the hooks as you need them; each may be plain or `async`. The constructor is yours: there
    is no need to call `super().__init__()`, and `self.ref`, `self.system` and `self.parent` are known inside it.

    An actor that raises fails. Its supervisor decides what happens then; without one it stops, and those who watch it
    are told. While a handler waits the loop runs others, but never another message of the same actor.
    """

    __slots__ = ("_cell",)

    _cell: "Cell"
    _traits: ClassVar[Traits]
    _reference: "ClassVar[type[ActorRef]]" = ActorRef
    _waits: ClassVar[bool] = False                      # although `receive` does not look like it
    _ends_children_together: ClassVar[bool] = False
    _kind: ClassVar[str] = "actor"

    # --- to override ---

    def receive(self, message: Any) -> Any:
        """Handle one message. The value returned answers an `ask`; something to await is awaited first."""
        raise NotImplementedError(f"{type(self).__name__} has no receive(self, message)")

    def on_start(self) -> Any:
        """Runs before the first message of every incarnation; mail waits meanwhile. If it raises, the start failed."""

    def on_stop(self, reason: Any) -> Any:
        """Runs after the last message of every incarnation, when its children have ended.

        `reason` is an `Ended`, or the exception it failed with. No new incarnation starts before this has ended.
        """

    # --- to use ---

    @property
    def ref(self) -> "ActorRef":
        """The reference to give to others. (Never give them `self`.)"""
        return self._spawned().reference()

    @property
    def system(self) -> "ActorSystem":
        return self._spawned().system

    @property
    def parent(self) -> "ActorRef | None":
        """The actor that spawned this one; `None` when the system did."""
        parent = self._spawned().parent
        return None if parent is None or parent.parent is None else parent.reference()

    @property
    def timers(self) -> Timers:
        """Messages to oneself, later: `once`, `every`, `cancel`. They end with the incarnation."""
        cell = self._spawned()
        if cell.actor is not self or cell.phase is ENDING:
            return Timers(cell, closed=True)
        extras = cell.rarely()
        if extras.timers is None:
            extras.timers = Timers(cell)
        return extras.timers

    def spawn(
        self,
        behavior: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        mailbox: Mailbox | None = None,
        **kwargs: Any,
    ) -> "ActorRef":
        """As `system.spawn`, but the new actor is a child of this one, and ends before it does."""
        cell = self._spawned()
        return cell.system._spawn(cell, behavior, args, kwargs, name, mailbox)

    def stop(self) -> None:
        """The same as `self.ref.stop()`: end when the mail that is queued has been handled."""
        self.ref.stop()

    def watch(self, ref: "ActorRef") -> None:
        """Receive `Terminated(ref, reason)`, once, when that actor has ended for good; at once if it has already.

        It needs no room in the mailbox, and the watch outlives a restart of the watcher.
        """
        self._spawned().watch(ref._mortal())

    def stash(self) -> None:
        """Put the message being handled aside; if it was asked, the answer comes when it is handled in the end."""
        self._spawned().stash()

    def unstash_all(self) -> None:
        """Put everything stashed back in front of the mailbox, in the order it was stashed."""
        self._spawned().unstash()

    def reply_later(self) -> "Reply":
        """Promise the answer to the message being handled for later; what this `receive` returns is then ignored.

        Called again for the same message, it returns the same `Reply`. Raises `RuntimeError` outside of `receive`.
        """
        return self._spawned().promise()

    # --- for other parts of this package ---

    def _take_over(self, old: "Actor") -> None:
        """Called on a new incarnation: take what is needed from the one before, whose on_stop has ended."""

    def _fail(self, error: BaseException) -> None:
        """Fail as if a handler had raised `error`. An incarnation that has been replaced can fail no more."""
        cell = self._spawned()
        if cell.actor is self:
            cell.fail(error)

    def _spawned(self) -> "Cell":
        try:
            return self._cell
        except AttributeError:
            name = type(self).__name__
            raise RuntimeError(f"this {name} was not spawned: use system.spawn({name}, ...)") from None

    def __repr__(self) -> str:
        try:
            return f"<{type(self).__name__} {self._cell.describe()}>"
        except AttributeError:
            return f"<{type(self).__name__}, not spawned>"


Actor._traits = Traits(Actor, Actor)


def traits_of(cls: type[Actor]) -> Traits:
    traits = cls._traits
    if traits.cls is not cls:       # inherited
        traits = cls._traits = Traits(cls, Actor)
    return traits


class FunctionActor(Actor):
    """A function as an actor: it is called with each message, and what it returns answers an ask."""

    __slots__ = ("receive",)

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.receive = function  # type: ignore[assignment, method-assign]


class WaitingFunctionActor(FunctionActor):
    """The same for an `async def`."""

    __slots__ = ()
    _waits = True


class Folder(Actor):
    """Holds other actors, and takes no mail itself."""

    __slots__ = ()
    _kind = "folder"


class VirtualFolder(Folder):
    """Holds the virtual actors of one class, which do not depend on each other and may end together."""

    __slots__ = ("close",)
    close: Callable[[], None]
    _ends_children_together = True

    def on_stop(self, reason: Any) -> Any:
        self.close()


def construction_of(
    behavior: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[type[Actor], tuple[Any, ...], dict[str, Any]]:
    """The class to build and its arguments. Raises `TypeError` when `behavior` can be no actor."""
    if isinstance(behavior, type):
        if not issubclass(behavior, Actor):
            raise TypeError(f"{behavior.__name__} is no subclass of Actor, and no function either")
        return behavior, args, kwargs
    if not callable(behavior):
        raise TypeError(f"an actor is a subclass of Actor or a function of one message, not {behavior!r}")
    if args or kwargs:
        raise TypeError("a function takes the message and nothing else: bind the rest with functools.partial")
    return (WaitingFunctionActor if inspect.iscoroutinefunction(behavior) else FunctionActor), (behavior,), {}


def name_of(function: Callable[..., Any]) -> str:
    """What actors of this function are called when nobody gives them a name."""
    name = getattr(function, "__name__", type(function).__name__)
    return "lambda" if name == "<lambda>" else str(name).lower().replace("/", "-")
