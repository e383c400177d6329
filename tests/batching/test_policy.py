"""The pure functions."""

import math
import random

import pytest

from asyncpatterns.batching import policy
from asyncpatterns.batching.policy import Waiting


@pytest.mark.parametrize("rows, total, idle, others, expected", [
    (10, 10, 1, 0, 10), (10, 10, 2, 0, 5), (10, 10, 3, 0, 4), (1, 1, 4, 0, 1), (10, 20, 2, 1, 10), (30, 32, 4, 1, 8),
    (2, 32, 4, 1, 2)])
def test_share(rows, total, idle, others, expected):
    assert policy.share(rows, total, idle, others) == expected


@pytest.mark.parametrize("seed", range(20))
def test_shares_leave_no_worker_idle_and_nobody_behind(seed):
    """Idle workers that take one after the other take everything, and their batches differ by one row at most."""
    random_ = random.Random(seed)
    rows, idle = random_.randrange(1, 100), random_.randrange(1, 9)
    taken = []
    for left in range(idle, 0, -1):
        taken.append(policy.share(rows - sum(taken), rows - sum(taken), left, 0))
    assert sum(taken) == rows and max(taken) - min(taken) <= 1


@pytest.mark.parametrize("weights, limit, expected", [
    ([1, 1, 1], 2, 2), ([3, 3, 1], 5, 1), ([9, 1], 5, 1), ([2, 2, 1], 5, 3), ([1], 5, 1)])
def test_fit(weights, limit, expected):
    assert policy.fit(weights, limit) == expected


def test_padded():
    assert [policy.padded(n, (1, 4, 8)) for n in (1, 2, 4, 5, 8, 9)] == [1, 4, 4, 8, 8, 9]
    assert policy.padded(7, None) == 7


@pytest.mark.parametrize("seed", range(50))
def test_cutting_is_never_worse_for_anybody_than_padding(seed):
    random_ = random.Random(seed)
    b, a = random_.uniform(0, 2), random_.uniform(0, 1)
    sizes = tuple(sorted(random_.sample(range(1, 65), 5)))

    def cost(n):
        return b + a * policy.padded(n, sizes)
    for rows in range(1, sizes[-1] + 1):
        time, left = 0.0, rows
        while left:
            taken = policy.pad_or_cut(left, sizes, cost)
            assert 0 < taken <= left and (taken == left or taken in sizes)
            time, left = time + cost(taken), left - taken
        assert time <= cost(rows) + 1e-9


@pytest.mark.parametrize("seed", range(50))
def test_fillers_never_overfill_and_fill_exactly_where_a_single_row_is_there(seed):
    random_ = random.Random(seed)
    weights = [random_.randrange(1, 9) for _ in range(random_.randrange(1, 6))]
    gap = random_.randrange(1, 30)
    filled = sum(weights[index] for index in policy.fillers(gap, weights))
    assert filled <= gap and gap - filled < min(weights)
    if 1 in weights:
        assert filled == gap


@pytest.mark.parametrize("seed", range(50))
def test_n_star_is_the_largest_that_fits_twice(seed):
    random_ = random.Random(seed)
    b, a, linger = random_.uniform(0, 0.05), random_.uniform(0, 0.005), random_.choice([0, 0.01])
    fits = [n for n in range(1, 65) if 2 * (b + a * n) + linger <= 0.060]
    assert policy.promised(lambda n: b + a * n, 0.060, linger, 64) == max(fits, default=0)
    sizes = (1, 2, 4, 8, 16, 32, 64)
    assert policy.promised(lambda n: b + a * n, 0.060, linger, 64, sizes) == max(set(fits) & set(sizes), default=0)


@pytest.mark.parametrize("seed", range(50))
def test_as_few_as_possible_are_shed_and_nobody_left_is_late(seed):
    random_ = random.Random(seed)
    count = random_.randrange(1, 20)
    due = [random_.uniform(0, 30) for _ in range(count)]
    shed = policy.hopeless(due, [1] * count, 0.0, lambda n: 5.0 + 0.5 * n)
    left = [due[index] for index in range(count) if index not in shed]
    assert not left or min(left) >= 5.0 + 0.5 * len(left) - 1e-9
    most = max((size for size in range(count + 1)
                if size == 0 or sorted(due)[count - size] >= 5.0 + 0.5 * size - 1e-9), default=0)
    assert len(left) == most


def test_linger_counts_from_the_later_of_worker_free_and_first_arrival():
    assert policy.seal_time(3.0, 5.0, 0.5) == 5.5 and policy.seal_time(7.0, 5.0, 0.5) == 7.5


def test_the_future_empties_the_queue_batch_by_batch():
    outlooks = list(policy.future(0.0, [Waiting("a", 10, 0.0), Waiting("b", 3, 0.0)], [1.0], 4, 0.0, lambda n: 1.0 + n))
    assert [(outlook.time, outlook.rows) for outlook in outlooks] == [(0, 13), (1, 9), (6, 6), (10, 2), (15, 0)]


def test_several_keys_are_in_time_only_if_each_is():
    queues = [Waiting("a", 10, 0.0, due=3.0), Waiting("b", 10, 0.0, due=4.0)]
    assert policy.in_time(queues, [1.0], lambda n: 1.5, 0.0) is True
    assert policy.in_time(queues, [1.1], lambda n: 1.5, 0.0) is False
    assert policy.in_time(queues, [1.1, 1.1], lambda n: 1.5, 0.0) is True


def test_halves():
    assert [policy.half(n) for n in (2, 3, 7, 64)] == [1, 2, 4, 32]
    assert math.isinf(Waiting("a", 1, 0.0).due)
