"""A model in slow motion that can be made to misbehave: what chaos buttons press, and what a drill plays.

Its time is T(n) = b + a·n on the loop's clock, so it works on a virtual clock as on a real one.
"""

import asyncio
from collections.abc import Callable
from typing import Any

POISON = "poison"


class Poisoned(ValueError):
    """This item cannot be read; the others in its batch can."""


class SessionLost(RuntimeError):
    """The model itself is broken, whoever asks: a fatal error."""


class FaultyModel:
    """An `async` function of a batch: `T(n) = b + a·n` seconds, one answer for each item.

    `slow(factor, seconds)`: for so long each batch takes `factor` times its time. `hang(seconds)`: the next batch takes
    so much longer. `lose_session()`: the next call raises `SessionLost`. An item equal to `POISON` makes its whole
    batch raise `Poisoned`.
    """

    def __init__(self, b: float, a: float) -> None:
        self.b, self.a = b, a
        self.calls = 0
        self._factor, self._until, self._extra, self._lost = 1.0, 0.0, 0.0, False

    def __repr__(self) -> str:
        return f"<FaultyModel {1e3 * self.b:g} ms + {1e3 * self.a:g} ms per row, {self.calls} calls>"

    async def __call__(self, items: list[Any]) -> list[Any]:
        self.calls += 1
        if self._lost:
            self._lost = False
            raise SessionLost("the model has lost its session")
        extra, self._extra = self._extra, 0.0
        factor = self._factor if asyncio.get_running_loop().time() < self._until else 1.0
        await asyncio.sleep((self.b + self.a * len(items)) * factor + extra)
        if POISON in items:
            raise Poisoned(f"cannot read {POISON!r}")
        return items

    def slow(self, factor: float, seconds: float) -> None:
        self._factor, self._until = factor, asyncio.get_running_loop().time() + seconds

    def hang(self, seconds: float) -> None:
        self._extra += seconds

    def lose_session(self) -> None:
        self._lost = True


# What the buttons do to a model. What they do to the requests is done by whoever sends them.
FAULTS: dict[str, Callable[[FaultyModel], None]] = {
    "is 3 × slower for 3 s": lambda model: model.slow(3.0, 3.0),
    "hangs for 1 s": lambda model: model.hang(1.0),
    "loses its session": lambda model: model.lose_session(),
}
