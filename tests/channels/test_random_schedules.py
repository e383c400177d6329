"""Thousands of random schedules: sends, receives, selects, timeouts, cancellations in any tick, and closing.

A schedule is drawn from a seed. Tasks do random operations on a few channels while a demon cancels some of them in
random ticks, often just after something was handed to them. Whatever comes about, at the end

    sent = received + buffered          nothing lost
    no value twice                      nothing doubled
    the order of every producer         kept by every consumer, except for what was given back by a cancelled one

`sent` is what the producers were told, with one doubt: of a send that is cancelled nobody knows whether it happened.

    python -m tests.channels.test_random_schedules 100000       so many schedules of twenty operations each
"""

import asyncio
import random
import sys
from collections import Counter

import pytest

from asyncpatterns.channels import Channel, ChannelClosed, WouldBlock, select, select_nowait
from asyncpatterns.testing import run

CAPACITIES = (0, 0, 1, 3)


class Schedule:
    def __init__(self, seed: int, operations: int) -> None:
        self.dice = random.Random(seed)
        self.left = operations
        self.channels = [Channel(self.dice.choice(CAPACITIES), str(number)) for number in range(3)]
        self.number = 0
        self.told: set[int] = set()         # sends that returned
        self.doubtful: set[int] = set()     # sends that were cancelled
        self.refused: set[int] = set()      # sends that raised
        self.received: list[int] = []
        self.cancelled = 0

    def fresh(self) -> int:
        self.number += 1
        return self.number

    def timeout(self) -> float | None:
        return self.dice.choice((None, None, 0, 1, 1, 2))

    async def send(self) -> None:
        value = self.fresh()
        await self.settle(self.dice.choice(self.channels).send(value, timeout=self.timeout()), value)

    async def settle(self, operation, value: int):
        try:
            result = await operation
        except asyncio.CancelledError:
            self.doubtful.add(value)
            raise
        except (TimeoutError, ChannelClosed):
            self.refused.add(value)
            return None
        self.told.add(value)
        return result

    async def receive(self) -> None:
        try:
            self.received.append(await self.dice.choice(self.channels).receive(timeout=self.timeout()))
        except (TimeoutError, ChannelClosed):
            pass

    def nowait(self) -> None:
        channel, value = self.dice.choice(self.channels), self.fresh()
        try:
            if self.dice.random() < 0.5:
                self.received.append(channel.receive_nowait())
            else:
                channel.send_nowait(value)
                self.told.add(value)
        except (WouldBlock, ChannelClosed):
            self.refused.add(value)

    def some_operations(self) -> tuple[list, dict[int, int]]:
        """Operations for a select, and the values of those that send, by index."""
        operations: list = []
        values: dict[int, int] = {}
        for index in range(self.dice.randint(1, 4)):
            channel, kind = self.dice.choice(self.channels), self.dice.random()
            if kind < 0.1:
                operations.append(None)
            elif kind < 0.55:
                operations.append(channel.receive())
            else:
                values[index] = self.fresh()
                operations.append(channel.send(values[index]))
        return operations, values

    async def choose(self) -> None:
        operations, values = self.some_operations()
        try:
            if self.dice.random() < 0.2:
                selected = select_nowait(*operations)
            else:
                priority = self.dice.random() < 0.2
                selected = await select(*operations, timeout=self.dice.choice((0, 1, 2)), priority=priority)
        except asyncio.CancelledError:
            self.doubtful |= set(values.values())
            raise
        except (TimeoutError, ChannelClosed, WouldBlock):
            self.refused |= set(values.values())
            return
        if selected.index in values:
            self.told.add(values.pop(selected.index))
        elif not selected.closed:
            self.received.append(selected.value)
        self.refused |= set(values.values())

    async def actor(self) -> None:
        while self.left > 0:
            self.left -= 1
            kind = self.dice.random()
            if kind < 0.3:
                await self.send()
            elif kind < 0.6:
                await self.receive()
            elif kind < 0.9:
                await self.choose()
            else:
                self.nowait()
            if self.dice.random() < 0.2:
                await asyncio.sleep(self.dice.choice((0, 0, 1)))

    async def main(self) -> None:
        tasks = [asyncio.create_task(self.actor()) for _ in range(8)]
        closing = self.left // 4 if self.dice.random() < 0.5 else -1
        idle = 0
        while self.left > 0:
            before = self.left
            for number, task in enumerate(tasks):
                if self.dice.random() < 0.15 or idle > 5:
                    self.cancelled += task.cancel()
                if task.done() and self.left > 0:
                    tasks[number] = asyncio.create_task(self.actor())
            if self.left <= closing:
                self.dice.choice(self.channels).close()
            await asyncio.sleep(self.dice.choice((0, 0, 0, 0.5, 1)))
            idle = idle + 1 if self.left == before else 0
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    def check(self) -> None:
        buffered: list[int] = []
        for channel in self.channels:
            statistics = channel.statistics()
            assert (statistics.receivers_waiting, statistics.senders_waiting) == (0, 0)
            assert statistics.sent == statistics.received + statistics.buffered + statistics.dropped
            while True:
                try:
                    buffered.append(channel.receive_nowait())
                except (WouldBlock, ChannelClosed):
                    break
        there = Counter(self.received + buffered)
        assert not [value for value, times in there.items() if times > 1], "doubled"
        assert not self.told - there.keys(), "lost"
        assert not there.keys() - self.told - self.doubtful, "sent, although it was refused or never tried"
        assert not there.keys() & self.refused, "refused, and yet it arrived"
        assert sum(channel.statistics().sent for channel in self.channels) == len(there)


