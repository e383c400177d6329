"""The tap keeps what a batcher did in bounded memory, and its numbers are the batcher's own."""

import asyncio

import pytest

from asyncpatterns import Batcher
from asyncpatterns.batching.events import Arrived, Done, Sealed, Shed
from asyncpatterns.live import BatcherTap, batcher_panel, close_panels, draw
from asyncpatterns.live.tap import KEEP_BATCHES, KEEP_REQUESTS, Slices, quantile
from asyncpatterns.testing import run


async def model(items):
    await asyncio.sleep(0.010 + 0.001 * len(items))
    if "bad" in items:
        raise ValueError("bad")
    return items


async def burst(batcher, count):
    await asyncio.gather(*(batcher(n) for n in range(count)))


def test_who_gives_up_waits_no_longer_in_the_picture_either():
    async def main():
        async with Batcher(model, max_batch_size=2, max_queue=4) as batcher, BatcherTap(batcher) as tap:
            running = asyncio.ensure_future(burst(batcher, 2))
            await asyncio.sleep(0.001)
            limits = (0.002, 0.003, None, None, 1)
            patient = [asyncio.ensure_future(batcher("x", timeout=limit)) for limit in limits]
            await asyncio.sleep(0.005)
            assert (tap.waiting, tap.shed) == (batcher.statistics().waiting, 3) == (2, 3)
            for call in patient:
                call.cancel()
            await asyncio.wait([running, *patient])
            await asyncio.sleep(1)
            assert tap.waiting == batcher.statistics().waiting == 0
            assert tap.gathering()["idle"] > 0.5

    run(main)


def test_the_taps_numbers_are_the_batchers_own():
    async def main():
        async with Batcher(model, max_batch_size=8) as batcher, BatcherTap(batcher) as tap:
            await burst(batcher, 1)
            await burst(batcher, 30)
            await asyncio.sleep(0)
            facts = batcher.statistics()
            assert (tap.answered, tap.waiting, tap.shed) == (facts.answered, facts.waiting, 0) == (31, 0, 0)
            assert dict(tap.sizes) == facts.sizes and dict(tap.reasons) == facts.sealed
            state = tap.gathering()
            assert len(state["requests"]) == 31 and sum(batch["size"] for batch in state["batches"]) == 31
            assert all(r["arrived"] <= r["sealed"] < r["done"] for r in state["requests"])
            for picture in (state, tap.latency(0.05), tap.sizes_and_queue()):
                draw(picture)

    run(main)


def test_a_request_is_drawn_in_the_batch_that_took_it():
    async def main():
        async with Batcher(model, max_batch_size=4) as batcher, BatcherTap(batcher) as tap:
            await burst(batcher, 12)
            await asyncio.sleep(0)
            state = tap.gathering()
            sizes = {batch["id"]: batch["size"] for batch in state["batches"]}
            members = [request["batch"] for request in state["requests"]]
            assert {batch: members.count(batch) for batch in sizes} == sizes

    run(main)


def test_latency_is_from_arrival_to_answer():
    async def main():
        async with Batcher(model, max_batch_size=1) as batcher, BatcherTap(batcher, slice=1.0) as tap:
            await burst(batcher, 2)
            await asyncio.sleep(2)
            point = tap.latency()["points"][0]
            assert (
                point["p50"] == pytest.approx(0.011) and point["p99"] == pytest.approx(0.022) and point["answered"] == 2
            )

    run(main)


def test_a_failed_batch_and_those_turned_away_are_told():
    async def main():
        async with Batcher(model, max_batch_size=2, max_queue=2) as batcher, BatcherTap(batcher) as tap:
            await asyncio.gather(*(batcher(item) for item in ("bad", "good", "third")), return_exceptions=True)
            await asyncio.sleep(0)
            assert tap.shed == batcher.statistics().rejected == 1
            assert [batch["outcome"] for batch in tap.gathering()["batches"]] != ["answered"]
            draw(tap.gathering())

    run(main)


def test_what_is_read_is_current_though_the_tap_is_not_woken_for_every_event():
    async def main():
        async with Batcher(model, max_batch_size=1) as batcher, BatcherTap(batcher) as tap:
            for done in range(1, 6):
                await batcher(done)
                assert (tap.arrived, tap.answered, tap.sizes[1]) == (done, done, done)
            assert len(tap.requests) == len(tap.batches) == 5

    run(main)


