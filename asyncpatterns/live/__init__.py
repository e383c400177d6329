"""Live views: what runs, drawn while it runs, without disturbing it.

An event tap or a sample keeps a bounded state; a renderer, a pure function, turns the state into an SVG string; a panel
shows it in a notebook at most 15 times a second and says what that costs. The same renderers serve a slide that replays
a recording, a static figure and a test. `Bridge` brings a widget's callback to the loop. ipywidgets is imported when
the first panel is made, so that a deck or a server that only draws does not need it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .bridge import Bridge
from .chaos import FAULTS, POISON, FaultyModel, Poisoned, SessionLost
from .failures import BackgroundFailure, background_failures, settle, watch_failures
from .recording import Picture, Recording
from .tap import BatcherTap
from .views import VIEWS, State, draw

if TYPE_CHECKING:
    from .conversations import chat_panel, conversations_panel
    from .faults import fault_panel
    from .overload import Overload, Service, overload_panel
    from .panel import Panel, close_panels, open_panels, stop_panels
    from .panels import batcher_panel, channels_panel, replay_panel, tree_panel
    from .race import race_panel
    from .waiting import gathering_panel

_NEED_WIDGETS = {
    "chat_panel": "conversations", "conversations_panel": "conversations",
    "fault_panel": "faults",
    "Panel": "panel", "close_panels": "panel", "open_panels": "panel", "stop_panels": "panel",
    "batcher_panel": "panels", "channels_panel": "panels", "replay_panel": "panels", "tree_panel": "panels",
    "race_panel": "race", "gathering_panel": "waiting",
    "Overload": "overload", "Service": "overload", "overload_panel": "overload",
}

__all__ = [
    "FAULTS", "POISON", "VIEWS", "BackgroundFailure", "BatcherTap", "Bridge", "FaultyModel", "Overload", "Panel",
    "Picture", "Poisoned", "Recording", "Service", "SessionLost", "State", "background_failures", "batcher_panel",
    "channels_panel", "chat_panel", "close_panels", "conversations_panel", "draw", "fault_panel", "gathering_panel",
    "open_panels", "overload_panel", "race_panel", "replay_panel", "settle", "stop_panels", "tree_panel",
    "watch_failures",
]


def __getattr__(name: str) -> Any:
    if name not in _NEED_WIDGETS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_NEED_WIDGETS[name]}", __name__), name)