def interleave(seeds: range, operations: int) -> Counter[str]:
    done: Counter[str] = Counter()
    for seed in seeds:
        schedule = Schedule(seed, operations)
        run(schedule.main, seed=seed)
        schedule.check()
        done.update(schedules=1, cancelled=schedule.cancelled, told=len(schedule.told), received=len(schedule.received),
                    operations=schedule.number + len(schedule.received), refused=len(schedule.refused))
    return done


def test_nothing_is_lost_or_doubled_in_a_hundred_thousand_random_operations():
    assert interleave(range(700), 150)["operations"] > 100_000


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_in_half_a_million_random_operations():
    assert interleave(range(1_000, 4_600), 150)["operations"] > 500_000


def test_a_schedule_can_be_repeated():
    def trace() -> tuple[list[int], int]:
        schedule = Schedule(42, 500)
        run(schedule.main, seed=42)
        return schedule.received, schedule.cancelled

    assert trace() == trace()


@pytest.mark.parametrize("capacity", [0, 1, 5])
@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_every_producer_is_kept(capacity, seed):
    dice = random.Random(seed)

    async def main():
        channel, other = Channel(capacity), Channel()
        logs: list[list[tuple[int, int]]] = []

        async def produce(who):
            for number in range(100):
                while True:
                    try:
                        await channel.send((who, number), timeout=dice.choice((None, 1)))
                        break
                    except TimeoutError:
                        pass
                if dice.random() < 0.3:
                    await asyncio.sleep(dice.choice((0, 1, 3)))

        async def consume(log):
            while True:
                try:
                    if dice.random() < 0.5:
                        log.append((await select(other.receive(), channel.receive(), timeout=2)).value)
                    else:
                        log.append(await channel.receive(timeout=dice.choice((0, 1, None))))
                except (TimeoutError, ChannelClosed):
                    if channel.closed:
                        return
                if dice.random() < 0.3:
                    await asyncio.sleep(dice.choice((0, 1, 2)))

        producers = [asyncio.create_task(produce(who)) for who in range(4)]
        logs = [[] for _ in range(3)]
        consumers = [asyncio.create_task(consume(log)) for log in logs]
        await asyncio.gather(*producers)
        await asyncio.sleep(20)
        channel.close()
        await asyncio.gather(*consumers)
        everything = [item for log in logs for item in log if item is not None]
        assert sorted(everything) == [(who, number) for who in range(4) for number in range(100)]
        for log in logs:
            for who in range(4):
                numbers = [item[1] for item in log if item is not None and item[0] == who]
                assert numbers == sorted(numbers)

    run(main, seed=seed)


@pytest.mark.parametrize("seed", range(20))
def test_one_consumer_that_is_cancelled_again_and_again_misses_nothing_and_keeps_the_order(seed):
    dice = random.Random(seed)

    async def main():
        channel = Channel(dice.choice(CAPACITIES))
        got: list[int] = []

        async def produce():
            for number in range(200):
                await channel.send(number)
                if dice.random() < 0.5:
                    await asyncio.sleep(dice.choice((0, 1)))
            channel.close()

        async def consume():
            async for value in channel:
                got.append(value)

        producer = asyncio.create_task(produce())
        while not (channel.closed and not len(channel)):
            consumer = asyncio.create_task(consume())
            for _ in range(dice.randint(0, 6)):
                await asyncio.sleep(dice.choice((0, 0, 0, 1)))
            consumer.cancel()
            await asyncio.wait([consumer])
        await producer
        assert got == list(range(200))

    run(main, seed=seed)


if __name__ == "__main__":
    print(dict(interleave(range(int(sys.argv[1])), 20)))
