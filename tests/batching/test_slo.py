"""One knob for a promise: whatever is admitted is answered within the SLO."""

import asyncio
import collections
import random

import pytest

from asyncpatterns import Batcher, DeadlineExceeded, Overloaded
from asyncpatterns.testing import run

from .model import Model, add_up, batched, now, outcomes

SLO = 0.060
N_STAR = 40         # the largest n with 2·(10 ms + 0.5 ms·n) <= 60 ms
Poisson = collections.namedtuple("Poisson", "offered in_time late expired rejected slowest most_waiting sizes seconds")


def poisson(rate, seconds=20.0, model=None, seed=0, keys=1, priorities=1, **options):
    """Open Poisson arrivals, cold from the first request on."""
    async def main():
        random_ = random.Random(seed)
        served = model or Model()
        counts = collections.Counter()
        slowest = [0.0]
        most = [0]

        async def caller(batcher):
            start = now()
            try:
                await batcher(0, key=random_.randrange(keys), priority=random_.randrange(priorities))
            except (Overloaded, DeadlineExceeded) as error:
                counts[type(error)] += 1
            else:
                slowest[0] = max(slowest[0], now() - start)
                counts["in time" if now() - start <= options["slo"] + 1e-9 else "late"] += 1
        async with Batcher(served, **options) as batcher:
            served.look = lambda: most.append(max(most.pop(), batcher.statistics().waiting_rows))
            tasks, when = set(), 0.0
            while when < seconds:
                when += random_.expovariate(rate)
                await asyncio.sleep(when - now())
                task = asyncio.create_task(caller(batcher))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.gather(*tasks)
        statistics = add_up(batcher)
        assert (statistics.rejected, statistics.expired) == (counts[Overloaded], counts[DeadlineExceeded])
        return Poisson(sum(counts.values()), counts["in time"], counts["late"], counts[DeadlineExceeded],
                       counts[Overloaded], slowest[0], most[0], statistics.sizes, seconds)
    return run(main)


@pytest.mark.parametrize("rate", [1000, 1300, 1500, 3000])
def test_with_a_steady_t_everything_admitted_is_answered_within_the_slo(rate):
    got = poisson(rate, slo=SLO)
    assert (got.late, got.expired) == (0, 0) and got.slowest <= SLO + 1e-9
    assert max(got.sizes) <= N_STAR and got.most_waiting <= N_STAR
    if rate >= 1500:
        best = N_STAR / (0.010 + 0.0005 * N_STAR)
        assert got.in_time / got.seconds >= 0.95 * best


@pytest.mark.parametrize("noise", ["gauss", "lognormal", "uniform"])
def test_with_noise_most_are_answered_in_time_and_hardly_anybody_late(noise):
    random_ = random.Random(5)
    factor = {"gauss": lambda: max(0.2, random_.gauss(1, 0.2)), "lognormal": lambda: random_.lognormvariate(0, 0.2),
              "uniform": lambda: random_.uniform(0.8, 1.2)}[noise]
    got = poisson(1500, 40.0, Model(noise=factor), slo=SLO)
    assert got.in_time >= 0.70 * got.offered
    assert got.late < 0.02 * (got.in_time + got.late)


@pytest.mark.parametrize("b, a", [(0.020, 0.001), (0.025, 0.0005), (0.028, 0.0005), (0.025, 0.001), (0.005, 0.001),
                                  (0.001, 0.0001), (0.0, 0.001), (0.020, 0.0), (0.010, 0.005)])
@pytest.mark.parametrize("rate", [100, 2000])
def test_the_promise_holds_for_any_linear_t_from_the_first_request_on(b, a, rate):
    got = poisson(rate, 5.0, Model(b=b, a=a), slo=SLO)
    assert (got.late, got.expired) == (0, 0)
    n_star = next((n for n in range(64, 0, -1) if 2 * (b + a * n) <= SLO + 1e-9), 0)
    assert n_star == 0 or got.in_time / got.seconds >= 0.90 * min(rate, n_star / (b + a * n_star)) - 20


@pytest.mark.parametrize("keys", [2, 3, 5])
@pytest.mark.parametrize("priorities", [1, 3])
def test_for_several_keys_less_is_admitted_so_that_the_promise_holds(keys, priorities):
    got = poisson(1200, 8.0, slo=SLO, keys=keys, priorities=priorities)
    assert (got.late, got.expired) == (0, 0) and got.most_waiting <= N_STAR


@pytest.mark.parametrize("keys", [2, 5, 16])
@pytest.mark.parametrize("workers", [1, 2])
def test_the_promise_holds_for_several_keys_when_nothing_is_known_yet(keys, workers):
    got = poisson(2000, 1.0, Model(b=0.025, a=0.0001), slo=SLO, keys=keys, workers=workers)
    assert (got.late, got.expired) == (0, 0) and got.in_time > 20


