"""What a call is, and where the function runs."""

import asyncio
import functools
import inspect
import threading

import pytest

from asyncpatterns import Batcher, Overloaded
from asyncpatterns.testing import run

from .model import Model, add_up, batched, now, outcomes, tick


class Methods:
    async def method(self, items):
        return items

    async def __call__(self, items):
        return items


def test_function_gets_a_list_and_each_caller_the_result_in_its_place():
    async def scenario(batcher, model):
        assert await asyncio.gather(*(batcher(item) for item in "abc")) == [("answer", item) for item in "abc"]
        assert model.batches == [["a", "b", "c"]] and type(model.batches[0]) is list
    batched(scenario)


@pytest.mark.parametrize("kind", [tuple, list, lambda results: dict(enumerate(results)).values()])
def test_any_sequence_of_results_will_do(kind):
    async def scenario(batcher, model):
        assert await asyncio.gather(batcher(1), batcher(2)) == [1, 2]
    batched(scenario, Model(answer=kind))


def test_a_plain_function_runs_on_a_worker_thread():
    threads = []

    def function(items):
        threads.append(threading.current_thread())
        return items

    async def scenario(batcher, _):
        assert await batcher("x") == "x"
        assert threads[0] is not threading.main_thread() and threads[0] is not threading.current_thread()
    batched(scenario, function)


def test_an_async_function_runs_on_the_loop():
    async def function(items):
        return [asyncio.get_running_loop()] * len(items)

    async def scenario(batcher, _):
        assert await batcher("x") is asyncio.get_running_loop()
    batched(scenario, function)


@pytest.mark.parametrize("function", [Methods(), Methods().method, functools.partial(Methods().method)])
def test_whatever_is_async_underneath_runs_on_the_loop(function):
    async def scenario(batcher, _):
        before = threading.active_count()
        assert await batcher("x") == "x"
        assert threading.active_count() == before
    batched(scenario, function)


def test_calling_costs_no_task_and_returns_an_awaitable():
    async def scenario(batcher, _):
        before = asyncio.all_tasks()
        calls = [batcher(item) for item in range(10)]
        assert asyncio.all_tasks() == before
        assert all(inspect.isawaitable(call) for call in calls)
        assert [await call for call in calls] == [("answer", item) for item in range(10)]
    batched(scenario)


def test_a_call_is_made_at_once_and_not_when_it_is_awaited():
    async def scenario(batcher, model):
        first, second = batcher(1), batcher(2)
        await first
        assert model.batches == [[1, 2]]
        assert await second == ("answer", 2) and now() == pytest.approx(0.011)
    batched(scenario)


def test_a_call_can_be_awaited_again():
    async def scenario(batcher, model):
        call = batcher(1)
        assert await call == await call == ("answer", 1)
        assert model.seen == [1]
    batched(scenario)


@pytest.mark.parametrize("wrap", [asyncio.create_task, asyncio.ensure_future, asyncio.shield,
                                  lambda call: asyncio.wait_for(call, 1), asyncio.gather],
                         ids=["create_task", "ensure_future", "shield", "wait_for", "gather"])
def test_a_call_goes_wherever_a_coroutine_goes(wrap):
    async def scenario(batcher, _):
        assert await wrap(batcher(1)) in (("answer", 1), [("answer", 1)])
    batched(scenario)


def test_a_call_goes_into_task_groups_and_wait():
    async def scenario(batcher, model):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(batcher(1))
        assert task.result() == ("answer", 1)
        done, _ = await asyncio.wait([asyncio.ensure_future(batcher(item)) for item in (2, 3)])
        assert sorted(task.result() for task in done) == [("answer", 2), ("answer", 3)]
        assert [await each for each in asyncio.as_completed([batcher(4)])] == [("answer", 4)]
        assert model.sizes == [1, 2, 1]
    batched(scenario)


def test_a_call_made_where_no_loop_runs_is_sent_when_it_is_awaited():
    async def scenario(batcher, _):
        loop = asyncio.get_running_loop()
        answer = asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(batcher("far"), loop).result(10))
        assert await answer == "far"
    batched(scenario, Methods())


def test_a_call_made_on_another_loop_can_be_handed_over_as_the_refusal_says():
    async def scenario(batcher, _):
        loop, answers = asyncio.get_running_loop(), [await batcher("near")]

        async def elsewhere():
            answers.append(await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(batcher("far"), loop)))
        await asyncio.to_thread(asyncio.run, elsewhere())
        assert answers == ["near", "far"]
    batched(scenario, Methods())


def test_a_key_that_cannot_be_one_is_refused_however_often_it_is_asked():
    call = Batcher(list)(1, key=[])

    async def main():
        for _ in range(2):
            with pytest.raises(TypeError, match="unhashable"):
                await call
    run(main)


