"""The simulation decides as the batcher does."""

import asyncio
import math
import random
import time

import pytest

from asyncpatterns import Batcher, DeadlineExceeded, Overloaded
from asyncpatterns.batching.simulation import poisson, simulate
from asyncpatterns.testing import run

from .model import Model, now


def line(n):
    return 0.010 + 0.0005 * n


def served(arrivals, noise=None, **options):
    """The same with the real batcher on the virtual clock."""
    async def main():
        latencies, refused = [], {Overloaded: 0, DeadlineExceeded: 0}

        async def caller(batcher):
            start = now()
            try:
                await batcher(0)
            except (Overloaded, DeadlineExceeded) as error:
                refused[type(error)] += 1
            else:
                latencies.append(now() - start)
        async with Batcher(Model(noise=noise), **options) as batcher:
            tasks = []
            for when in arrivals:
                await asyncio.sleep(when - now())
                tasks.append(asyncio.create_task(caller(batcher)))
            await asyncio.gather(*tasks)
        return sorted(latencies), refused[Overloaded], refused[DeadlineExceeded]
    return run(main)


@pytest.mark.parametrize("options", [{}, {"max_batch_size": 8}, {"max_queue": 20, "max_batch_size": 8},
                                     {"linger": 0.004}, {"workers": 2}, {"slo": 0.060}, {"slo": 0.060, "workers": 2},
                                     {"slo": 0.060, "linger": 0.005}], ids=repr)
@pytest.mark.parametrize("rate", [100, 1500])
def test_latencies_are_those_of_the_batcher(options, rate):
    arrivals = poisson(rate, 3.0, seed=3)
    simulated = simulate(line, arrivals, **options)
    latencies, rejected, expired = served(arrivals, **options)
    assert (simulated.rejected, simulated.expired) == (rejected, expired)
    assert sorted(simulated.latencies) == pytest.approx(latencies, abs=1e-9)


def test_with_noise_too():
    arrivals = poisson(1500, 5.0, seed=3)

    def noisy():
        random_ = random.Random(9)
        return lambda: random_.lognormvariate(0, 0.2)
    factor = noisy()
    simulated = simulate(lambda n: line(n) * factor(), arrivals, slo=0.060)
    latencies, rejected, _ = served(arrivals, noise=noisy(), slo=0.060)
    assert simulated.answered == pytest.approx(len(latencies), rel=0.03)
    assert simulated.rejected == pytest.approx(rejected, rel=0.06)


def test_half_an_hour_takes_about_a_second():
    arrivals = poisson(200, 1800.0)
    start = time.process_time()
    simulated = simulate(line, arrivals)
    assert simulated.answered == len(arrivals) > 350_000
    assert time.process_time() - start < 10     # far below that on a quiet machine


def test_a_queue_that_only_grows_costs_no_more_for_each_request():
    arrivals = poisson(2_286, 600.0)        # one and a half times what it can do: 450,000 wait in the end
    start = time.process_time()
    simulated = simulate(line, arrivals, max_queue=math.inf)
    assert simulated.answered == len(arrivals) and max(simulated.latencies) > 250
    assert time.process_time() - start < 12     # half a second on a quiet machine


def test_the_mean_is_about_one_and_a_half_cycles_of_the_fluid_law():
    """A cycle takes b / (1 - λa); a request waits half a one on average and then runs through a whole one."""
    simulated = simulate(line, poisson(1000, 300.0), max_batch_size=10_000)
    cycle = 0.010 / (1 - 1000 * 0.0005)
    assert simulated.mean == pytest.approx(1.5 * cycle, rel=0.08)


def test_at_open_poisson_load_the_default_is_within_two_percent_of_the_best_linger():
    for rate in (200, 800, 1400):
        arrivals = poisson(rate, 300.0, seed=1)
        p99 = {linger: simulate(line, arrivals, max_batch_size=256, linger=linger).quantile(0.99)
               for linger in (0.0, 0.0005, 0.001, 0.002, 0.005, 0.010)}
        assert p99[0.0] <= 1.02 * min(p99.values())


def test_noise_at_1500_a_second():
    random_ = random.Random(4)
    simulated = simulate(lambda n: line(n) * random_.gauss(1, 0.2), poisson(1500, 120.0), slo=0.060)
    assert simulated.goodput(0.060) >= 0.70 * 1500
    assert simulated.answered / simulated.duration - simulated.goodput(0.060) < 0.02 * 1500


def test_nobody_comes():
    simulated = simulate(line, [])
    assert simulated.answered == 0 and math.isnan(simulated.quantile(0.5)) and simulated.goodput(1) == 0
