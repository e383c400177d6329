"""The people behind the bot: a channel of cases for ordinary users and one for VIPs, who are served first."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from asyncpatterns import Channel, select


class Case(NamedTuple):
    """What a conversation hands over."""

    user: Any
    topic: str
    said: str
    vip: bool = False
    is_new: bool = True
    """Is it the first word of this matter? Later ones come from the same user about the same one."""


class HumanDesk:
    """Where cases wait for a human: at most `capacity` ordinary ones, and as many of VIPs."""

    def __init__(self, capacity: int = 1_000) -> None:
        self.vips: Channel[Case] = Channel(capacity, name="vip cases")
        self.others: Channel[Case] = Channel(capacity, name="cases")

    def __repr__(self) -> str:
        return f"<HumanDesk {len(self.vips)} cases of VIPs and {len(self.others)} others wait>"

    def __len__(self) -> int:
        return len(self.vips) + len(self.others)

    def send_nowait(self, case: Case) -> None:
        """Queue a case. Raises `WouldBlock` when as many wait as may."""
        (self.vips if case.vip else self.others).send_nowait(case)

    async def receive(self) -> Case:
        """The next case: a VIP's if there is one, else the one that has waited longest. Cancelling loses none."""
        return (await select(self.vips.receive(), self.others.receive(), priority=True)).value

    async def work(self, handle: Callable[[Case], Awaitable[None]]) -> None:
        """One colleague, until cancelled: takes a case, handles it, takes the next."""
        while True:
            await handle(await self.receive())


async def friendly_colleague(chat: Any, case: Case, *, thinks: float = 3.0) -> None:
    """Answers after a moment, and gives the conversation back to the bot. For demonstrations."""
    await asyncio.sleep(thinks)
    words = "This is Robin. I have read it all and will write to you today." if case.is_new else "Noted, thank you."
    chat.answer_as_human(case.user, words, done=True)
