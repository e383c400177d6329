"""What the function may do wrong, and who hears of it."""

import asyncio
import copy
import errno
import math

import pytest

from asyncpatterns import Batcher, BatchFailed, BatchSizeMismatch
from asyncpatterns.testing import run

from .model import Model, add_up, batched, outcomes, tick


def poisoned(*poison, error=lambda item: ValueError(f"{item} is poisoned")):
    def answer(items):
        for item in items:
            if item in poison:
                raise error(item)
        return items
    return Model(answer=answer)


def test_a_result_that_is_an_exception_is_raised_for_its_caller_alone():
    async def scenario(batcher, model):
        results = await outcomes(batcher(item) for item in range(3))
        assert results[0] == 0 and results[2] == 2 and str(results[1]) == "bad"
        assert type(results[1]) is KeyboardError and len(model.batches) == 1
        assert (batcher.statistics().failed, batcher.statistics().answered) == (1, 2)

    class KeyboardError(Exception):
        pass
    batched(scenario, Model(answer=lambda items: [0, KeyboardError("bad"), 2]))


def test_one_exception_returned_for_several_is_an_object_of_its_own_for_each():
    error = ValueError("shared")

    async def scenario(batcher, _):
        results = await outcomes(batcher(item) for item in range(3))
        assert len(set(map(id, results))) == 3 and {repr(result) for result in results} == {repr(error)}
    batched(scenario, Model(answer=lambda items: [error] * len(items)))


def test_three_poisoned_of_64_fail_alone_and_cheaply():
    async def scenario(batcher, model):
        results = await outcomes(batcher(item) for item in range(64))
        for item, result in enumerate(results):
            if item in (5, 31, 60):
                assert type(result) is ValueError and str(result) == f"{item} is poisoned"
            else:
                assert result == item
        assert len(model.batches) - 1 <= 2 * 3 * math.log2(64) + 6
        statistics = batcher.statistics()
        assert (statistics.batches, statistics.calls, statistics.failed) == (1, len(model.batches), 3)
    batched(scenario, poisoned(5, 31, 60))


