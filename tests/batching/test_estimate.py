"""How T(n) is learned."""

import itertools
import math
import random

import pytest

from asyncpatterns.batching.estimate import ServiceTime


def fed(points, **options):
    time = ServiceTime(**options)
    for n, seconds in points:
        time.observe(n, seconds)
    return time


def line(n, b=0.010, a=0.0005):
    return b + a * n


def test_nothing_is_promised_before_anything_is_known():
    assert ServiceTime().upper(1) == math.inf and not ServiceTime().trusted


def test_a_steady_line_is_known_exactly_from_the_third_batch_on():
    time = fed((n, line(n)) for n in (1, 2, 4))
    assert time.trusted
    for n in (1, 3, 4, 10, 40, 64):
        assert time.upper(n) == pytest.approx(line(n), rel=1e-9)


def test_after_one_size_a_larger_batch_is_supposed_to_cost_in_proportion():
    time = fed([(2, 0.011)] * 50)
    assert time.upper(2) == time.upper(1) == 0.011 and time.upper(20) == pytest.approx(0.11)


def test_an_upper_quantile_of_two_batches_in_a_row_is_covered():
    random_ = random.Random(2)
    noisy = [(n, line(n) * random_.lognormvariate(0, 0.2)) for n in (random_.randrange(1, 40) for _ in range(2000))]
    time, over, asked = ServiceTime(), 0, 0
    for (n, first), (m, second) in itertools.pairwise(noisy):
        if time.count > 100:
            asked += 1
            over += first + second > time.upper(n) + time.upper(m)
        time.observe(n, first)
    assert 0.04 < over / asked < 0.10


def test_one_outlier_changes_nothing():
    points = [(n, line(n)) for n in (1, 2, 4, 8, 16, 20) * 4]
    time = fed([*points, (8, 5.0), *points[:3]])
    assert time.upper(20) == pytest.approx(line(20), rel=1e-9)


def test_a_first_call_that_is_slow_is_forgotten_with_the_second():
    time = fed([(1, 3.0), (1, line(1)), (2, line(2)), (4, line(4))])
    assert time.upper(8) == pytest.approx(line(8))


@pytest.mark.parametrize("factor", [0.05, 0.2, 5, 50])
def test_a_new_level_is_believed_after_three_batches(factor):
    points = [(n, line(n)) for n in (1, 2, 4, 8, 16, 20) * 10]
    time = fed([*points, *((n, factor * line(n)) for n in (10, 11, 12))])
    assert time.upper(12) == pytest.approx(factor * line(12), rel=0.01)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_moderate_change_is_followed(factor):
    points = [(n, line(n)) for n in (1, 2, 4, 8, 16, 20) * 30]
    time = fed([*points, *((n, factor * seconds) for n, seconds in points)])
    assert time.typical(20) == pytest.approx(factor * line(20), rel=0.10)


def test_more_outliers_than_one_in_twenty_count():
    random_ = random.Random(1)
    time = fed((8, line(8) * (10 if random_.random() < 0.15 else 1)) for _ in range(300))
    assert time.upper(8) > 5 * line(8) and time.typical(8) == pytest.approx(line(8), rel=0.01)


def test_each_allowed_size_has_a_time_of_its_own():
    stairs = {1: 0.010, 4: 0.011, 8: 0.080}
    time = fed([(n, stairs[n]) for n in (1, 4, 8) * 3], sizes=(1, 4, 8))
    assert [time.typical(n) for n in range(1, 9)] == [0.010, *[0.011] * 3, *[0.080] * 4]


def test_a_slow_first_call_of_each_size_is_forgotten_too():
    sizes = (1, 2, 4, 8)
    time = fed([(n, 2.0) for n in sizes] + [(n, line(n)) for n in sizes * 3], sizes=sizes)
    assert [time.typical(n) for n in sizes] == [pytest.approx(line(n)) for n in sizes]


def test_the_line_is_never_negative():
    random_ = random.Random(4)
    for _ in range(50):
        time = fed((random_.randrange(1, 64), random_.lognormvariate(-4, 1)) for _ in range(60))
        assert time.a >= 0 and time.b >= 0
        assert all(0 < time.typical(n) <= time.upper(n) + 1e-12 for n in (1, 10, 100, 1000))


def test_a_free_function_is_no_problem():
    time = fed([(n, 0.0) for n in (1, 2, 3)])
    assert 0 < time.upper(64) < 1e-6


def test_the_size_of_what_it_remembers_is_bounded():
    random_ = random.Random(1)
    time = fed((random_.randrange(1, 64), random_.lognormvariate(-4, 0.5)) for _ in range(2000))
    assert len(time._ratios) == 128 and len(time._outliers) == 128 and len(time._uppers) < 70
