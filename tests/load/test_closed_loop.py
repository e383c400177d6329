"""The closed loop: clients that wait for each answer."""

import asyncio

import pytest

from asyncpatterns.load import closed_loop, open_loop
from asyncpatterns.testing import run


def load(target, clients=64, duration=10, **options):
    async def main():
        return await closed_loop(target, clients, duration, **options)
    return run(main)


def test_each_client_waits_for_its_answer_before_it_asks_again():
    now, most = 0, 0

    async def target(number):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1

    report = load(target, clients=7)
    assert most == 7 and now == 0
    assert report.clients == 7


def test_the_rate_is_clients_over_service_time(targets):
    assert load(targets.takes(0.05)).answered == pytest.approx(64 / 0.05, rel=1e-3)


@pytest.mark.parametrize("duration", [0.5, 1.0, 1.5, 10.5])
def test_the_rate_is_right_also_where_the_duration_is_no_multiple_of_the_service_time(targets, duration):
    assert load(targets.takes(1.0), clients=8, duration=duration).answered == pytest.approx(8, rel=1e-3)


def test_the_rate_of_a_saturated_queue_is_its_capacity(targets):
    async def main():
        return await closed_loop(targets.Queue(0.037), clients=64, duration=5)
    report = run(main)
    assert report.answered == pytest.approx(1 / 0.037, rel=0.01)
    assert report.p50 == pytest.approx(64 * 0.037, rel=0.01)


def test_numbers_are_unique_and_count_from_zero():
    numbers = []

    async def target(number):
        numbers.append(number)
        await asyncio.sleep(0.1)

    load(target, clients=5, duration=2)
    assert sorted(numbers) == list(range(len(numbers)))


def test_nothing_is_sent_after_the_duration(targets):
    report = load(targets.takes(0.07), clients=3, duration=2)
    assert max(report.moments) < 2
    assert report.sent == len(report.latencies)


def test_a_slow_server_is_asked_less_and_so_its_latency_is_flattered(targets):
    """Coordinated omission: the same pause of a second, seen by ten clients that wait and by the open loop."""
    async def target(number):
        if number == 500:
            targets.block(1.0)
        await asyncio.sleep(0.1)

    closed = load(target, clients=10)
    assert sum(latency > 0.2 for latency in closed.latencies) <= 10
    opened = run(lambda: open_loop(target, 100, 10))
    assert sum(latency > 0.2 for latency in opened.latencies) > 70


def test_a_closed_loop_is_never_void(targets):
    async def target(number):
        targets.block(0.1)

    assert not load(target, clients=2).void


def test_a_client_that_was_turned_away_at_once_lets_time_pass():
    async def target(number):
        raise ConnectionRefusedError("nobody there")

    report = load(target, clients=4, duration=2)
    assert report.errors == {"ConnectionRefusedError": report.sent}
    assert report.sent == pytest.approx(4 * 2 / 0.001, rel=0.01)


def test_clients_whose_answers_never_wait_take_turns(targets):
    seen = set()

    async def target(number):
        seen.add(asyncio.current_task().get_name())
        targets.block(0.001)

    load(target, clients=5, duration=1)
    assert len(seen) == 5


def test_a_clock_that_stands_still_is_an_error_and_not_an_endless_run():
    async def target(number):
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="the clock stands still"):
        load(target, clients=3)


def test_a_cancellation_of_something_the_target_waited_for_is_an_error_and_its_client_goes_on():
    async def target(number):
        other = asyncio.ensure_future(asyncio.sleep(0.5))
        if number == 5:
            asyncio.get_running_loop().call_later(0.1, other.cancel)
        await other

    report = load(target, clients=1, duration=10)
    assert report.errors == {"CancelledError": 1} and len(report.latencies) == pytest.approx(20, abs=1)


def test_a_client_that_is_cancelled_ends_and_its_request_is_one_error():
    clients = []

    async def target(number):
        clients.append(asyncio.current_task().get_name())
        await asyncio.sleep(0.1)
        if number == 5:
            asyncio.current_task().cancel()
            await asyncio.sleep(0)

    report = load(target, clients=2, duration=2)
    assert report.errors == {"CancelledError": 1}
    assert report.sent == len(report.latencies) + 1
    assert len(set(clients[:6])) == 2 and len(set(clients[6:])) == 1


@pytest.mark.parametrize("clients", [0, -1, 2.5, True, "64"])
def test_clients_are_counted(targets, clients):
    with pytest.raises(ValueError, match="int >= 1"):
        load(targets.takes(0.1), clients=clients)
