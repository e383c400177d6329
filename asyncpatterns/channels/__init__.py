"""CSP channels for asyncio: rendezvous, buffers, select, counted ends, and what can be built from them.

    errors      what operations raise
    core        a channel's state, and the operations on it that never wait
    operations  send and receive as awaitable objects;  options: with a timeout or an end;  waiting: how they wait
    select      exactly one of several operations
    channel     the handle programs hold;  ends: its counted ends
    clocks, flow, pipeline      combinators, on plumbing
    tasks       `go`
"""

from .channel import Channel
from .clocks import after, ticker
from .core import ChannelStatistics
from .ends import Receiver, Sender
from .errors import ChannelBroken, ChannelClosed, WouldBlock
from .flow import broadcast, merge
from .operations import Selected
from .pipeline import pipeline
from .select import select, select_nowait
from .tasks import go

__all__ = [
    "Channel",
    "ChannelBroken",
    "ChannelClosed",
    "ChannelStatistics",
    "Receiver",
    "Selected",
    "Sender",
    "WouldBlock",
    "after",
    "broadcast",
    "go",
    "merge",
    "pipeline",
    "select",
    "select_nowait",
    "ticker",
]