@pytest.mark.parametrize("options", [{"workers": 2}, {"linger": 0.005}, {"sizes": (1, 2, 4, 8, 16, 32, 64)},
                                     {"workers": 3, "keys": 4}, {"linger": 0.004, "keys": 3}], ids=repr)
def test_the_promise_holds_with_every_other_option(options):
    got = poisson(2000, 5.0, slo=SLO, **options)
    assert (got.late, got.expired) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_the_promise_holds_where_requests_of_several_rows_are_padded_or_cut(seed):
    async def function(items):
        await asyncio.sleep(0.002 * sum(items))
        return items

    async def scenario(batcher, _):
        for rows in 4 * (1, 4, 16):
            await outcomes([batcher(rows)])
        random_, calls = random.Random(seed), []
        for _ in range(4000):
            await asyncio.sleep(random_.expovariate(1000))
            calls.append(batcher(random_.choice([1, 1, 2, 5]), key=random_.randrange(3)))
        came = await outcomes(calls)
        assert not [one for one in came if isinstance(one, DeadlineExceeded)]
        assert sum(isinstance(one, int) for one in came) > 500
    batched(scenario, function, slo=0.1, sizes=(1, 4, 16), rows=int)


def learned(scenario, model=None, slo=SLO, largest=32, **options):
    """Runs `scenario` when the batcher has seen enough of T(n)."""
    async def whole(batcher, model):
        size = 1
        while size <= largest:
            await asyncio.gather(*(batcher("learn") for _ in range(size)))
            size *= 2
        model.batches.clear(), model.starts.clear()
        return await scenario(batcher, model)
    return batched(whole, model or Model(), slo=slo, **options)


def test_at_most_n_star_rows_wait_and_the_others_are_overloaded_on_arrival():
    async def scenario(batcher, model):
        results = await outcomes(batcher(item) for item in range(100))
        assert [type(result) for result in results] == [tuple] * N_STAR + [Overloaded] * (100 - N_STAR)
        assert model.sizes == [N_STAR]
    learned(scenario)


def test_n_star_rows_may_wait_behind_a_running_batch_and_are_in_time():
    async def scenario(batcher, model):
        running = [batcher(item) for item in range(N_STAR)]
        await asyncio.sleep(0.0001)
        start = now()
        results = await outcomes(batcher(item) for item in range(50))
        assert sum(type(result) is tuple for result in results) == N_STAR
        assert now() - start <= SLO
        await asyncio.gather(*running)
    learned(scenario)


def test_linger_is_part_of_the_promise():
    """2·T(n) + 10 ms <= 60 ms: n* is 30."""
    async def scenario(batcher, model):
        results = await outcomes(batcher(item) for item in range(100))
        assert sum(type(result) is tuple for result in results) == 30
    learned(scenario, linger=0.010, largest=16)


def test_max_batch_size_still_limits():
    async def scenario(batcher, model):
        assert sum(type(result) is tuple for result in await outcomes(batcher(item) for item in range(100))) == 20
    learned(scenario, max_batch_size=20, largest=16)


def test_retry_after_says_when_the_promise_can_be_made_again():
    async def scenario(batcher, model):
        calls = [batcher(item) for item in range(N_STAR)]
        await asyncio.sleep(0.004)
        calls += [batcher(item) for item in range(N_STAR)]
        with pytest.raises(Overloaded) as refusal:
            await batcher("one more")
        assert refusal.value.retry_after == pytest.approx(0.026)
        await asyncio.sleep(refusal.value.retry_after - 1e-6)
        with pytest.raises(Overloaded):
            await batcher("one more")
        await asyncio.sleep(1e-6 + 1e-8)
        start = now()
        assert await batcher("one more") and now() - start <= SLO
        await asyncio.gather(*calls)
    learned(scenario)


@pytest.mark.parametrize("seed", range(20))
def test_retry_after_is_exact_for_several_keys_and_workers_too(seed):
    async def scenario(batcher, model):
        random_ = random.Random(seed)
        calls = []
        for _ in range(60):
            calls.append(batcher(0, key=random_.randrange(4), priority=random_.randrange(2)))
            await asyncio.sleep(random_.expovariate(1500))
        key, priority = random_.randrange(5), random_.randrange(2)
        for _ in range(500):
            if batcher(0, key=key, priority=priority).done():
                break
        start = now()
        with pytest.raises(Overloaded) as refusal:
            await batcher(0, key=key, priority=priority)
        wait = refusal.value.retry_after
        if wait > 1e-5:
            await asyncio.sleep(wait - 1e-6)
            with pytest.raises(Overloaded):
                await batcher(0, key=key, priority=priority)
        await asyncio.sleep(start + wait - now())
        assert await batcher(0, key=key, priority=priority) == ("answer", 0)
        await outcomes(calls)
    learned(scenario, workers=1 + seed % 2)


