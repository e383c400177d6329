"""The checks of chapter 05: the solution passes, and each way to get it wrong has a hint of its own."""

import asyncio

import pytest

from asyncpatterns.channels import merge, select
from asyncpatterns.lessons.check import chapter05 as check


async def relay(left, right, out):
    while left or right:
        index, value, closed = await select(left and left.receive(), right and right.receive())
        if not closed:
            await out.send(value)
        elif index == 0:
            left = None
        else:
            right = None
    out.close()


async def stops_at_the_first(left, right, out):
    while True:
        _, value, closed = await select(left.receive(), right.receive())
        if closed:
            break
        await out.send(value)
    out.close()


async def sends_none(left, right, out):
    while not (left.closed and right.closed):
        await out.send((await select(left.receive(), right.receive())).value)
    out.close()


async def spins(left, right, out):
    while True:
        _, value, closed = await select(left.receive(), right.receive())
        if not closed:
            await out.send(value)


async def leaves_it_open(left, right, out):
    async for value in merge(left, right):
        await out.send(value)


async def twice(left, right, out):
    async for value in merge(left, right):
        await out.send(value)
        await out.send(value)
    out.close()


async def one_after_the_other(left, right, out):
    async for value in right:
        await out.send(value)


async def only_receives(left, right, out):
    while True:
        await out.send(await left.receive())


async def gives_channels(left, right, out):
    await select(left, right)


async def untouched(left, right, out):
    ...  # your code here


def test_the_relay():
    assert check.relays(relay)
    assert check.relays(untouched).kind == "todo"


@pytest.mark.parametrize(("wrong", "hint"), [
    (stops_at_the_first, "until both are None"), (sends_none, "Look at `closed`"), (spins, "always ready"),
    (leaves_it_open, "whoever writes"), (twice, "once"), (one_after_the_other, "One select for both"),
    (only_receives, "outside of select"), (gives_channels, "wants operations"),
])  # fmt: skip
def test_each_wrong_relay_has_a_hint_of_its_own(wrong, hint):
    verdict = check.relays(wrong)
    assert not verdict and hint in verdict.hint


def test_a_relay_that_never_comes_back_is_told():
    async def sleeps(left, right, out):
        await asyncio.sleep(1e6)

    assert "One select for both" in check.relays(sleeps).hint


@pytest.mark.parametrize("workers", [(1, 5, 2), (1, 4, 3), [2, 4, 2]])
def test_lines_that_beat_the_even_one(workers):
    assert check.fastest_line(workers)


def test_the_best_line_is_not_told_that_there_is_more_in_it():
    assert "still more" in check.fastest_line((2, 4, 2)).saw
    assert "still more" not in check.fastest_line((1, 5, 2)).saw


@pytest.mark.parametrize(("workers", "hint"), [
    ((3, 3, 2), "'model'"), ((1, 6, 1), "'write'"), ((4, 4, 4), "8 to share"), ((0, 6, 2), "one worker at least"),
    ((1, 5), "Three whole numbers"), (7, "Three whole numbers"),
])  # fmt: skip
def test_each_slow_line_has_a_hint_of_its_own(workers, hint):
    verdict = check.fastest_line(workers)
    assert verdict.kind == "wrong" and hint in verdict.hint


def test_no_line_yet_is_kind():
    assert check.fastest_line(None).kind == check.fastest_line(...).kind == "todo"
