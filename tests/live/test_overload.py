"""Overload and faults: every service gets the same, and says what became of each request."""

import asyncio
import json
import math

import pytest

from asyncpatterns.live import POISON, FaultyModel, Overload, Poisoned, SessionLost, close_panels, draw, overload_panel
from asyncpatterns.live.overload import KINDS
from asyncpatterns.testing import run

SERVICES = {"unbounded": {"max_queue": math.inf}, "bounded": {"max_queue": 64}, "promised": {"slo": 0.2}}


def overload(rate, scenario=None, seconds=20.0, services=SERVICES):
    """Twenty seconds of overload in virtual time; then the counts of each service."""
    async def main():
        load = Overload(services, b=0.020, a=0.002, slo=0.2, rate=rate)
        task = asyncio.create_task(load.run())
        await asyncio.sleep(seconds / 2)
        if scenario is not None:
            await scenario(load)
        await asyncio.sleep(seconds / 2)
        json.dumps(load.sample(), allow_nan=False)
        draw(load.sample())
        counts = {service.name: dict(service.counts) for service in load.lanes}
        task.cancel()
        await asyncio.wait([task])
        assert len(asyncio.all_tasks()) == 1
        return counts, load
    return run(main)


def test_what_is_within_capacity_is_answered_in_time_by_all():
    counts, _ = overload(150)
    for counted in counts.values():
        assert counted["in time"] > 2800 and sum(counted.values()) - counted["in time"] <= 30


def test_under_overload_first_come_first_served_is_late_and_the_promise_is_kept():
    counts, _ = overload(900)
    assert counts["unbounded"]["in time"] < 300 and counts["unbounded"]["late"] > 5000
    assert counts["promised"]["in time"] > 0.95 * 20 * 400 and "late" not in counts["promised"]
    assert counts["bounded"]["in time"] < counts["promised"]["in time"] and counts["bounded"]["refused"] > 8000


def test_the_same_requests_for_everyone():
    _, load = overload(300)
    totals = {service.name: sum(service.counts.values()) + len(service._tasks) for service in load.lanes}
    assert max(totals.values()) - min(totals.values()) <= 100


def test_poisoned_requests_fail_alone():
    async def poison(load):
        load.poison(10)
    counts, _ = overload(150, poison)
    assert counts["unbounded"]["failed"] == counts["bounded"]["failed"] == 10
    # To find ten takes longer than the slo; who has not been tried by then is turned away.
    assert 1 <= counts["promised"]["failed"] <= 10 and counts["promised"]["in time"] > 2800


def test_a_lost_session_costs_one_batch_and_the_service_comes_back():
    async def lose(load):
        load.fault("loses its session")
    counts, _ = overload(150, lose)
    for counted in counts.values():
        assert 1 <= counted["failed"] <= 64 and counted["in time"] > 2700


@pytest.mark.parametrize("fault", ["hangs for 1 s", "is 3 × slower for 3 s"])
def test_after_a_fault_the_promise_is_kept_again(fault):
    async def break_it(load):
        load.fault(fault)
        await asyncio.sleep(6)
        for service in load.lanes:
            service.clear()
    counts, _ = overload(300, break_it)
    assert counts["promised"]["in time"] > 0.95 * 300 * 10


def test_half_leave_and_a_burst():
    async def disturb(load):
        load.burst(300)
        await asyncio.sleep(0.01)
        waiting = [len(service._tasks) for service in load.lanes]
        load.half_leave()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert all(len(service._tasks) <= before / 2 + 1
                   for before, service in zip(waiting, load.lanes, strict=True))
    counts, _ = overload(150, disturb)
    assert counts["unbounded"]["in time"] > 2700


def test_the_buttons_press_what_they_say():
    async def main():
        panel = overload_panel(SERVICES, rate=100).start()
        await asyncio.sleep(5)
        buttons = [button for row in panel.widget.children[0].children[1:] for button in row.children]
        assert len(buttons) == 6
        for button in buttons:
            button.click()
            await asyncio.sleep(2)
        assert panel.running and panel.failure is None
        services = {service["name"]: service for service in panel.sample()["services"]}
        assert services.keys() == SERVICES.keys()
        assert "in time" in panel.picture.value
        panel.widget.children[0].children[0].value = 1000
        await asyncio.sleep(5)
        assert panel.sample()["offered"] == 1000
        assert all(sum(service[kind] for kind in KINDS) > 300 for service in panel.sample()["services"])
        await close_panels()
        assert len(asyncio.all_tasks()) == 1

    run(main)


def test_a_faulty_model_does_what_it_is_told():
    async def main():
        loop, model = asyncio.get_running_loop(), FaultyModel(0.010, 0.001)

        async def took(items):
            begin = loop.time()
            await model(items)
            return loop.time() - begin
        assert await took("a" * 5) == pytest.approx(0.015)
        model.slow(2.0, 0.01)
        assert [await took("a"), await took("a")] == pytest.approx([0.022, 0.011])
        model.hang(1.0)
        assert [await took("a"), await took("a")] == pytest.approx([1.011, 0.011])
        with pytest.raises(Poisoned):
            await model(["a", POISON])
        model.lose_session()
        with pytest.raises(SessionLost):
            await model("a")
        assert await took("a") == pytest.approx(0.011) and model.calls == 8 and "8 calls" in repr(model)

    run(main)
