"""A batcher is an actor that reads its mailbox by the handful."""

import asyncio

import pytest

from asyncpatterns import (
    ActorStopped,
    ActorSystem,
    Batcher,
    BatcherClosed,
    Child,
    Ended,
    Overloaded,
    Supervisor,
)
from asyncpatterns.testing import run

from .model import Model, outcomes, tick


class GpuLost(Exception):
    pass


def losing(*calls):
    """A model that loses its GPU in the calls of these numbers."""
    def answer(items):
        if model.batches.index(items) in calls:
            raise GpuLost("the GPU is gone")
        return [("answer", item) for item in items]
    model = Model(answer=answer)
    return model


def in_a_system(scenario):
    async def main():
        async with ActorSystem("test") as system:
            await asyncio.wait_for(scenario(system), 60)
    run(main)


def supervised(system, model, **options):
    supervisor = system.spawn(Supervisor, [Child("model", Batcher, model, **options)], name="supervisor")
    return supervisor.children()["model"]


def test_asks_are_answered_in_batches_as_calls_would_be():
    async def scenario(system):
        model = Model()
        ref = supervised(system, model, max_batch_size=64)
        assert await asyncio.gather(*(ref.ask(item) for item in range(10))) == [("answer", item) for item in range(10)]
        assert model.sizes == [10]
    in_a_system(scenario)


def test_an_ask_raises_what_a_call_would_raise():
    async def scenario(system):
        ref = system.spawn(Batcher, Model(answer=lambda items: [ValueError("x"), *items[1:]]), max_queue=2)
        results = await outcomes(ref.ask(item) for item in range(3))
        assert [type(result) for result in results] == [ValueError, int, Overloaded]
    in_a_system(scenario)


def test_a_stop_iteration_is_no_problem_for_an_ask():
    async def scenario(system):
        def function(items):
            raise StopIteration
        ref = system.spawn(Batcher, function)
        with pytest.raises(RuntimeError):
            await ref.ask(1)
    in_a_system(scenario)


def test_what_is_told_is_run_and_its_result_goes_nowhere():
    async def scenario(system):
        model = Model()
        ref = system.spawn(Batcher, model)
        ref.tell(1), ref.tell(2)
        await asyncio.sleep(1)
        assert model.batches == [[1, 2]] and len(system.dead_letters) == 0
    in_a_system(scenario)


def test_what_is_told_and_refused_is_a_dead_letter():
    async def scenario(system):
        ref = system.spawn(Batcher, Model(), max_queue=1)
        ref.tell("fine"), ref.tell("too much")
        await asyncio.sleep(1)
        assert [letter.message for letter in system.dead_letters] == ["too much"]
    in_a_system(scenario)


def test_an_asker_who_gives_up_takes_the_request_out_of_the_queue():
    async def scenario(system):
        model = Model(b=1.0)
        ref = system.spawn(Batcher, model)
        running = asyncio.create_task(ref.ask("running"))
        await tick(8)
        with pytest.raises(TimeoutError):
            await ref.ask("gone", timeout=0.1)
        task = asyncio.create_task(ref.ask("gone too"))
        await asyncio.sleep(0.1)
        task.cancel()
        await running
        await ref.ask("next")
        assert model.seen == ["running", "next"]
    in_a_system(scenario)


def test_rows_that_cannot_be_counted_are_the_askers_problem():
    async def scenario(system):
        ref = system.spawn(Batcher, Model(), rows=len)
        results = await outcomes([ref.ask("fine"), ref.ask(7)])
        assert results[0] == ("answer", "fine") and type(results[1]) is TypeError
    in_a_system(scenario)


def test_fatal_and_supervised_it_restarts_and_its_queue_survives():
    async def scenario(system):
        model = losing(0)
        ref = supervised(system, model, fatal=(GpuLost,), max_batch_size=4)
        results = await outcomes(ref.ask(item) for item in range(10))
        assert [type(result) for result in results] == [GpuLost] * 4 + [tuple] * 6
        assert len(set(map(id, results[:4]))) == 4
        assert model.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        assert "1" in str(system.tree()) and await ref.ask("again") == ("answer", "again")
    in_a_system(scenario)


def test_each_fatal_failure_is_a_restart_and_past_the_intensity_nobody_hangs():
    async def scenario(system):
        model = losing(*range(100))
        ref = supervised(system, model, fatal=(GpuLost,), max_batch_size=1)
        results = await outcomes(ref.ask(item) for item in range(10))
        assert [type(result) for result in results] == [GpuLost] * 4 + [ActorStopped] * 6
        assert model.seen == [0, 1, 2, 3]
    in_a_system(scenario)


def test_with_several_workers_a_fatal_batch_does_not_hurt_the_others():
    async def scenario(system):
        model = losing(1)
        ref = supervised(system, model, fatal=(GpuLost,), max_batch_size=2, workers=3)
        results = await outcomes(ref.ask(item) for item in range(12))
        assert sum(type(result) is GpuLost for result in results) == 2
        assert sum(type(result) is tuple for result in results) == 10
        assert model.most_at_once <= 3
    in_a_system(scenario)


def test_two_batches_of_one_incarnation_that_are_fatal_fail_it_once():
    async def scenario(system):
        model = losing(0, 1)
        ref = supervised(system, model, fatal=(GpuLost,), max_batch_size=2, workers=2)
        results = await outcomes(ref.ask(item) for item in range(8))
        assert [type(result) for result in results] == [GpuLost] * 4 + [tuple] * 4
        assert [line.split()[-1] for line in str(system.tree()).splitlines() if "/model" in line] == ["1"]
    in_a_system(scenario)