def test_the_very_first_requests_are_not_refused():
    async def scenario(batcher, model):
        assert await outcomes(batcher(item) for item in range(10)) == [("answer", item) for item in range(10)]
    batched(scenario, slo=SLO)


def test_it_learns_from_ordinary_traffic_within_a_few_batches():
    async def scenario(batcher, model):
        for _ in range(100):
            batcher(0)
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.1)
        assert batcher.statistics().limit == N_STAR
        assert max(model.sizes) < N_STAR / 4 and batcher.statistics().rejected < 10
    batched(scenario, slo=SLO)


def test_a_lone_outlier_does_not_shrink_the_promise():
    async def scenario(batcher, model):
        model.b = 1.0
        await batcher("slow")
        model.b = 0.010
        assert batcher.statistics().limit == N_STAR
    learned(scenario)


def test_what_waits_behind_a_stuck_batch_fails_within_the_slo_and_never_runs():
    async def scenario(batcher, model):
        model.b = 5.0
        stuck = batcher("stuck")
        await asyncio.sleep(0.001)
        start = now()
        results = await outcomes(batcher(item) for item in range(10))
        assert {type(result) for result in results} == {DeadlineExceeded} and now() - start == pytest.approx(SLO)
        await stuck
        assert model.seen == ["stuck"] and batcher.statistics().expired == 10
    learned(scenario)


def test_those_who_would_be_late_fail_before_they_run_and_the_others_are_saved():
    async def scenario(batcher, model):
        model.b = 0.054         # this one takes 44 ms longer than T says
        slow = batcher("slow")
        await asyncio.sleep(0.001)
        early = [asyncio.ensure_future(batcher("early")) for _ in range(5)]
        await asyncio.sleep(0.040)
        model.b = 0.010
        late = [asyncio.ensure_future(batcher("late")) for _ in range(5)]
        await outcomes([slow, *early, *late])
        assert {type(call.exception()) for call in early} == {DeadlineExceeded}
        assert [call.exception() for call in late] == [None] * 5
        assert model.seen == ["slow", *["late"] * 5]
    learned(scenario)


@pytest.mark.parametrize("slower", [1.5, 2.0, 4.0, 20.0])
def test_after_a_slow_time_it_finds_its_way_back_up(slower):
    model = Model()

    async def load(batcher, seconds, rate=1500):
        random_ = random.Random(1)
        until, before = now() + seconds, batcher.statistics().answered
        while now() < until:
            batcher(0)
            await asyncio.sleep(random_.expovariate(rate))
        return (batcher.statistics().answered - before) / seconds

    async def scenario(batcher, model):
        fast = await load(batcher, 2.0)
        model.noise = lambda: slower
        await load(batcher, 5.0)
        model.noise = None
        await load(batcher, 30.0 if slower == 20.0 else 4.0)
        assert await load(batcher, 2.0) >= 0.97 * fast
    batched(scenario, model, slo=SLO)


def test_where_not_even_one_row_fits_a_probe_now_and_then_finds_out_when_it_does():
    async def scenario(batcher, model):
        answered = 0
        for _ in range(400):
            answered += type((await outcomes([batcher(0)]))[0]) is tuple
            await asyncio.sleep(0.010)
        assert 2 <= answered <= 8           # of 400: T(1) = 100 ms can never be in time
        with pytest.raises(Overloaded) as refusal:
            await batcher(0)
        await asyncio.sleep(refusal.value.retry_after)
        model.b = 0.010
        await batcher("probe")
        await asyncio.gather(*(batcher(0) for _ in range(2)))
    batched(scenario, Model(b=0.100), slo=SLO)


def test_noise_beyond_any_promise_does_not_stop_the_service():
    """A tenth of all batches takes ten times as long: 95 of 100 can be promised nothing, yet most are in time."""
    random_ = random.Random(3)
    got = poisson(500, 20.0, Model(noise=lambda: 10.0 if random_.random() < 0.1 else 1.0), slo=SLO)
    assert got.in_time >= 0.35 * got.offered


def test_an_item_with_more_rows_than_n_star_runs_alone_if_it_can_be_in_time():
    async def scenario(batcher, model):
        assert (await outcomes([batcher("x" * 60)]))[0] == ("answer", "x" * 60)
        calls = [batcher("x")]
        with pytest.raises(Overloaded):
            await batcher("x" * 60)
        await asyncio.gather(*calls)
    learned(scenario, Model(b=0.010, a=0.0), rows=lambda item: 1 if item == "learn" else len(item), max_batch_size=20,
            largest=16)
