"""The tap for live views."""

import asyncio
import gc

import pytest

from .model import Model, batched, occupied, outcomes, tick


async def collect(batcher, into):
    async for event in batcher.events():
        into.append(event)


def test_a_request_is_seen_from_its_arrival_to_the_end_of_its_batch():
    async def scenario(batcher, _):
        seen = []
        task = asyncio.create_task(collect(batcher, seen))
        await tick()
        await asyncio.gather(batcher("x", key="k"), batcher("y", key="k", priority=2))
        await batcher.drain()
        await task              # the events end with the batcher
        arrived, second, sealed, done = seen
        assert [event.kind for event in seen] == ["arrived", "arrived", "sealed", "done"]
        assert (arrived.id, arrived.key, arrived.rows, arrived.priority, arrived.waiting) == (1, "k", 1, 0, 1)
        assert (second.id, second.priority, second.waiting) == (2, 2, 2)
        assert sealed.ids == (2, 1) and (sealed.size, sealed.padding, sealed.reason) == (2, 2, "idle")
        assert (sealed.worker, sealed.queue_delay, sealed.batch) == (0, 0.0, 1)
        assert done.ids == (2, 1) and done.outcome == "answered" and done.seconds == pytest.approx(0.012)
        assert [event.time for event in seen] == [0, 0, 0, pytest.approx(0.012)]
    batched(scenario, sizes=(4,))


def test_every_request_that_no_batch_takes_is_shed_for_a_reason():
    async def scenario(batcher, model):
        seen = []
        task = asyncio.create_task(collect(batcher, seen))
        await tick()
        async with occupied(batcher, model):
            calls = [asyncio.ensure_future(batcher(1, timeout=0.1)), asyncio.ensure_future(batcher(2)),
                     asyncio.ensure_future(batcher(3))]
            await tick()
            calls[1].cancel()
            await asyncio.sleep(0.5)
            draining = asyncio.create_task(batcher.drain())
            await tick()
            calls.append(asyncio.ensure_future(batcher(4)))
        await outcomes([*calls, draining])
        await task
        shed = [(event.reason, event.id) for event in seen if event.kind == "shed"]
        assert shed == [("overloaded", None), ("cancelled", 3), ("expired", 2), ("closed", None)]
    batched(scenario, max_queue=2)


def test_a_bisected_batch_is_done_once():
    async def scenario(batcher, _):
        seen = []
        task = asyncio.create_task(collect(batcher, seen))
        await tick()
        await outcomes(batcher(item) for item in range(8))
        await batcher.drain()
        await task
        done = [event for event in seen if event.kind == "done"]
        assert len(done) == 1 and (done[0].outcome, done[0].answered, done[0].failed) == ("isolated", 7, 1)

    def answer(items):
        if 3 in items:
            raise ValueError
        return items
    batched(scenario, Model(answer=answer))


def test_a_worker_is_seen_to_be_done_before_it_takes_the_next_batch():
    async def scenario(batcher, _):
        events = batcher.events()
        await outcomes(batcher(item) for item in range(9))
        seen = [event for event in events.take() if event.kind in ("sealed", "done")]
        assert [event.kind for event in seen] == ["sealed", "done"] * 3
        assert [(event.answered, event.failed, event.outcome) for event in seen[1::2]] == [
            (2, 1, "isolated"), (3, 0, "answered"), (3, 0, "answered")]

    def answer(items):
        return [ValueError() if item == 1 else item for item in items]
    batched(scenario, Model(answer=answer), max_batch_size=3)


def test_nothing_is_built_when_nobody_listens_and_a_listener_who_left_is_nobody():
    async def scenario(batcher, _):
        tap = batcher._engine.tap
        assert not tap.listening
        events = batcher.events()
        assert tap.listening
        await batcher(1)
        assert (await anext(events)).kind == "arrived"
        del events
        gc.collect()
        await batcher(2)
        assert not tap.listening
    batched(scenario)


def test_a_listener_who_does_not_keep_up_loses_the_oldest_and_is_told_how_many():
    async def scenario(batcher, _):
        events = batcher.events(capacity=5)
        await outcomes(batcher(item) for item in range(20))
        assert events.dropped == 22 - 5
        assert [(await anext(events)).kind for _ in range(5)] == ["arrived"] * 3 + ["sealed", "done"]
    batched(scenario)


def test_each_listener_gets_every_event_and_a_cancelled_wait_loses_none():
    async def scenario(batcher, _):
        first, second = batcher.events(), batcher.events()
        task = asyncio.create_task(anext(first))
        await tick()
        task.cancel()
        await outcomes([task])
        await batcher(1)
        for events in (first, second):
            assert [(await anext(events)).kind for _ in range(3)] == ["arrived", "sealed", "done"]
    batched(scenario)


def test_all_that_has_happened_can_be_taken_at_once_and_is_read_then():
    async def scenario(batcher, _):
        events, other = batcher.events(), batcher.events()
        assert events.take() == []
        await batcher(1)
        taken = events.take()
        assert [event.kind for event in taken] == ["arrived", "sealed", "done"] and events.take() == []
        assert [await anext(other) for _ in range(3)] == taken
        waiting = asyncio.create_task(anext(events))
        await tick()
        await batcher(2)
        assert ((await waiting).kind, *(event.kind for event in events.take())) == ("arrived", "sealed", "done")
        await batcher.drain()
        assert events.take() == [] and [event async for event in events] == []
    batched(scenario)


def test_who_takes_while_another_task_waits_leaves_it_waiting_for_the_next():
    async def scenario(batcher, _):
        events = batcher.events()
        waiting = asyncio.create_task(anext(events))
        await tick()
        answer = asyncio.ensure_future(batcher(1))
        assert [event.kind for event in events.take()] == ["arrived"]
        await answer
        assert (await waiting).kind == "sealed"
    batched(scenario)


def test_a_listener_who_left_while_others_listen_is_nobody():
    async def scenario(batcher, _):
        first, second, third = (batcher.events() for _ in range(3))
        await second.aclose()
        del first
        gc.collect()
        await batcher(1)
        assert [event.kind for event in third.take()] == ["arrived", "sealed", "done"] and second.take() == []
        assert len(batcher._engine.tap._listeners) == 1 and batcher._engine.tap.listening
    batched(scenario)


def test_listeners_are_told_in_the_order_in_which_they_came():
    async def scenario(batcher, _):
        told = []

        async def listens(number):
            await anext(batcher.events())
            told.append(number)
        listeners = [asyncio.create_task(listens(number)) for number in range(100)]
        await tick(2)
        await batcher(1)
        await outcomes(listeners)
        assert told == list(range(100))
    batched(scenario)


def test_events_of_a_closed_batcher_end_at_once():
    async def scenario(batcher, _):
        await batcher.drain()
        assert [event async for event in batcher.events()] == []
    batched(scenario)


def test_a_listener_can_stop_listening():
    async def scenario(batcher, _):
        events = batcher.events()
        await events.aclose()
        await batcher(1)
        assert [event async for event in events] == []
        with pytest.raises(ValueError, match="capacity"):
            batcher.events(0)
    batched(scenario)
