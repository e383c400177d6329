"""The live race gives every lane the same requests at the same moments, and tells the truth about each."""

import asyncio
import threading

import pytest

from asyncpatterns import Batcher
from asyncpatterns.live import close_panels, draw, open_panels, race_panel
from asyncpatterns.live.contestant import Contestant
from asyncpatterns.live.race import MOST_WAITING, Lane, Race
from asyncpatterns.testing import run


def recorder(delay=0.0):
    seen = []

    async def contestant(item):
        seen.append((round(asyncio.get_running_loop().time(), 6), item))
        await asyncio.sleep(delay)

    contestant.seen = seen
    return contestant


async def for_a_while(race, seconds):
    task = asyncio.create_task(race.run())
    await asyncio.sleep(seconds)
    return task


async def end(task):
    task.cancel()
    await asyncio.wait([task])


def test_every_lane_gets_the_same_requests_at_the_same_moments():
    async def main():
        one, two = recorder(), recorder(0.3)
        await end(await for_a_while(Race([Lane("one", one), Lane("two", two)], "abc", rate=100), 10))
        assert one.seen == two.seen and 850 < len(one.seen) < 1150
        assert [item for _, item in one.seen[:6]] == list("abcabc")

    run(main)


def test_the_same_seed_is_the_same_sequence_at_every_rate():
    async def moments(rate):
        one = recorder()
        await end(await for_a_while(Race([Lane("one", one)], "a", rate=rate, seed=7), 1000 / rate))
        return [time * rate for time, _ in one.seen[:500]]

    async def main():
        slow, quick = await moments(10), await moments(100)
        offset = (quick[0] - slow[0], quick[-1] - slow[-1])
        assert offset[0] == pytest.approx(offset[1], abs=1e-2)

    run(main)


def test_a_new_rate_holds_from_the_next_request_on():
    async def main():
        one = recorder()
        race = Race([Lane("one", one)], "a", rate=10)
        task = await for_a_while(race, 10)
        before = len(one.seen)
        race.rate = 200
        await asyncio.sleep(10)
        await end(task)
        assert 60 < before < 140 and 1700 < len(one.seen) - before < 2300

    run(main)


def test_a_lane_says_its_rate_its_latencies_and_who_waits():
    async def main():
        race = Race([Lane("quick", recorder(0.010)), Lane("slow", recorder(3600.0))], "a", rate=100)
        task = asyncio.create_task(race.run())
        for _ in range(50):
            await asyncio.sleep(0.1)
            state = race.sample()
        await end(task)
        quick, slow = state["lanes"]
        assert quick["p50"] == pytest.approx(0.010) and quick["p99"] == pytest.approx(0.010)
        assert 70 < quick["per_second"] < 130 and quick["waiting"] < 10
        assert slow["p50"] is None and slow["answered"] == 0 and 400 < slow["waiting"] < 600
        draw(state)

    run(main)


def test_latency_counts_from_the_moment_a_request_was_due():
    async def main():
        busy = asyncio.Lock()

        async def one_at_a_time(item):
            async with busy:
                await asyncio.sleep(0.1)

        race = Race([Lane("slow", one_at_a_time)], "a", rate=20)
        task = await for_a_while(race, 10)
        race.sample()
        lane = race.sample()["lanes"][0]
        await end(task)
        assert lane["p99"] > 3.0        # it answers 10 of 20 a second: after ten seconds the queue is five seconds long

    run(main)


def test_failures_are_counted_and_stop_nothing():
    async def main():
        async def picky(item):
            if item == "bad":
                raise ValueError(item)

        lane = Lane("picky", picky)
        await end(await for_a_while(Race([lane], ["good", "bad"], rate=100), 5))
        assert abs(lane.answered - lane.failed) <= 1 and set(lane.errors) == {"ValueError"}

    run(main)


def test_a_hopeless_lane_does_not_fill_the_memory():
    async def main():
        lane = Lane("hopeless", recorder(3600.0))
        task = await for_a_while(Race([lane], "a", rate=5000), 3)
        assert lane.sample(3.0)["waiting"] == MOST_WAITING and lane.errors["queue full"] > 5000
        await end(task)

    run(main)


def test_a_stopped_race_leaves_no_task_and_no_thread():
    async def main():
        before, threads = asyncio.all_tasks(), threading.active_count()
        await end(
            await for_a_while(Race([Lane("plain", lambda item: item), Lane("async", recorder(60.0))], "a", rate=50), 2)
        )
        assert asyncio.all_tasks() == before and not [t for t in threading.enumerate() if t.name.startswith("plain")]
        assert threading.active_count() <= threads + 1      # the loop's own pool, which waited for the plain one

    run(main)


def test_a_plain_function_runs_one_call_at_a_time_off_the_loop():
    async def main():
        home, inside, most = threading.get_ident(), 0, []

        def plain(item):
            nonlocal inside
            inside += 1
            most.append((inside, threading.get_ident() == home))
            inside -= 1
            return item * 2

        contestant = Contestant("plain", plain)
        assert await asyncio.gather(*(contestant(n) for n in range(20))) == [2 * n for n in range(20)]
        assert set(most) == {(1, False)}
        await contestant.close()
        assert await contestant(4) == 8
        await contestant.close()

    run(main)


def test_what_cannot_be_called_is_no_contestant():
    with pytest.raises(TypeError, match="'nothing' must be callable"):
        Contestant("nothing", 3)


def test_the_panel_races_a_batcher_and_its_sliders_turn_its_knobs():
    async def main():
        async with Batcher(lambda items: items, max_batch_size=8) as batcher:
            panel = race_panel({"plain": lambda item: item, "batched": batcher}, "abc", rate=50, seconds=5.0)
            rate, size, linger, slo = panel.widget.children[0].children
            assert (rate.value, size.value, linger.value, slo.value) == (50, 8, 0, 0)
            panel.start()
            await asyncio.sleep(1)
            rate.value, size.value, linger.value, slo.value = 200.0, 16, 2.5, 100
            await asyncio.sleep(1)
            assert (batcher.max_batch_size, batcher.linger, batcher.slo) == (16, 0.0025, 0.1)
            assert panel.sample()["offered"] == 200 and panel.sample()["slo"] == 0.1
            slo.value = 0
            await panel.wait()
            assert batcher.slo is None
            lanes = {lane["name"]: lane for lane in panel.sample()["lanes"]}
            assert lanes["batched"]["answered"] > 300 and lanes["plain"]["answered"] > 300
            await close_panels()
        assert open_panels() == []

    run(main)


def test_a_race_needs_something_to_send():
    async def main():
        with pytest.raises(ValueError, match="at least one item"):
            race_panel({"a": recorder()}, [])

    run(main)
