"""What there is to know about a class of actors: found out once, when the first of them is built."""

import dis
import inspect
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

_SUSPENDS: Final = (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
                    | inspect.CO_ITERABLE_COROUTINE)


class Traits:
    """The answers to questions that are asked for every actor, or for every message."""

    __slots__ = (
        "answers_nothing", "cls", "construct", "handler_waits", "has_init", "has_on_start", "has_on_stop", "stem",
    )  # fmt: skip

    def __init__(self, cls: type[Any], base: type[Any]) -> None:
        self.cls = cls
        self.stem = cls.__name__.lower()                # of the names of those that are given none
        self.handler_waits = cls._waits or inspect.iscoroutinefunction(cls.receive)
        self.answers_nothing = _returns_constants(cls.receive)      # and so nothing to await
        self.has_init = cls.__init__ is not object.__init__
        self.has_on_start = cls.on_start is not base.on_start
        self.has_on_stop = cls.on_stop is not base.on_stop
        # A __new__ of its own wants the arguments, too.
        self.construct: Callable[..., Any] | None = None if cls.__new__ is object.__new__ else cls.__new__


def _returns_constants(handler: Any) -> bool:
    """Does its code say that it returns `None` or another constant, whichever way it ends? False when in doubt."""
    code = getattr(handler, "__code__", None)
    if code is None or code.co_flags & _SUSPENDS:
        return False
    return all(before.opname == "LOAD_CONST" and not step.is_jump_target
               for before, step in pairwise(dis.get_instructions(code)) if step.opname == "RETURN_VALUE")