@pytest.mark.parametrize("n, k", [(1, 1), (2, 1), (3, 2), (7, 3), (64, 1), (64, 64), (50, 5)])
def test_bisection_finds_them_all_within_its_bound(n, k):
    async def scenario(batcher, model):
        results = await outcomes(batcher(item) for item in range(n))
        bad = [item for item, result in enumerate(results) if isinstance(result, ValueError)]
        assert bad == list(range(0, n, n // k))[:k]
        assert len(model.batches) - 1 <= 2 * k * math.ceil(math.log2(n or 1)) + 2 * k
    batched(scenario, poisoned(*list(range(0, n, n // k))[:k]))


def test_what_bisection_has_cleared_is_answered_at_once():
    async def scenario(batcher, _):
        calls = [asyncio.ensure_future(batcher(item)) for item in range(8)]
        await asyncio.wait(calls[:4])
        assert [call.done() for call in calls] == [True] * 4 + [False] * 4
        await outcomes(calls)
    batched(scenario, poisoned(7))


def test_those_who_leave_during_the_bisection_are_run_no_more():
    async def scenario(batcher, model):
        tasks = [asyncio.create_task(batcher(item)) for item in range(8)]
        await asyncio.sleep(0.015)
        for item in (4, 5, 6):
            tasks[item].cancel()
        await outcomes(tasks)
        assert model.batches == [list(range(8)), [0, 1, 2, 3], [7]]
    batched(scenario, poisoned(7))


def test_without_isolation_the_whole_batch_fails_each_with_an_exception_of_its_own():
    async def scenario(batcher, model):
        results = await outcomes(batcher(item) for item in range(4))
        assert [str(result) for result in results] == ["2 is poisoned"] * 4
        assert len(set(map(id, results))) == 4 and len(model.batches) == 1
        results[0].add_note("mine")
        assert not hasattr(results[1], "__notes__")
    batched(scenario, poisoned(2), isolate=False)


def test_an_error_that_raised_comes_with_its_traceback_its_cause_and_its_notes():
    def answer(items):
        try:
            {}["missing"]
        except KeyError as cause:
            error = RuntimeError("no luck")
            error.add_note("a note")
            raise error from cause

    async def scenario(batcher, _):
        first, second = await outcomes([batcher(1), batcher(2)])
        for error in (first, second):
            assert type(error.__cause__) is KeyError and error.__notes__ == ["a note"]
            frames = []
            traceback = error.__traceback__
            while traceback:
                frames.append(traceback.tb_frame.f_code.co_name)
                traceback = traceback.tb_next
            assert "answer" in frames
        assert first.__notes__ is not second.__notes__
    batched(scenario, Model(answer=answer), isolate=False)


class NeedsTwo(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code = code


class Reworded(Exception):
    def __init__(self, text):
        super().__init__(f"reworded: {text}")


class NoCopies(Exception):
    def __reduce_ex__(self, protocol):
        raise TypeError("no copies of me")


class NoNew(Exception):
    def __new__(cls, secret, *args):
        return super().__new__(cls, *args)

    def __init__(self, secret):
        super().__init__("no new")

    def __copy__(self):
        raise TypeError("no copies of me")


@pytest.mark.parametrize("error", [NeedsTwo(404, "gone"), Reworded("x"), NoCopies("x"), NoNew(1),
                                   OSError(errno.ENOENT, "x"), UnicodeDecodeError("utf8", b"x", 0, 1, "bad"),
                                   ExceptionGroup("g", [ValueError()])],
                         ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("isolate", [True, False])
def test_every_caller_gets_the_same_type_or_one_whose_cause_it_is(error, isolate):
    def answer(items):
        raise error

    async def scenario(batcher, _):
        results = await outcomes(batcher(item) for item in range(3))
        assert len({*map(id, results), id(error)}) == 4
        for result in results:
            if type(result) is type(error):
                assert str(result) == str(error) and result.__dict__ == error.__dict__
            else:
                assert type(result) is BatchFailed and result.__cause__ is error
    batched(scenario, Model(answer=answer), isolate=isolate)


@pytest.mark.parametrize("error", [NeedsTwo(1, "x"), NoCopies("x")], ids=lambda error: type(error).__name__)
def test_a_copy_around_the_constructor_has_the_original_as_its_cause(error):
    with pytest.raises(TypeError):
        copy.copy(error)

    async def scenario(batcher, _):
        for result in await outcomes([batcher(1), batcher(2)]):
            assert type(result) is type(error) and result.__cause__ is error
    batched(scenario, Model(answer=lambda items: [error] * len(items)))


@pytest.mark.parametrize("error", [StopIteration("over"), StopAsyncIteration(), SystemExit(3), GeneratorExit(),
                                   asyncio.CancelledError(), KeyboardInterrupt()],
                         ids=lambda error: type(error).__name__)
def test_whatever_else_a_plain_function_may_raise_hangs_nobody(error):
    def function(items):
        raise error

    async def scenario(batcher, _):
        results = await outcomes([batcher(1), batcher(2)])
        assert [type(result) for result in results] == [BatchFailed] * 2
        assert all(result.__cause__ is error for result in results)
        assert results[0] is not results[1]
    batched(scenario, function)


@pytest.mark.parametrize("error", [StopAsyncIteration(), GeneratorExit(), asyncio.CancelledError()],
                         ids=lambda error: type(error).__name__)
def test_whatever_else_an_async_function_may_raise_hangs_nobody(error):
    async def function(items):
        raise error

    async def scenario(batcher, _):
        results = await outcomes([batcher(1), batcher(2)])
        assert [type(result) for result in results] == [BatchFailed] * 2
    batched(scenario, function)


def test_an_async_function_that_stops_the_loop_stops_it_and_its_callers_have_been_told():
    told = []

    async def function(items):
        raise SystemExit(3)

    async def main():
        batcher = Batcher(function)
        try:
            await batcher(1)
        except BatchFailed as error:
            told.append(error.__cause__)
    with pytest.raises(SystemExit):
        run(main)
    assert told == [] or type(told[0]) is SystemExit


def test_a_batch_whose_task_is_cancelled_from_outside_fails_its_callers_and_the_batcher_goes_on():
    async def scenario(batcher, _):
        calls = [asyncio.create_task(batcher(item), name="a caller") for item in range(3)]
        await tick(4)
        batches = [task for task in asyncio.all_tasks() if task.get_name().startswith("batch of")]
        assert len(batches) == 1
        batches[0].cancel()
        assert [type(result) for result in await outcomes(calls)] == [BatchFailed] * 3
        assert await batcher("next") == ("answer", "next")
    batched(scenario)


@pytest.mark.parametrize("results", [[], [1, 2], [1, 2, 3, 4], None, 7, {"a": 1, "b": 2, "c": 3}, {1, 2, 3},
                                     (x for x in (1, 2, 3))], ids=lambda results: type(results).__name__)
@pytest.mark.parametrize("isolate", [True, False])
def test_a_result_of_the_wrong_length_fails_every_caller_of_the_batch_and_hangs_none(results, isolate):
    async def scenario(batcher, model):
        errors = await outcomes(batcher(item) for item in range(3))
        assert [type(error) for error in errors] == [BatchSizeMismatch] * 3
        assert len(set(map(id, errors))) == 3 and len(model.batches) == 1
        assert "the function got 3 items and returned" in str(errors[0]) and errors[0].expected == 3
        assert batcher.statistics().failed == 3
    batched(scenario, Model(answer=lambda items: results), isolate=isolate)


class Liar(list):
    def __len__(self):
        raise RuntimeError("not telling")


class Bomb:
    def __len__(self):
        return 2

    def __iter__(self):
        raise RuntimeError("boom")


@pytest.mark.parametrize("results", [Liar([1, 2]), Bomb()], ids=["len", "iter"])
def test_a_result_that_explodes_when_looked_at_hangs_nobody(results):
    async def scenario(batcher, _):
        errors = await outcomes([batcher(1), batcher(2)])
        assert [type(error) for error in errors] == [RuntimeError] * 2
    batched(scenario, Model(answer=lambda items: results))


def test_a_plain_function_around_a_coroutine_is_told_so():
    async def hidden(items):
        return items

    async def scenario(batcher, _):
        with pytest.raises(BatchSizeMismatch, match="a coroutine"):
            await batcher(1)
    batched(scenario, lambda items: hidden(items))


def test_a_function_may_do_with_its_list_as_it_likes():
    def function(items):
        results = [item * 10 for item in items]
        items.clear()
        return results

    async def scenario(batcher, _):
        assert await asyncio.gather(batcher(1), batcher(2)) == [10, 20]
    batched(scenario, function)


def test_a_failing_batch_does_not_end_the_batcher():
    async def scenario(batcher, _):
        for _ in range(3):
            with pytest.raises(ValueError):
                await batcher("bad")
            assert await batcher("good") == "good"
        add_up(batcher)
    batched(scenario, poisoned("bad"))


def test_callers_exceptions_make_no_garbage_cycles():
    import gc

    async def scenario(batcher, _):
        for _ in range(3):
            try:
                await batcher("bad")
            except ValueError:
                pass
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                try:
                    await batcher("bad")
                except ValueError:
                    pass
            found = gc.collect()
        finally:
            gc.enable()
        assert found < 10
    batched(scenario, poisoned("bad"))
