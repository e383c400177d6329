"""Chapter 06: actors. A train that sells its seats, mailboxes that are full, and a faster train.

A train is spawned as `system.spawn(Train, seats, bank)`. `await bank(name)` takes a while and says whether the
passenger can pay.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from ...actors import ActorRef, ActorSystem, Mailbox
from .core import check, expect

BANK_TAKES = 0.020
ORDERS = 10


class Bank:
    """Takes 20 ms for each passenger, any number at a time, and knows who is broke."""

    def __init__(self, *broke: str) -> None:
        self.broke = broke
        self.asked: list[str] = []

    async def __call__(self, name: str) -> bool:
        self.asked.append(name)
        await asyncio.sleep(BANK_TAKES)
        return name not in self.broke


def _diagnose(problem: BaseException) -> str | None:
    words = str(problem)
    if isinstance(problem, IndexError) or "has failed with" in words:
        return "An actor that raises is gone. \"Sold out\" is an answer, no accident: return None."
    if isinstance(problem, TypeError) and "await" in words:
        return "`bank` is an async function: `await self.bank(name)`, and only an `async def receive` may await."
    if isinstance(problem, TimeoutError):
        return ("Whoever asks waits for what `receive` returns, or for `reply.set_result(...)` if you called "
                "`reply_later()`. Somebody was given neither.")
    return None


async def _sold(train: ActorRef, names: list[str]) -> list[Any]:
    """All of them ask at the same moment."""
    return list(await asyncio.gather(*(train.ask(name, timeout=60) for name in names)))


@check("a train that sells each seat once", diagnose=_diagnose)
async def sells(train: type[Any]) -> str:
    """`receive(name)` answers with a seat (1, 2, ...), or None when the bank says no or the train is full."""
    async with ActorSystem("check") as system:
        bank = Bank("Bob")
        ref = system.spawn(train, 3, bank)
        ann, bob = await ref.ask("Ann", timeout=60), await ref.ask("Bob", timeout=60)
        expect(ann is not None, saw="Ann, who can pay, got no seat on an empty train",
               hint="Return the number of the seat: it is what her `ask` waits for.")
        expect(bob is None, saw=f"Bob, whose bank says no, got seat {bob!r}",
               hint="`await self.bank(name)` is True or False. On False he gets None and no seat.")
        seats = await _sold(ref, ["Cid", "Dot", "Eve", "Fay"])
        sold = [seat for seat in (ann, *seats) if seat is not None]
        expect(len(sold) == len(set(sold)), saw=f"seats {sold} were sold: one of them twice",
               hint="Something of yours runs beside `receive`, so two passengers found the same seat free. Await in "
               "`receive` itself: the actor takes no other message before you return.")
        expect(len(sold) <= 3, saw=f"{len(sold)} passengers have a seat on a train with 3",
               hint="When all seats are taken, return None.")
        expect(len(sold) == 3, saw=f"{len(sold)} of 3 seats were sold, although 5 could pay",
               hint="Did Bob take a seat with him? Give away a seat only after the bank has said yes.")
        expect(all(seat in (1, 2, 3) for seat in sold), saw=f"the seats were {sold}", hint="They are numbered 1 to 3.")
        expect(len(bank.asked) <= 4, saw=f"the bank was asked for {', '.join(bank.asked)}: the train was full before",
               hint="Look first whether there is a seat. Nobody likes to pay for none.")
    return "3 seats, 3 passengers, and the bank was asked only while there was a seat"


def printed(overflow: str, orders: int = ORDERS, capacity: int = 3) -> list[int]:
    """Which of the orders 1, 2, ..., all told in one go, a printer with `Mailbox(capacity, overflow=...)` prints."""
    from ...testing import run

    done: list[int] = []

    async def printer(order: int) -> None:
        await asyncio.sleep(0.010)
        done.append(order)

    async def main() -> None:
        async with ActorSystem("print") as system:
            ref = system.spawn(printer, mailbox=Mailbox(capacity, overflow=overflow))
            for order in range(1, orders + 1):
                ref.tell(order)

    run(main)
    return done


@check("which orders are printed")
def prints(reject: list[int], drop_oldest: list[int]) -> str:
    """Two lists of order numbers: what a mailbox for three lets through with `"reject"` and with `"drop_oldest"`."""
    right = {"reject": printed("reject"), "drop_oldest": printed("drop_oldest")}
    for name, mine in (("reject", reject), ("drop_oldest", drop_oldest)):
        saw = f'{name}: you said {mine!r}'
        expect(isinstance(mine, list), saw=saw, hint="A list of order numbers, as [1, 2].")
        expect(len(mine) != 4, saw=saw, hint="Four would be right if the printer had begun with the first. But all ten "
               "were told in one go, without an `await`: nobody else has run yet.")
        expect(len(mine) == 3, saw=saw, hint="There is room for three.")
        expect(mine == right[name] or mine != right[other(name)], saw=saw,
               hint="That is what the other of the two does.")
        expect(mine == right[name], saw=saw, hint="`reject` keeps those who came first, `drop_oldest` those who came "
               "last. Those who are kept are printed in the order in which they came.")
    return f"reject prints {right['reject']}, drop_oldest {right['drop_oldest']}"


def other(overflow: str) -> str:
    return "drop_oldest" if overflow == "reject" else "reject"


@check("a hundred seats, quickly", diagnose=_diagnose)
async def sells_fast(train: Callable[..., Any], within: float = 0.2) -> str:
    """The same train, but it takes the next passenger while the bank still thinks about the last one."""
    loop = asyncio.get_running_loop()
    async with ActorSystem("check") as system:
        ref = system.spawn(train, 100, Bank("Bob 7", "Bob 70"))
        names = [f"{'Bob' if n % 7 == 0 and n in (7, 70) else 'Ann'} {n}" for n in range(100)]
        began = loop.time()
        seats = await _sold(ref, names)
        took = loop.time() - began
        sold = [seat for seat in seats if seat is not None]
        expect(len(sold) == len(set(sold)), saw=f"{len(sold) - len(set(sold))} seats were sold twice",
               hint="Take the seat out of the free ones before you wait for the bank. Nobody else can find it then.")
        expect(seats[7] is None and seats[70] is None, saw="somebody whose bank says no has a seat",
               hint="Look at the bank's answer before you give yours.")
        expect(len(sold) == 98, saw=f"{len(sold)} of the 98 who can pay have a seat", hint="Who can pay gets a seat.")
        again = await _sold(ref, ["Cid", "Dot"])
        expect(None not in again, saw="the two seats of those who could not pay are gone",
               hint="A seat that the bank refused belongs back to the free ones: "
               "`self.ref.tell((\"back\", seat))` lets the actor do it in its turn.")
        expect(took <= within, saw=f"100 passengers took {took:.2f} s; the number to beat is {within:g} s",
               hint="`reply = self.reply_later()`, start a helper task with `go(...)`, and return: the helper waits "
               "for the bank and calls `reply.set_result(seat)`.")
    return f"100 passengers in {took:.2f} s, no seat sold twice"
