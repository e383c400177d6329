"""Load and honest reports: `open_loop`, `closed_loop`, `largest_rate`.

    report = await open_loop(target, rate=500, duration=10)
    <Report open loop 500/s for 10 s: 4,998 answered, p50 1.3 ms, p99 3.4 ms, 0 errors>

`HTTPClient` and what belongs to it need `httptools`, and are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .generators import Progress, closed_loop, open_loop
from .report import Report
from .schedule import bursts, constant, poisson
from .search import LargestRate, largest_rate
from .verdict import Verdict, answers_needed

if TYPE_CHECKING:
    from .http import HTTPClient, HTTPStatus

_OF_HTTP = ("HTTPClient", "HTTPStatus")

__all__ = [
    "HTTPClient",
    "HTTPStatus",
    "LargestRate",
    "Progress",
    "Report",
    "Verdict",
    "answers_needed",
    "bursts",
    "closed_loop",
    "constant",
    "largest_rate",
    "open_loop",
    "poisson",
]


def __getattr__(name: str) -> Any:
    if name in _OF_HTTP:
        return getattr(import_module(".http", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_OF_HTTP})