def test_a_restarted_batcher_calls_the_function_of_the_new_incarnation():
    """So a subclass that loads its model in the constructor has it loaded again."""
    loaded = []

    class Loaded(Batcher):
        def __init__(self):
            loaded.append(losing(0) if not loaded else Model())
            super().__init__(loaded[-1], fatal=(GpuLost,), max_batch_size=1)

    async def scenario(system):
        supervisor = system.spawn(Supervisor, [Child("model", Loaded)])
        ref = supervisor.children()["model"]
        results = await outcomes(ref.ask(item) for item in range(3))
        assert [type(result) for result in results] == [GpuLost, tuple, tuple]
        assert [model.seen for model in loaded] == [[0], [1, 2]]
    in_a_system(scenario)


def test_fatal_and_alone_what_waits_fails_with_that_error():
    async def main():
        async with Batcher(losing(0), fatal=(GpuLost,), max_batch_size=2) as batcher:
            results = await outcomes(batcher(item) for item in range(6))
            assert [type(result) for result in results] == [GpuLost] * 6
            assert len(set(map(id, results))) == 6
            with pytest.raises(BatcherClosed) as closed:
                await batcher("late")
            assert type(closed.value.__cause__) is GpuLost
        assert batcher.statistics().failed == 6
    run(main)


def test_fatal_and_spawned_without_a_supervisor_it_ends_with_that_error():
    async def scenario(system):
        ref = system.spawn(Batcher, losing(0), fatal=(GpuLost,), max_batch_size=2)
        results = await outcomes(ref.ask(item) for item in range(6))
        assert [type(result) for result in results] == [GpuLost] * 6
        assert type(await ref.stopped()) is GpuLost
    in_a_system(scenario)


def test_a_fatal_error_is_not_bisected_and_others_are():
    def answer(items):
        if "fatal" in items:
            raise GpuLost
        if "bad" in items:
            raise ValueError
        return items

    async def main():
        model = Model(answer=answer)
        async with Batcher(model, fatal=(GpuLost,)) as batcher:
            results = await outcomes(batcher(item) for item in ("a", "bad", "b"))
            assert [type(result) for result in results] == [str, ValueError, str]
            calls = len(model.batches)
            results = await outcomes(batcher(item) for item in ("a", "bad", "fatal", "b"))
            assert [type(result) for result in results] == [GpuLost] * 4 and len(model.batches) == calls + 1
    run(main)


def test_a_fatal_error_in_the_middle_of_a_bisection_ends_it():
    def answer(items):
        if len(items) == 2:
            raise GpuLost
        raise ValueError

    async def main():
        model = Model(answer=answer)
        async with Batcher(model, fatal=(GpuLost,)) as batcher:
            results = await outcomes(batcher(item) for item in range(4))
            assert [type(result) for result in results] == [GpuLost] * 4 and model.sizes == [4, 2]
    run(main)


def test_stop_answers_everything_admitted():
    async def scenario(system):
        ref = system.spawn(Batcher, Model(), max_batch_size=3)
        asks = [asyncio.create_task(ref.ask(item)) for item in range(10)]
        await asyncio.sleep(0.001)
        ref.stop()
        assert await asyncio.gather(*asks) == [("answer", item) for item in range(10)]
        assert await ref.stopped() is Ended.STOPPED
        with pytest.raises(ActorStopped):
            await ref.ask("late")
    in_a_system(scenario)


def test_kill_hangs_nobody():
    async def scenario(system):
        ref = system.spawn(Batcher, Model(b=100.0), max_batch_size=3)
        asks = [asyncio.create_task(ref.ask(item)) for item in range(10)]
        await asyncio.sleep(0.001)
        ref.kill()
        assert [type(result) for result in await outcomes(asks)] == [ActorStopped] * 10
        assert await ref.stopped() is Ended.KILLED
        assert asyncio.get_running_loop().time() < 1
    in_a_system(scenario)


def test_a_restart_by_hand_leaves_the_queue_to_the_next_incarnation():
    async def scenario(system):
        model = Model()
        supervisor = system.spawn(Supervisor, [Child("model", Batcher, model, max_batch_size=2)])
        ref = supervisor.children()["model"]
        asks = [asyncio.create_task(ref.ask(item)) for item in range(6)]
        await asyncio.sleep(0.001)
        await supervisor.restart_child("model")
        assert await asyncio.gather(*asks) == [("answer", item) for item in range(6)]
        assert model.seen == list(range(6))
    in_a_system(scenario)


def test_leaving_the_system_answers_what_was_asked():
    async def main():
        async with ActorSystem("test") as system:
            ref = supervised(system, Model(), max_batch_size=2)
            asks = [asyncio.create_task(ref.ask(item)) for item in range(6)]
            await asyncio.sleep(0.001)
        assert await asyncio.gather(*asks) == [("answer", item) for item in range(6)]
    run(main)


def test_options_are_checked_in_spawn():
    async def scenario(system):
        with pytest.raises(ValueError, match="max_batch_size"):
            system.spawn(Batcher, Model(), max_batch_size=0)
    in_a_system(scenario)


def test_it_has_the_name_of_the_actor():
    async def scenario(system):
        names = []

        class Named(Batcher):
            def __init__(self, function):
                super().__init__(function)
                names.append((self.name, repr(self)))
        system.spawn(Named, Model(), name="intent")
        assert names[0][0].endswith("/intent") and "/intent'" in names[0][1]
    in_a_system(scenario)
