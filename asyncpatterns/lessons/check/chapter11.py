"""Chapter 11: one pipeline per user. What a pipeline waits for, a state that survives, and how few must be awake."""

import asyncio
from typing import Any

from asyncpatterns import Actor, ActorSystem

from .core import check, expect, stub


@check("the stage that is switched in")
def switched_in(stage: str) -> str:
    """The stage between `track` and `answer` once somebody has said where to and when."""
    expect(isinstance(stage, str), saw=f"{stage!r}", hint="The name of one stage, in quotes.")
    name = stage.strip().lower()
    expect(not name.startswith("need"), saw=f"{stage!r}",
           hint="`need` asks for what is missing. Where to and when: what else does a booking need?")
    expect(name != "do", saw=f"{stage!r}",
           hint="All is known, but money would be spent. Would you like a bot to book without asking once more?")
    expect(name != "hand over", saw=f"{stage!r}", hint="No human is needed to book a ticket.")
    expect(name == "confirm", saw=f"{stage!r}",
           hint="It is one of need …, confirm, do and hand over. Booking costs money.")
    return "confirm: nothing is missing, and a booking wants a yes"


@check("a state that survives")
async def survives(cls: type[Actor]) -> str:
    """`cls` is a virtual actor that keeps `said` (a list) and `topic`; see the exercise."""
    expect(_own(cls, "snapshot") and _own(cls, "restore"), saw="snapshot and restore are not both written",
           hint="Passivation calls snapshot(), and the next message restore(state): write both.")
    return await _survives(cls)


def _own(cls: Any, name: str) -> bool:
    return callable(getattr(cls, name, None)) and not stub(getattr(cls, name))


async def _survives(cls: type[Actor]) -> str:
    store: dict[str, Any] = {}
    async with ActorSystem("exercise") as system:
        users = system.virtual(cls, limit=1, store=store)
        await users["alice"].ask("refund")
        await users["alice"].ask("wifi")
        await users["bo"].ask("hello")                     # only one may be awake: alice goes to sleep
        await asyncio.sleep(1)
        expect(store.get("alice") is not None, saw="snapshot() returned None, so nothing is stored",
               hint="Return what is to survive.")
        said, topic = await users["alice"].ask("show")
        expect(said != [], saw="alice has forgotten all that she said",
               hint="restore(state) has to put into self what snapshot() returned.")
        expect(topic == "refund", saw=f"alice's topic is {topic!r}, it was 'refund'",
               hint="Two things are to survive: what was said, and the topic.")
        expect(said == ["refund", "wifi"], saw=f"alice said {said}", hint="No more and no less than was said.")
        await _crashes(users)
        said, _ = await users["alice"].ask("show")
        expect("boom" not in said, saw=f"after a crash alice has said {said}: the message that crashed her is in it",
               hint="The list in the store is the very list that the actor appends to. Give the store a copy: "
               "snapshot returns list(self.said) or a tuple, restore makes a new list.")
    return "asleep and awake again with all that was said, and a crash undoes the turn that crashed"


async def _crashes(users: Any) -> None:
    try:
        await users["alice"].ask("boom")
    except ValueError:
        pass


@check("few are awake")
def few_awake(result: tuple[int, int, int], beat: int = 270) -> str:
    """`result` is what `awake(limit)` returned: so many may be in memory, and so many of so many turns woke one up."""
    limit, woken, turns = result
    share = woken / max(turns, 1)
    saw = f"at most {limit:,} in memory: {share:.0%} of the turns woke a conversation up"
    expect(share <= 0.10, saw=saw, hint="More than one turn in ten: too many are put to sleep who will talk soon.")
    expect(limit < beat, saw=saw, hint=f"It works, but with {limit:,} in memory. Less than {beat:,} is possible.")
    return saw
