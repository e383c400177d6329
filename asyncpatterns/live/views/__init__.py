"""Pictures as pure functions: a state made of plain numbers, strings, lists and dicts goes in, an SVG string comes out.

The same function draws the running panel, the slide that replays a recording, the static figure and the picture a test
looks at. A state is JSON: it can be recorded, sent and replayed. Its `view` says which function draws it.
"""

from collections.abc import Mapping
from typing import Any

from .channels import draw_channels
from .gathering import draw_gathering
from .latency import draw_latency
from .overload import draw_overload
from .pipelines import draw_pipelines
from .race import draw_race
from .sizes import draw_sizes
from .stepwise import Steps, View, at_once
from .tree import draw_tree

State = Mapping[str, Any]
VIEWS: dict[str, View] = {
    "channels": draw_channels,
    "gathering": draw_gathering,
    "latency": draw_latency,
    "overload": draw_overload,
    "pipelines": draw_pipelines,
    "race": draw_race,
    "sizes": draw_sizes,
    "tree": draw_tree,
}

__all__ = [
    "VIEWS",
    "State",
    "Steps",
    "View",
    "draw",
    "draw_channels",
    "draw_gathering",
    "draw_latency",
    "draw_overload",
    "draw_pipelines",
    "draw_race",
    "draw_sizes",
    "draw_tree",
    "steps",
]


def draw(state: State) -> str:
    """The SVG of any state, chosen by its `view`. Raises `ValueError` for a view that does not exist."""
    return at_once(steps(state))


def steps(state: State) -> Steps[str]:
    """The same as a generator that yields wherever it may be interrupted, and returns the SVG."""
    view = state.get("view")
    if view not in VIEWS:
        raise ValueError(f"a state needs a 'view' out of {', '.join(VIEWS)}; this one has {view!r}")
    return VIEWS[view].steps(state)
