"""Ready panels: a batcher at work, a system of actors, the channels of a pipeline. Each is a `Panel`: `.start()`,
`.stop()`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

from .panel import Panel, Work
from .recording import Recording
from .tap import BatcherTap
from .views import State

# What changes twice a second, or is a tendency, needs no more pictures; each costs what is shown some of its latency.
PICTURES_PER_SECOND = {"gathering": 10.0, "latency": 4.0, "sizes": 4.0}


def batcher_panel(batcher: Any, view: str = "gathering", *, window: float = 2.0, seconds: float | None = 30.0,
                  record: bool = False, name: str | None = None) -> Panel:
    """A batcher at work: `view` is `gathering` (requests and their batches), `latency` or `sizes` (queue and
    histogram).
    """
    tap = BatcherTap(batcher, window=window)
    samples: dict[str, Callable[[], State]] = {
        "gathering": tap.gathering, "latency": lambda: tap.latency(batcher.slo), "sizes": tap.sizes_and_queue}
    if view not in samples:
        raise ValueError(f"view is one of {', '.join(samples)}, not {view!r}")
    return Panel(samples[view], name=name or f"batcher {view}", work=[tap.follow], seconds=seconds, record=record,
                 frames_per_second=PICTURES_PER_SECOND[view])


def channels_panel(channels: Sequence[Any], *, work: Sequence[Work] = (), controls: Sequence[Any] = (),
                   seconds: float | None = 30.0, record: bool = False, name: str = "channels") -> Panel:
    """Channels side by side, as the stages of a pipeline: how full each is and who waits at which end.

    `work`: coroutine functions that run as long as the panel does, such as the stages. `controls`: widgets above it.
    """
    return Panel(
        lambda: channels_state(channels), name=name, work=work, controls=controls, seconds=seconds, record=record
    )


def channels_state(channels: Sequence[Any]) -> State:
    """State of the view `channels`."""
    return {"view": "channels", "channels": [_channel(channel, place) for place, channel in enumerate(channels, 1)]}


def _channel(channel: Any, place: int) -> dict[str, Any]:
    facts = channel.statistics()
    return {"name": getattr(channel, "name", None) or f"channel {place}", "buffered": facts.buffered,
            "capacity": None if facts.capacity == math.inf else facts.capacity,
            "senders_waiting": facts.senders_waiting, "receivers_waiting": facts.receivers_waiting,
            "sent": facts.sent, "received": facts.received, "closed": channel.closed}


def tree_panel(system: Any, *, buttons: Mapping[str, Callable[[], Any]] | None = None, seconds: float | None = 60.0,
               record: bool = False, name: str | None = None) -> Panel:
    """The actors of a system as a tree. `buttons` (words → function, plain or async) are for what the audience may
    break.
    """
    controls = {ipywidgets.Button(description=words, layout=ipywidgets.Layout(width="auto")): press
                for words, press in (buttons or {}).items()}
    panel = Panel(lambda: tree_state(system), name=name or f"tree of {system.name}", seconds=seconds, record=record,
                  controls=[ipywidgets.HBox(list(controls))] if controls else [])
    for button, press in controls.items():
        panel.bridge.click(button, press)
    return panel


def tree_state(system: Any, most: int = 100) -> State:
    """State of the view `tree`; of a large system the first `most` actors."""
    tree = system.tree()
    nodes = list(tree.walk())
    return {"view": "tree", "name": tree.name, "dead_letters": tree.dead_letters, "total": len(nodes),
            "nodes": [_node(depth, node) for depth, node in nodes[:most]]}


def _node(depth: int, node: Any) -> dict[str, Any]:
    return {"path": node.path, "name": node.name, "kind": node.kind, "state": node.state, "mailbox": node.mailbox,
            "handled": node.handled, "failed": node.failed, "restarts": node.restarts, "depth": depth,
            "capacity": node.capacity if math.isfinite(node.capacity) else None}


def replay_panel(recording: Recording, *, speed: float = 1.0, name: str = "replay") -> Panel:
    """Shows a recording again, with the renderer that drew it; stops at its end, and starts over at the next Start."""
    return _Replay(recording, speed, name).panel


class _Replay:
    def __init__(self, recording: Recording, speed: float, name: str) -> None:
        self.recording, self.speed = recording, speed
        self.began: float | None = None
        self.panel = Panel(self.sample, name=name, work=[self.rewind], seconds=recording.duration / speed + 0.2)

    async def rewind(self) -> None:
        self.began = self.panel.bridge.loop.time()

    def sample(self) -> State:
        if self.began is None:
            return self.recording.at(0.0)
        return self.recording.at((self.panel.bridge.loop.time() - self.began) * self.speed)
