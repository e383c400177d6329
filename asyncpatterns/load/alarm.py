"""Waking at the right moment.

asyncio's timers are coarse: epoll waits for whole milliseconds, rounded up, so that half of all timers fire 0.6 ms late
and one in a hundred 1.1 ms. A generator that must not lag by more than 1 % of a promise of 60 ms needs better.
On Linux a timer of the kernel that the loop watches like a socket wakes it 0.04 ms late (0.1 ms in one of a hundred).

Invariants
    1. Time is `loop.time()`, so a virtual clock governs here too: its loop gets ordinary timers. (Where the clock
       behind it ticks in 16 ms, as on Windows before Python 3.13, a finer one is laid over it.)
    2. `set(when)` replaces what was set before; the callback runs once for it, at `when` or later. It may run early,
       by the tick of the loop's own clock: look at the clock.
    3. After `close()` the callback never runs.
"""

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

_COARSE = 1e-3


class Alarm(Protocol):
    def set(self, when: float) -> None: ...

    def close(self) -> None: ...


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """`loop.time`, or what it shows at a finer grain."""
    if not _is_coarse(loop):
        return loop.time
    offset = loop.time() - time.perf_counter()
    return lambda: time.perf_counter() + offset


def alarm_for(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> Alarm:
    """The most punctual alarm that this loop on this system can have."""
    if sys.platform == "linux" and isinstance(loop, asyncio.SelectorEventLoop) and _runs_on_real_time(loop):
        try:
            return KernelAlarm(loop, callback)
        except (OSError, AttributeError):       # an old kernel, a C library without it, no descriptor left
            pass
    return LoopAlarm(loop, callback)


def _runs_on_real_time(loop: asyncio.AbstractEventLoop) -> bool:
    return type(loop).time is asyncio.BaseEventLoop.time and "time" not in vars(loop)


def _is_coarse(loop: asyncio.AbstractEventLoop) -> bool:
    return _runs_on_real_time(loop) and time.get_clock_info("monotonic").resolution > _COARSE


class LoopAlarm:
    """An ordinary timer; where those are coarse, set a tick too early, and looking again until it is time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop, self._callback = loop, callback
        self._early = time.get_clock_info("monotonic").resolution if _is_coarse(loop) else 0.0
        self._timer: asyncio.TimerHandle | None = None

    def set(self, when: float) -> None:
        self.close()
        self._timer = self._loop.call_at(when - self._early, self._callback)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class _Spec(ctypes.Structure):
    """`struct itimerspec`: the interval, then the moment."""

    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "at_s", "at_ns")]


class KernelAlarm:
    """A timerfd: a descriptor that becomes readable at a moment of the clock that asyncio's loops show."""

    _ABSOLUTE = 1

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        library: Any = ctypes.CDLL(None, use_errno=True)
        self._settime = library.timerfd_settime
        self._fd = library.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "no timer from the kernel")
        self._loop, self._callback = loop, callback
        self._spec = _Spec(0, 0, 0, 0)
        loop.add_reader(self._fd, self._ring)

    def set(self, when: float) -> None:
        nanoseconds = max(1, int(when * 1e9))           # 0 would disarm it
        self._spec.at_s, self._spec.at_ns = divmod(nanoseconds, 1_000_000_000)
        self._settime(self._fd, self._ABSOLUTE, ctypes.byref(self._spec), None)

    def _ring(self) -> None:
        try:
            os.read(self._fd, 8)                        # or the loop would find it readable again and again
        except BlockingIOError:
            return                                      # it was set anew after the loop had looked
        self._callback()

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
