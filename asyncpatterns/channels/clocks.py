"""Channels fed by the loop's clock. Neither needs a task: a timer fills the channel."""

import asyncio
import math
from numbers import Real

from .channel import Channel
from .core import Core
from .plumbing import Output


def after(delay: float) -> Channel[float]:
    """A channel that delivers the loop time once, `delay` seconds from now, and then closes.

    Go's `time.After`: `await select(work.receive(), after(5).receive())`. The time is kept for a late reader. Closing
    the channel, or dropping it, stops the timer. Raises `ValueError` if the delay is no number.
    """
    if not isinstance(delay, Real) or math.isnan(delay):
        raise ValueError(f"delay is a number of seconds, not {delay!r}")
    loop = asyncio.get_running_loop()
    channel: Output[float] = Output(1, f"after {delay:g} s")
    timer = loop.call_later(max(delay, 0), _ring, loop, channel._core)
    channel._core.on_close = timer.cancel
    return channel


def _ring(loop: asyncio.AbstractEventLoop, core: Core) -> None:
    core.put(loop.time())
    core.close()


def ticker(interval: float) -> Channel[float]:
    """A channel that delivers the loop time every `interval` seconds, until it is closed or dropped.

    Go's `time.Ticker`. The ticks are due at whole multiples of the interval after this call, so they do not drift; at
    most one waits, and those that nobody takes are dropped (and counted as dropped). Raises `ValueError` unless
    0 < interval < infinity.
    """
    if not isinstance(interval, Real) or not 0 < interval < math.inf:
        raise ValueError(f"interval is a number of seconds above 0, not {interval!r}")
    channel: Output[float] = Output(1, f"every {interval:g} s")
    ticks = _Ticks(asyncio.get_running_loop(), interval, channel._core)
    channel._core.on_close = ticks.stop
    return channel


class _Ticks:
    def __init__(self, loop: asyncio.AbstractEventLoop, interval: float, core: Core) -> None:
        self._loop = loop
        self._interval = interval
        self._core = core
        self._start = loop.time()
        self._number = 0
        self._wait()

    def _wait(self) -> None:
        # A loop that is late skips the ticks it has missed.
        late = (self._loop.time() - self._start) / self._interval
        self._number = max(self._number, math.floor(late)) + 1
        self._timer = self._loop.call_at(self._start + self._number * self._interval, self._tick)

    def _tick(self) -> None:
        core = self._core
        if len(core) or not core.put(self._loop.time()):
            core.sent += 1
            core.dropped += 1
        self._wait()

    def stop(self) -> None:
        self._timer.cancel()
