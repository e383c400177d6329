"""Schedules: complete before the run, repeatable, and with the statistics they claim."""

import itertools
import math
import statistics

import pytest

from asyncpatterns.load import bursts, constant, open_loop, poisson
from asyncpatterns.load.schedule import draw
from asyncpatterns.testing import run


def test_equal_seeds_give_equal_schedules_and_others_do_not():
    assert poisson(500, 10, seed=7) == poisson(500, 10, seed=7)
    assert poisson(500, 10, seed=7) != poisson(500, 10, seed=8)


def test_a_schedule_rises_within_the_duration():
    for arrivals in (poisson, constant, bursts(7)):
        moments = list(arrivals(300.0, 5.0, 3))
        assert moments == sorted(moments) and moments[0] >= 0 and moments[-1] < 5


def test_poisson_gaps_are_exponential():
    moments = poisson(1000, 100, seed=1)
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(moments))
    distance = max(abs((rank + 1) / len(gaps) - (1 - math.exp(-1000 * gap))) for rank, gap in enumerate(gaps))
    assert distance < 1.63 / math.sqrt(len(gaps))       # Kolmogorov-Smirnov at 1 %


def test_poisson_counts_have_a_variance_equal_to_their_mean():
    counts = [len(poisson(100, 1, seed)) for seed in range(2000)]
    assert statistics.mean(counts) == pytest.approx(100, rel=0.01)
    assert statistics.variance(counts) == pytest.approx(100, rel=0.1)


def test_poisson_gaps_are_independent():
    moments = poisson(1000, 100, seed=2)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert abs(statistics.correlation(gaps[:-1], gaps[1:])) < 4 / math.sqrt(len(gaps))


def test_a_constant_rate_has_equal_gaps():
    assert list(constant(4, 1)) == [0.0, 0.25, 0.5, 0.75]
    assert len(constant(10, 3)) == 30 and len(constant(3, 0.1)) == 1


def test_bursts_come_together_and_keep_the_rate():
    moments = bursts(10)(1000, 50, seed=1)
    sizes = [len(list(group)) for _, group in itertools.groupby(moments)]
    assert set(sizes) == {10}
    assert len(moments) == pytest.approx(50_000, rel=0.05)


def test_the_whole_schedule_is_drawn_before_the_run(targets):
    drawn = []

    def arrivals(rate, duration, seed):
        drawn.append((rate, duration, seed))
        return [0.5, 1.0, 1.5]

    async def main():
        assert (await open_loop(targets.takes(0.1), 3, 2, 9, arrivals=arrivals)).sent == 3

    run(main)
    assert drawn == [(3, 2, 9)]


@pytest.mark.parametrize("moments", [[0.5, 0.4], [-0.1], [2.0], [math.nan]])
def test_what_is_not_a_schedule_is_refused(moments):
    with pytest.raises(ValueError, match="rise and lie within"):
        draw(lambda *_: moments, 1, 2)


@pytest.mark.parametrize(("rate", "duration"), [(0, 1), (-1, 1), (math.inf, 1), (math.nan, 1), (1, 0), (1, math.inf),
                                                ("5", 1), (1e9, 1e9)])
def test_a_rate_or_duration_that_makes_no_sense_is_refused(rate, duration):
    with pytest.raises(ValueError, match=r"positive, finite|more than"):
        draw(poisson, rate, duration)


@pytest.mark.parametrize("size", [0, 1.5, "2"])
def test_a_burst_has_a_size(size):
    with pytest.raises(ValueError, match="int >= 1"):
        bursts(size)
