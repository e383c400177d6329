"""Options, and those that can be changed while it runs."""

import asyncio
import inspect
import math

import pytest

from asyncpatterns import Batcher, Overloaded

from .model import batched, occupied, outcomes, tick


def test_the_signature_is_that_of_the_contract():
    parameters = inspect.signature(Batcher).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items() if name != "function"}
    assert defaults == {"max_batch_size": 64, "max_queue": None, "slo": None, "linger": 0.0, "workers": 1,
                        "sizes": None, "rows": None, "isolate": True, "fatal": (), "name": None}
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in defaults)


@pytest.mark.parametrize("options, error, words", [
    ({"max_batch_size": 0}, ValueError, "max_batch_size must be an int >= 1"),
    ({"max_batch_size": 2.0}, TypeError, "max_batch_size must be an int >= 1"),
    ({"max_batch_size": True}, ValueError, "max_batch_size must be an int >= 1"),
    ({"max_queue": 0}, ValueError, "max_queue must be an int >= 1"),
    ({"max_queue": "many"}, TypeError, "max_queue must be an int >= 1"),
    ({"slo": 0}, ValueError, "slo must be a finite number of seconds > 0"),
    ({"slo": -1}, ValueError, "slo must be a finite number"),
    ({"slo": math.inf}, ValueError, "slo must be a finite number"),
    ({"slo": "fast"}, TypeError, "slo must be a number of seconds"),
    ({"linger": -0.1}, ValueError, "linger must be a finite number of seconds >= 0"),
    ({"linger": math.nan}, ValueError, "linger must be a finite number"),
    ({"linger": None}, TypeError, "linger must be a number of seconds"),
    ({"workers": 0}, ValueError, "workers must be an int >= 1"),
    ({"sizes": 8}, TypeError, "sizes must be batch sizes"),
    ({"sizes": ()}, ValueError, "at least one batch size"),
    ({"sizes": (0, 1)}, ValueError, "each of sizes must be an int >= 1"),
    ({"sizes": (4, 8), "max_batch_size": 2}, ValueError, "at least the smallest of sizes"),
    ({"rows": 3}, TypeError, "rows must be a function of one item"),
    ({"fatal": 3}, TypeError, "fatal must be a tuple of exception types"),
    ({"fatal": (ValueError, 3)}, TypeError, "fatal must be a tuple of exception types"),
])
def test_a_bad_option_is_refused_with_a_sentence(options, error, words):
    with pytest.raises(error, match=words):
        Batcher(list, **options)


def test_something_that_cannot_be_called_is_no_function():
    with pytest.raises(TypeError, match="function must be callable"):
        Batcher(3)


def test_max_batch_size_can_be_assigned_and_holds_from_the_next_batch_on():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(item) for item in range(12)]
            batcher.max_batch_size = 3
        await asyncio.sleep(0.001)
        batcher.max_batch_size = 7
        await asyncio.gather(*calls)
        assert model.sizes[1:] == [3, 7, 2]
        assert batcher.max_queue == 16 * 7
    batched(scenario, max_batch_size=5)


def test_max_queue_can_be_assigned():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(item) for item in range(10)]
            batcher.max_queue = 10
            with pytest.raises(Overloaded):
                await batcher("eleventh")
            batcher.max_queue = math.inf
            calls.append(batcher("eleventh"))
            batcher.max_queue = None
            assert batcher.max_queue == 1024
        await asyncio.gather(*calls)
    batched(scenario)


def test_linger_can_be_assigned_also_while_it_is_being_lingered():
    async def scenario(batcher, model):
        call = batcher(1)
        await asyncio.sleep(1)
        batcher.linger = 3.0
        await asyncio.sleep(1)
        assert model.batches == []
        batcher.linger = 0.0
        await call
        assert model.starts == [2.0]
        batcher.linger = 5.0
        await batcher(2)
        assert model.starts[1] == pytest.approx(2.0105 + 5.0)
    batched(scenario, linger=10.0)


def test_slo_can_be_assigned_and_taken_back():
    async def scenario(batcher, model):
        for size in (1, 2, 4, 8, 16):
            await asyncio.gather(*(batcher(item) for item in range(size)))
        batcher.slo = 0.060
        assert batcher.statistics().limit == batcher.statistics().room == 40
        batcher.slo = 0.030
        assert batcher.statistics().limit == 10
        async with occupied(batcher, model, seconds=0.010):
            results = await outcomes(batcher(item) for item in range(20))
        assert sum(type(result) is Overloaded for result in results) == 10
        batcher.slo = None
        assert batcher.statistics().limit == 64 and batcher.statistics().room == 1024
    batched(scenario)


@pytest.mark.parametrize("name, value", [("max_batch_size", 0), ("max_queue", -3), ("slo", -1.0), ("linger", -1.0)])
def test_a_bad_value_is_refused_and_the_old_one_stays(name, value):
    async def scenario(batcher, _):
        old = getattr(batcher, name)
        with pytest.raises(ValueError, match=name):
            setattr(batcher, name, value)
        assert getattr(batcher, name) == old
        assert await batcher(1) == ("answer", 1)
    batched(scenario)


def test_what_cannot_change_cannot_be_assigned():
    for name in ("workers", "sizes", "name", "closed"):
        with pytest.raises(AttributeError):
            setattr(Batcher(list), name, 1)


def test_a_smaller_queue_turns_away_nobody_who_is_in():
    async def scenario(batcher, model):
        async with occupied(batcher, model):
            calls = [batcher(item) for item in range(10)]
            batcher.max_queue = 2
            await tick()
            assert batcher.statistics().waiting == 10
        assert await asyncio.gather(*calls) == [("answer", item) for item in range(10)]
    batched(scenario)
