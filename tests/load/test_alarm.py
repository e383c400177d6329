"""Alarms and clocks. Those of the kernel can only be heard in real time: milliseconds of it."""

import asyncio
import sys
import time

import pytest

from asyncpatterns.load import alarm as alarms
from asyncpatterns.load import open_loop
from asyncpatterns.testing import run

linux = pytest.mark.skipif(sys.platform != "linux", reason="a timer of the Linux kernel")


async def ring_of(make, *delays):
    """The moment at which an alarm set to now + each delay in turn rings, relative to the last setting."""
    loop = asyncio.get_running_loop()
    rang = loop.create_future()
    alarm = make(loop, lambda: rang.done() or rang.set_result(loop.time()))
    try:
        for delay in delays:
            when = loop.time() + delay
            alarm.set(when)
        return await rang - when
    finally:
        alarm.close()


@linux
@pytest.mark.parametrize("delays", [(0.003,), (-1.0,), (60.0, 0.002), (0.0, 0.002)])
def test_the_kernels_alarm_rings_at_its_last_setting_and_not_before(delays):
    assert -1e-6 <= asyncio.run(ring_of(alarms.KernelAlarm, *delays)) < 10


@linux
def test_a_real_loop_gets_the_kernels_alarm_and_a_virtual_one_its_own_timers():
    async def kind():
        alarm = alarms.alarm_for(asyncio.get_running_loop(), lambda: None)
        alarm.close()
        return type(alarm)

    assert asyncio.run(kind()) is alarms.KernelAlarm
    assert run(kind) is alarms.LoopAlarm


def no_timer(*_):
    raise OSError("out of descriptors")


@linux
def test_a_system_without_such_timers_gets_the_loops(monkeypatch):
    async def kind():
        return type(alarms.alarm_for(asyncio.get_running_loop(), lambda: None))

    monkeypatch.setattr(alarms, "KernelAlarm", no_timer)
    assert asyncio.run(kind()) is alarms.LoopAlarm


@pytest.mark.parametrize("make", [alarms.alarm_for, alarms.LoopAlarm])
def test_a_closed_alarm_never_rings(make):
    async def main():
        loop, rang = asyncio.get_running_loop(), []
        alarm = make(loop, lambda: rang.append(1))
        alarm.set(loop.time() - 1)
        alarm.close()
        alarm.close()
        later = loop.create_future()
        loop.call_later(0.002, later.set_result, None)
        await later
        return rang

    assert asyncio.run(main()) == run(main) == []


def test_the_loops_alarm_rings_at_its_last_setting():
    async def main():
        assert await ring_of(alarms.LoopAlarm, 60.0, 5.0) == 0

    run(main)


def test_where_the_clock_ticks_coarsely_a_finer_one_is_laid_over_it(monkeypatch):
    """As on Windows: the loop's clock shows multiples of 16 ms, and still requests are sent in time."""
    class Info:
        resolution = 0.016

    class CoarseLoop(asyncio.SelectorEventLoop):
        pass

    def coarse(self):
        return time.monotonic() // 0.016 * 0.016

    async def main():
        loop = asyncio.get_running_loop()
        assert alarms.clock_of(loop) is not loop.time
        return await open_loop(answer_at_once, 200, 0.2, grace=1)

    async def answer_at_once(number):
        pass

    monkeypatch.setattr(time, "get_clock_info", lambda name: Info)
    monkeypatch.setattr(asyncio.BaseEventLoop, "time", coarse)
    monkeypatch.setattr(alarms, "KernelAlarm", no_timer)
    with asyncio.Runner(loop_factory=CoarseLoop) as runner:
        report = runner.run(main())
    lags = [latency for latency in report.latencies if latency > 0.008]
    assert len(report.latencies) == report.sent and len(lags) < len(report.latencies) / 2


def test_a_virtual_clock_is_the_loops_own():
    async def main():
        loop = asyncio.get_running_loop()
        assert alarms.clock_of(loop) == loop.time

    run(main)
