"""Autoscaling by queue delay: the figures, and the decision."""

import asyncio
from types import SimpleNamespace

import pytest

from asyncpatterns import Batcher
from asyncpatterns.serving.scaling import QUEUE_DELAY, QueueDelayPolicy, Recent, note_delays, wanted_replicas
from asyncpatterns.testing import run


def test_the_delays_of_a_batcher_are_noted():
    async def main():
        async def slow(items):
            await asyncio.sleep(0.1)
            return items
        delays = Recent()
        async with Batcher(slow) as batcher:
            noting = asyncio.ensure_future(note_delays(batcher, delays))
            await asyncio.sleep(0)
            first = asyncio.ensure_future(batcher(1))
            await asyncio.sleep(0.03)
            await batcher(2)
            await first
        await noting
        return delays.at(asyncio.get_running_loop().time())
    assert run(main) == pytest.approx(0.07)


def test_only_recent_values_count():
    recent = Recent(seconds=5.0, quantile=0.9)
    assert recent.at(0.0) == 0.0
    for number in range(10):
        recent.note(number / 10, float(number))
    assert recent.at(1.0) == 8.0
    assert recent.at(5.55) == 9.0
    assert recent.at(6.0) == 0.0


@pytest.mark.parametrize(("current", "delays", "expected"), [
    (2, [], 2),                         # nothing reported yet
    (2, [0.05, 0.05], 2),               # as wanted
    (2, [0.06, 0.06], 3),               # above: in proportion, rounded up
    (4, [0.075] * 4, 6),
    (3, [9.0] * 3, 6),                  # at most twice as many
    (4, [0.10, 0.0, 0.0, 0.0], 4),      # the mean counts: one that is slow is no reason
    (4, [0.02] * 4, 4),                 # below, but not far: it does not swing
    (4, [0.01] * 4, 3),                 # far below: one less
    (1, [0.0], 1),                      # never none
])
def test_how_many_replicas(current, delays, expected):
    assert wanted_replicas(current, delays, target=0.05) == expected


def test_the_number_settles_whatever_the_load():
    """As much work as 5.3 replicas can do: the nearer to that, the longer one waits, and the number settles."""
    for start in (1, 3, 12):
        count, seen = start, []
        for _ in range(40):
            delay = 0.03 / (count - 5.3) if count > 5.3 else 1.0
            count = wanted_replicas(count, [delay] * count, target=0.05)
            seen.append(count)
        assert len(set(seen[-5:])) == 1 and seen[-1] >= 5.3, seen


def test_the_policy_reads_what_the_replicas_report():
    policy = QueueDelayPolicy(target=0.05)
    context = SimpleNamespace(target_num_replicas=2, aggregated_metrics={QUEUE_DELAY: {"a": 0.2, "b": 0.1}})
    assert policy(context) == (4, {})
    for nothing in (None, {}, {"other": {"a": 1.0}}):
        assert policy(SimpleNamespace(target_num_replicas=2, aggregated_metrics=nothing)) == (2, {})
