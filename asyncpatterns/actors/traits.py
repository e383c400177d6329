"""What there is to know about a class of actors: found out once, when the first of them is built."""

import inspect
from collections.abc import Callable
from typing import Any


class Traits:
    """The answers to questions that are asked for every actor, or for every message."""

    __slots__ = ("cls", "construct", "handler_waits", "has_init", "has_on_start", "has_on_stop", "stem")

    def __init__(self, cls: type[Any], base: type[Any]) -> None:
        self.cls = cls
        self.stem = cls.__name__.lower()                # of the names of those that are given none
        self.handler_waits = cls._waits or inspect.iscoroutinefunction(cls.receive)
        self.has_init = cls.__init__ is not object.__init__
        self.has_on_start = cls.on_start is not base.on_start
        self.has_on_stop = cls.on_stop is not base.on_stop
        # A __new__ of its own wants the arguments, too.
        self.construct: Callable[..., Any] | None = None if cls.__new__ is object.__new__ else cls.__new__