def test_a_tap_wakes_up_once_for_a_burst():
    async def main():
        async with Batcher(model, max_batch_size=64) as batcher, BatcherTap(batcher) as tap:
            wakes = []
            tap.history, history = lambda: wakes.append(1) or history(), tap.history
            await burst(batcher, 200)
            await asyncio.sleep(1)
            assert tap.answered == 200 and len(wakes) < 50

    run(main)


def test_what_has_happened_is_kept_when_the_tap_is_cancelled_and_when_the_batcher_ends():
    async def main():
        tap = BatcherTap(Batcher(model))
        async with tap.batcher, tap:
            await burst(tap.batcher, 3)
        assert tap.answered == 3 and len(tap.requests) == 3
        ended = BatcherTap(Batcher(model))
        following = asyncio.create_task(ended.follow())
        await asyncio.sleep(0)
        async with ended.batcher:
            await burst(ended.batcher, 3)
        await following
        assert ended.answered == 3

    run(main)


def test_following_again_forgets_what_was_under_way_and_goes_on_counting():
    async def main():
        async with Batcher(model) as batcher:
            tap = BatcherTap(batcher)
            for times in (1, 2):
                async with tap:
                    assert not tap.requests and not tap.batches
                    await burst(batcher, 2)
                    assert tap.answered == 2 * times and len(tap.requests) == 2
                await burst(batcher, 2)     # nobody looks

    run(main)


def test_memory_stays_bounded():
    tap = BatcherTap(None)
    for n in range(20_000):
        tap.see(Arrived(n / 1e3, n, None, 1, 0, n))
        tap.see(Sealed(n / 1e3, n, (n,), None, 1, 0, "idle", 0, 0.0, 0))
        tap.see(Done(n / 1e3, n, (n,), 1, 0.001, 0, "answered", 1, 0))
        tap.see(Shed(n / 1e3, None, None, 1, 0, "overloaded"))
    assert len(tap.requests) == KEEP_REQUESTS and len(tap.batches) == KEEP_BATCHES
    assert len(tap.latencies.slices) <= 60 and tap.answered == tap.shed == 20_000
    assert max(len(values) for _, values, _ in tap.latencies.slices) <= 400


def test_an_event_of_a_kind_it_does_not_know_is_passed_over():
    class Later:
        kind = "from_a_later_version"

    BatcherTap(None).see(Later())


def test_a_slice_without_answers_is_a_gap():
    slices = Slices(1.0)
    slices.add(0.5, 0.010)
    slices.add(3.5, 0.020)
    assert [point["p50"] for point in slices.points(5.0)] == [0.010, None, None, 0.020, None]


def test_the_point_of_a_slice_is_computed_again_only_when_it_has_changed():
    slices = Slices(1.0)
    slices.add(0.5, 0.010)
    first = slices.points(2.0)
    slices.add(0.9, 0.030)          # told late
    second = slices.points(3.0)
    slices.add(2.5, 0.020)
    assert (first[0]["p99"], second[0]["p99"], second[0]["answered"]) == (0.010, 0.030, 2)
    assert slices.points(4.0)[0] is second[0] and second[1]["p50"] is None


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.99, 4), (0.25, 1), (0.26, 2), (1.0, 4)])
def test_a_quantile_is_one_of_the_values(share, value):
    assert quantile([4, 1, 3, 2], share) == value and quantile([], share) is None


@pytest.mark.parametrize("view", ["gathering", "latency", "sizes"])
def test_a_batchers_panel_shows_it_at_work(view):
    async def main():
        async with Batcher(model, max_batch_size=8) as batcher:
            panel = batcher_panel(batcher, view, seconds=2.0).start()
            for _ in range(20):
                await burst(batcher, 5)
            await panel.wait()
            assert panel.sample()["view"] == view and "<svg" in panel.picture.value
            await close_panels()

    run(main)


def test_a_view_that_does_not_exist_is_refused_with_those_that_do():
    async def main():
        with pytest.raises(ValueError, match="gathering, latency, sizes"):
            batcher_panel(None, "fireworks")

    run(main)


def test_while_nothing_happens_the_picture_stands_still_and_says_how_long_ago_it_was():
    async def main():
        async with Batcher(model, max_batch_size=8) as batcher, BatcherTap(batcher, window=2.0) as tap:
            await burst(batcher, 5)
            await asyncio.sleep(0)
            assert tap.gathering()["idle"] == 0
            await asyncio.sleep(10)
            state = tap.gathering()
            assert state["idle"] == pytest.approx(9.75) and "batches in view 1" in draw(state)
            assert "9.75 s ago" in draw(state)

    run(main)