def test_another_loop_is_refused_with_a_sentence():
    batcher = Batcher(lambda items: items)

    async def main():
        await batcher(1)
        await batcher.drain()
    asyncio.run(main())

    async def other():
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            await batcher(2)
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            await batcher.drain()
    asyncio.run(other())


def test_without_a_block_it_starts_with_its_first_call():
    async def main():
        batcher = Batcher(Model())
        assert await batcher(1) == ("answer", 1)
        await batcher.drain()
    run(main)


def test_a_call_nobody_awaits_runs_and_complains_of_nothing(caplog):
    def fails(items):
        raise ValueError("nobody listens")

    async def main():
        batcher = Batcher(Model(), max_queue=1)
        batcher(1), batcher("refused")
        await asyncio.sleep(1)
        assert add_up(batcher).answered == 1 and batcher.statistics().rejected == 1
        failing = Batcher(fails)
        failing(1)
        await failing.drain()
        assert failing.statistics().failed == 1
    run(main)
    assert not caplog.records


def test_an_overload_raises_when_awaited_and_not_in_the_call():
    async def scenario(batcher, _):
        fine, refused = batcher(1), batcher(2)
        with pytest.raises(Overloaded):
            await refused
        assert await fine == ("answer", 1)
    batched(scenario, max_queue=1)


def test_workers_batches_run_at_once_and_no_more():
    async def scenario(batcher, model):
        await outcomes(batcher(item) for item in range(100))
        assert model.most_at_once == 3
    batched(scenario, max_batch_size=4, workers=3)


def test_plain_functions_run_on_as_many_threads_as_there_are_workers():
    barrier = threading.Barrier(3)

    def function(items):
        barrier.wait(10)        # passes only when three are inside at once
        return items

    async def scenario(batcher, _):
        assert await asyncio.gather(*(batcher(item) for item in range(3))) == [0, 1, 2]
    batched(scenario, function, max_batch_size=1, workers=3)


def test_a_batch_belongs_to_the_context_of_the_batcher_and_not_to_a_callers():
    import contextvars
    variable = contextvars.ContextVar("variable", default="nobody")

    async def function(items):
        return [variable.get()] * len(items)

    async def scenario(batcher, _):
        async def caller():
            variable.set("a caller")
            return await batcher(1)
        assert await asyncio.create_task(caller()) == "nobody"
    batched(scenario, function)


def test_whoever_does_not_await_a_call_can_be_called_when_it_is_done():
    async def scenario(batcher, model):
        calls = [batcher(item) for item in range(3)]
        with pytest.raises(asyncio.InvalidStateError, match="waiting> has no outcome yet"):
            calls[0].result()
        seen = []
        for call in calls:
            call.add_done_callback(seen.append)
        calls[1].cancel()
        assert not seen             # never inside of what ends it
        await calls[2]
        await tick(2)
        assert sorted(map(calls.index, seen)) == [0, 1, 2] and seen[0] is calls[1]
        assert calls[0].result() == ("answer", 0) and await calls[0] == ("answer", 0)
        with pytest.raises(asyncio.CancelledError):
            calls[1].result()
        assert model.batches == [[0, 2]]
    batched(scenario)


def test_a_call_that_is_done_calls_back_in_the_next_tick():
    async def scenario(batcher, _):
        held = batcher("waits")
        refused, seen = batcher("refused"), []
        refused.add_done_callback(seen.append)
        assert not seen
        await tick()
        assert seen == [refused]
        with pytest.raises(Overloaded):
            refused.result()
        await held
    batched(scenario, max_queue=1)


def test_a_callback_sends_a_call_that_was_made_where_no_loop_was_running():
    batcher = Batcher(Methods().method)
    call, seen = batcher("x"), []

    async def main():
        call.add_done_callback(seen.append)
        await batcher.drain()
        await tick()
        return call.result()
    assert run(main) == "x" and seen == [call]


def test_the_repr_tells_how_it_is():
    async def scenario(batcher, _):
        assert repr(batcher) == "<Batcher 'm' 0/1024 rows waiting, 0/1 workers busy>"
        call = batcher(1)
        assert repr(call) == "<call of <Batcher 'm' 1/1024 rows waiting, 0/1 workers busy>, waiting>"
        await tick(3)
        assert repr(batcher) == "<Batcher 'm' 0/1024 rows waiting, 1/1 workers busy>"
        await call
        assert repr(call).endswith("answered>")
        await batcher.drain()
        assert repr(batcher).endswith("closed>")
    batched(scenario, name="m")


def test_a_deadlock_report_names_the_call():
    from asyncpatterns.testing import Deadlock

    async def never(items):
        await asyncio.get_running_loop().create_future()

    async def main():
        batcher = Batcher(never, name="stuck")
        direct = asyncio.create_task(batcher(1), name="direct")
        await batcher(2)
        await direct
    with pytest.raises(Deadlock, match=r"main: blocked in <call of <Batcher 'stuck'") as report:
        run(main)
    assert "direct: blocked in <call of <Batcher 'stuck'" in str(report.value)
