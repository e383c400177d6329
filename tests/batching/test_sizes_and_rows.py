"""Allowed batch sizes, and items that count for several rows."""

import asyncio
import random

import pytest

from asyncpatterns import Batcher
from asyncpatterns.testing import run

from .model import Model, batched, now, occupied, outcomes

POWERS = (1, 2, 4, 8, 16)


def test_batches_are_padded_to_the_next_allowed_size_by_repeating_a_valid_item():
    async def scenario(batcher, model):
        results = await outcomes(batcher(item) for item in "abcde")
        assert results == [("answer", item) for item in "abcde"]        # callers never see padding
        assert model.sizes == [8]
        assert model.seen[:5] == list("abcde") and set(model.seen[5:]) <= set("abcde")
        assert batcher.statistics().padding == 3 and batcher.statistics().sizes == {5: 1}
    batched(scenario, sizes=POWERS)


def test_the_largest_size_is_the_limit():
    async def scenario(batcher, model):
        assert batcher.max_batch_size == 16
        await outcomes(batcher(item) for item in range(40))
        assert model.sizes == [16, 16, 8]
    batched(scenario, sizes=POWERS)
    assert Batcher(list, sizes=(1, 128)).max_batch_size == 128
    assert Batcher(list, sizes=POWERS, max_batch_size=10).max_batch_size == 8


@pytest.mark.parametrize("seed", range(5))
def test_the_function_only_ever_sees_allowed_sizes(seed):
    async def scenario(batcher, model):
        random_ = random.Random(seed)
        calls = []
        for item in range(400):
            calls.append(batcher(item, key=random_.choice("ab")))
            await asyncio.sleep(random_.expovariate(800))
        results = await outcomes(calls)
        assert set(model.sizes) <= set(POWERS)
        assert sum(isinstance(result, ValueError) for result in results) == 4
        padded = sum(model.sizes) - sum(len(set(batch)) for batch in model.batches)
        assert padded == batcher.statistics().padding

    def answer(items):
        for item in items:
            if item % 100 == 7:
                raise ValueError(item)
        return items
    batched(scenario, Model(answer=answer), sizes=POWERS, workers=2)        # bisected parts are padded too


def learned(scenario, model, sizes, **options):
    """Runs `scenario` when the batcher knows T(n) of all sizes."""
    async def whole(batcher, model):
        for size in [*sizes, *sizes]:
            await asyncio.gather(*(batcher("learn") for _ in range(size)))
        model.batches.clear(), model.starts.clear()
        await scenario(batcher, model)
    return batched(whole, model, sizes=sizes, **options)


def test_where_each_row_costs_it_cuts_down_to_the_size_below():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(item) for item in range(11)]
        await asyncio.gather(*calls)
        assert model.batches[1:] == [list(range(8)), [8, 9], [10]]
        assert batcher.statistics().sealed["cut"] == 2
    learned(scenario, Model(b=0.0001, a=0.010), POWERS)


def test_where_a_batch_costs_it_pads():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(item) for item in range(9)]
        await asyncio.gather(*calls)
        assert model.sizes[1:] == [16]
    learned(scenario, Model(b=0.100, a=0.001), POWERS)


def test_it_goes_by_the_measured_cost_of_each_size_and_not_by_a_line():
    class Stairs(Model):
        def seconds(self, n):
            return {1: 0.010, 4: 0.011, 8: 0.080}.get(n, self.b)        # 8 is badly supported

    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(item) for item in range(6)]
        await asyncio.gather(*calls)
        assert model.sizes[1:] == [4, 4]
    learned(scenario, Stairs(), (1, 4, 8))


@pytest.mark.parametrize("seed", range(10))
def test_cutting_never_keeps_anybody_waiting_longer_than_padding_would_have(seed):
    random_ = random.Random(seed)
    model = Model(b=random_.uniform(0, 0.02), a=random_.uniform(0, 0.005))
    waiting = random_.randrange(1, 17)

    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(item) for item in range(waiting)]
        start = now()
        await asyncio.gather(*calls)
        padded = min(size for size in POWERS if size >= waiting)
        assert now() - start <= model.seconds(padded) + 1e-9
    learned(scenario, model, POWERS)


