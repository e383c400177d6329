"""A picture that can be drawn at once or in small steps.

A view is written as a generator function from a state to its SVG that yields wherever it may be interrupted, every
tenth of a millisecond or so. `View` makes the pure function of it that everybody calls; a panel, which shares its loop
with what it shows, takes the steps one by one.
"""

from collections.abc import Callable, Generator, Mapping
from functools import update_wrapper
from typing import Any, TypeVar

Result = TypeVar("Result")
Steps = Generator[None, None, Result]


class View:
    """`view(state)` is the SVG; `view.steps(state)` is a generator that returns the same."""

    def __init__(self, steps: Callable[[Mapping[str, Any]], Steps[str]]) -> None:
        self.steps = steps
        update_wrapper(self, steps)

    def __call__(self, state: Mapping[str, Any]) -> str:
        return at_once(self.steps(state))


def at_once(steps: Steps[Result]) -> Result:
    """Takes all the steps, and returns what they lead to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
