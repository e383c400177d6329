"""What a chat's conversations do, kept so that a picture of all of them can be drawn at any moment.

`chat.board = Board(chat, names)` has every conversation say when a turn begins, which stage it has reached, and when
it has ended. That costs well under a microsecond each; without a board it costs nothing.
"""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Any

from .tap import quantiles
from .views import State
from .views.pipelines import FEW

GLOW = 0.25
"""Seconds that a cell stays lit after its turn."""
KEPT = 4_000
"""So many turns are remembered for the rate and the glow, and a quarter of them for the latencies."""


class Board:
    """Follows the conversations `names` of a `Chat`, a cell each in this order; others are counted, not drawn."""

    def __init__(self, chat: Any, names: Iterable[Any]) -> None:
        self.chat = chat
        self.names: Sequence[Any] = list(names)
        self.cells = {name: cell for cell, name in enumerate(self.names)}
        self.columns = max(1, math.ceil(math.sqrt(len(self.names) * 2)))
        self.bytes: float | None = None
        self.turns = 0
        self.acts: Counter[str] = Counter()
        self._began: dict[Any, float] = {}
        self._at: dict[Any, str] = {}
        self._ended: deque[tuple[float, Any, str]] = deque(maxlen=KEPT)
        self._killed: deque[tuple[float, Any]] = deque(maxlen=100)
        self._latencies: deque[float] = deque(maxlen=1_000)

    def __repr__(self) -> str:
        return f"<Board of {len(self.names):,} conversations, {self.turns:,} turns seen>"

    # --- what conversations say ---

    def began(self, key: Any) -> None:
        self._began[key] = self._now()

    def at(self, key: Any, stage: str) -> None:
        self._at[key] = stage

    def ended(self, key: Any, acts: tuple[str, ...]) -> None:
        now = self._now()
        began = self._began.pop(key, now)
        self._at.pop(key, None)
        self.turns += 1
        self.acts.update(acts)
        self._latencies.append(now - began)
        self._ended.append((now, key, kind_of(acts)))

    def killed(self, key: Any) -> None:
        """Somebody has killed this conversation."""
        self._began.pop(key, None)
        self._at.pop(key, None)
        self._killed.append((self._now(), key))

    # --- the picture ---

    def state(self) -> State:
        """State of the view `pipelines`."""
        now, (p50, p99) = self._now(), quantiles(list(self._latencies), 0.50, 0.99)
        return {"view": "pipelines", "count": len(self.names), "columns": self.columns, "live": list(self._live()),
                "lit": self._lit(now), "few": self._few(now) if len(self.names) <= FEW else None, "turns": self.turns,
                "killed": [self.cells[key] for at, key in self._killed if at > now - 1.0 and key in self.cells],
                "per_second": self._rate(now), "p50": p50, "p99": p99,
                "in_memory": len(self.chat.users), "bytes": self.bytes, "model": self._model()}

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _rate(self, now: float) -> float:
        recent = [at for at, _, _ in self._ended if at > now - 1.0]
        if len(recent) == KEPT:
            return KEPT / max(now - recent[0], 1e-9)
        return float(len(recent))

    def _live(self) -> Iterable[list[int]]:
        run: list[int] | None = None
        users = set(self.chat.users)
        for cell, name in enumerate(self.names):
            if name not in users:
                run = None
            elif run is None:
                run = [cell, 1]
                yield run
            else:
                run[1] += 1

    def _lit(self, now: float) -> dict[str, list[int]]:
        lit: dict[str, list[int]] = {}
        for at, key, kind in reversed(self._ended):
            if at < now - GLOW:
                break
            if key in self.cells:
                lit.setdefault(kind, []).append(self.cells[key])
        return lit

    def _few(self, now: float) -> list[dict[str, Any]]:
        glowing = {key for at, key, _ in self._ended if at > now - GLOW}
        return [self._cell(name, name in glowing) for name in self.names]

    def _cell(self, name: Any, glows: bool) -> dict[str, Any]:
        life = self.chat.users.life_of(name)
        actor = None if life is None else life.cell.actor
        stages = [] if actor is None else list(actor.pipeline.names)
        at = self._at.get(name)
        place = stages.index(at) if at in stages else len(stages) - 1 if glows and stages else None
        return {"name": str(name), "stages": stages or ["passive"], "at": place}

    def _model(self) -> str:
        if "model" not in self.chat.supervisor.children():
            return "restarting"
        return "restarting" if self.chat.model.closed else "running"


def kind_of(acts: tuple[str, ...]) -> str:
    """The colour of a turn: what was done, in one word."""
    first = acts[-1] if acts else ""
    if first in ("apology", "no_colleague"):
        return "sorry"
    if first in ("hand_over", "passed_on"):
        return "human"
    if first.startswith(("ask_", "confirm_")) or first == "unsure":
        return "asks"
    return "does" if first in DOES else "answers"


DOES = frozenset({"book", "change", "cancel", "upgrade", "refund", "compensation", "seat_reservation", "invoice"})