@pytest.mark.parametrize("rows, batches", [((5, 1), [[5, 1]]), ((4, 1), [[4], [1]]), ((3, 3), [[3], [3]]),
                                           ((3, 2, 2), [[3], [2, 2]]), ((1, 4, 4), [[1, 4, 4]])])
def test_requests_of_several_rows_are_cut_only_where_the_cut_pays(rows, batches):
    async def main():
        taken = []

        async def function(items):
            taken.append(items)
            await asyncio.sleep(0.002 * sum(items))
            return items
        async with Batcher(function, sizes=(1, 4, 16), rows=int) as batcher:
            for size in 4 * (1, 4, 16):
                await batcher(size)
            taken.clear()
            await asyncio.gather(*map(batcher, rows))
        return [batch[:len(wanted)] for batch, wanted in zip(taken, batches, strict=True)]
    assert run(main) == batches


def test_with_an_slo_the_promise_is_made_for_allowed_sizes():
    async def scenario(batcher, model):
        assert batcher.statistics().limit == 32       # 40 rows would fit, 64 would not
    sizes = (1, 2, 4, 8, 16, 32, 64)

    async def whole(batcher, model):
        for size in [1, 2, 4, 8, 16, 32]:
            await asyncio.gather(*(batcher("learn") for _ in range(size)))
        await scenario(batcher, model)
    batched(whole, Model(), sizes=sizes, slo=0.060)


def test_rows_say_how_much_an_item_counts_for():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(text) for text in ("aaa", "bb", "cccc", "d", "eeeee")]
        await asyncio.gather(*calls)
        assert model.batches[1:] == [["aaa", "bb"], ["cccc", "d"], ["eeeee"]]
        assert batcher.statistics().sizes == {5: 3, len("occupies the worker"): 1}
    batched(scenario, rows=len, max_batch_size=5)


def test_an_item_larger_than_the_limit_runs_alone():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(text) for text in ("a", "b" * 9, "c")]
        await asyncio.gather(*calls)
        assert model.batches[1:] == [["a"], ["b" * 9], ["c"]]
    batched(scenario, rows=len, max_batch_size=4)


def test_a_large_item_keeps_its_place_and_small_ones_do_not_pass_it():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(text) for text in ("aaa", "bbb", "c", "d")]
        await asyncio.gather(*calls)
        assert model.batches[1:] == [["aaa"], ["bbb", "c"], ["d"]]
    batched(scenario, rows=len, max_batch_size=4)


def test_padding_counts_rows_and_repeats_whole_items():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(text) for text in ("aa", "bbb")]
        assert await asyncio.gather(*calls) == [("answer", "aa"), ("answer", "bbb")]
        assert sum(map(len, model.batches[1])) == 8 and model.batches[1][:2] == ["aa", "bbb"]
    batched(scenario, rows=len, sizes=(1, 2, 4, 8, 16, 32))


@pytest.mark.parametrize("rows, error", [(lambda item: 0, ValueError), (lambda item: 1.5, TypeError),
                                         (lambda item: -1, ValueError), (lambda item: None, TypeError),
                                         (lambda item: len(item), TypeError)], ids=["0", "1.5", "-1", "None", "raises"])
def test_a_bad_count_of_rows_is_its_callers_problem_alone(rows, error):
    async def scenario(batcher, model):
        fine = batcher("fine")
        with pytest.raises(error):
            await batcher(3)
        assert await fine == ("answer", "fine") and model.seen == ["fine"]
        assert batcher.statistics().admitted == 1
    batched(scenario, rows=lambda item: 1 if item == "fine" else rows(item))


def test_numpy_like_integers_are_integers():
    class Int:
        def __init__(self, value):
            self.value = value

        def __index__(self):
            return self.value

    async def scenario(batcher, _):
        assert await batcher("x") == ("answer", "x")
        assert batcher.max_batch_size == 7
    batched(scenario, max_batch_size=Int(7), rows=lambda item: Int(1))
