"""The checks of chapter 06: the solution passes, and each way to get it wrong has a hint of its own."""

import asyncio

import pytest

from asyncpatterns import Actor, go
from asyncpatterns.lessons.check import chapter06 as check


class Book(Actor):
    def __init__(self, seats, bank):
        self.free = list(range(seats, 0, -1))
        self.bank = bank

    async def receive(self, name):
        if self.free and await self.bank(name):
            return self.free.pop()
        return None


class AsksForNothing(Book):
    """Asks the bank before it looks whether there is a seat."""

    async def receive(self, name):
        if await self.bank(name) and self.free:
            return self.free.pop()
        return None


class IgnoresTheBank(Book):
    async def receive(self, name):
        if self.free:
            await self.bank(name)
            return self.free.pop()
        return None


class PopsFirst(Book):
    async def receive(self, name):
        if self.free:
            seat = self.free.pop()
            if await self.bank(name):
                return seat
        return None


class SaysNothing(Book):
    async def receive(self, name):
        if self.free and await self.bank(name):
            self.free.pop()


class RaisesWhenFull(Book):
    async def receive(self, name):
        return self.free.pop() if await self.bank(name) else None


class NeverFull(Book):
    sold = 0

    async def receive(self, name):
        if not await self.bank(name):
            return None
        self.sold += 1
        return self.sold


class Helpers(Book):
    """Reads in the handler, writes in a task beside it."""

    def receive(self, name):
        reply = self.reply_later()
        go(self.sell(name, reply))

    async def sell(self, name, reply):
        seat = self.free[-1] if self.free else None
        if seat and await self.bank(name):
            if seat in self.free:
                self.free.remove(seat)
            reply.set_result(seat)
        else:
            reply.set_result(None)


class Fast(Actor):
    def __init__(self, seats, bank):
        self.free, self.bank = list(range(seats, 0, -1)), bank

    def receive(self, message):
        if isinstance(message, tuple):
            self.free.append(message[1])
        elif self.free:
            go(self.charge(message, self.free.pop(), self.reply_later()))

    async def charge(self, name, seat, reply):
        paid = await self.bank(name)
        self.settle(paid, seat, reply)

    def settle(self, paid, seat, reply):
        if not paid:
            self.ref.tell(("back", seat))
        reply.set_result(seat if paid else None)


class KeepsRefused(Fast):
    def settle(self, paid, seat, reply):
        reply.set_result(seat if paid else None)


class SellsToAll(Fast):
    def settle(self, paid, seat, reply):
        reply.set_result(seat)


class ForgetsTheReply(Fast):
    def settle(self, paid, seat, reply):
        return seat if paid else None


class TakesAfterwards(Fast):
    def receive(self, message):
        if self.free:
            go(self.charge(message, self.free[-1], self.reply_later()))

    def settle(self, paid, seat, reply):
        if paid and seat in self.free:
            self.free.remove(seat)
        reply.set_result(seat if paid else None)


WRONG = [
    (check.sells, AsksForNothing, "Nobody likes to pay for none"),
    (check.sells, IgnoresTheBank, "On False he gets None"),
    (check.sells, PopsFirst, "Did Bob take a seat with him"),
    (check.sells, SaysNothing, "it is what her `ask` waits for"),
    (check.sells, RaisesWhenFull, "is an answer, no accident"),
    (check.sells, NeverFull, "When all seats are taken"),
    (check.sells, Helpers, "Something of yours runs beside `receive`"),
    (check.sells_fast, Book, "`reply = self.reply_later()`"),
    (check.sells_fast, KeepsRefused, "belongs back to the free ones"),
    (check.sells_fast, SellsToAll, "Look at the bank's answer"),
    (check.sells_fast, ForgetsTheReply, "Somebody was given neither"),
    (check.sells_fast, TakesAfterwards, "Take the seat out of the free ones before"),
]


def test_the_solutions_pass():
    assert check.sells(Book) and check.sells(Fast) and check.sells_fast(Fast)
    assert check.prints([1, 2, 3], [8, 9, 10])


@pytest.mark.parametrize(("one", "wrong", "hint"), WRONG, ids=[f"{one.__name__}-{w.__name__}" for one, w, _ in WRONG])
def test_each_wrong_train_gets_a_hint_of_its_own(one, wrong, hint):
    verdict = one(wrong)
    assert not verdict
    assert hint in verdict.hint, verdict
    assert "Traceback" not in repr(verdict)


@pytest.mark.parametrize(("reject", "drop_oldest", "hint"), [
    ([1, 2, 3, 4], [8, 9, 10], "Four would be right if"),
    ([1, 2, 3], [1, 8, 9, 10], "Four would be right if"),
    ([8, 9, 10], [1, 2, 3], "the other of the two"),
    ([1, 2, 3], [10, 9, 8], "printed in the order in which they came"),
    ([1, 2], [9, 10], "room for three"),
    (3, [8, 9, 10], "A list of order numbers"),
])
def test_each_wrong_prediction_gets_a_hint_of_its_own(reject, drop_oldest, hint):
    verdict = check.prints(reject, drop_oldest)
    assert verdict.kind == "wrong" and hint in verdict.hint


def test_stubs_fail_kindly():
    class Stub(Actor):
        def __init__(self, seats, bank):
            self.bank = bank

        async def receive(self, name): ...

    for verdict in (check.sells(Stub), check.sells_fast(Stub), check.prints(None, None), check.sells(...)):
        assert verdict.kind == "todo"


def test_the_verdict_is_the_same_each_time():
    for train in (Fast, Helpers):
        assert len({repr(check.sells(train)) for _ in range(10)}) == 1


def test_the_bank_takes_its_time():
    async def main():
        bank = check.Bank("Bob")
        return await asyncio.gather(bank("Ann"), bank("Bob"))

    assert asyncio.run(main()) == [True, False]
