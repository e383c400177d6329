"""Chapter 07: supervision. Who comes back, a stall turned into a crash, and a tree that limits the damage.

The workload of the last exercise is a small chatbot of three parts on a virtual clock: `session` holds a token that
runs out, `answers` copies the token when it starts, `maps` crashes on every tenth question.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...actors import Actor, ActorRef, ActorStopped, ActorSystem, Child, Supervisor, SupervisorRef, TooManyRestarts
from .core import check, expect

TEAM = ("timetable", "fares", "answers", "log")
FAILS = "fares"
RIGHT = {"one_for_one": ("fares",), "one_for_all": TEAM, "rest_for_one": ("fares", "answers", "log")}


@check("who is restarted")
def restarted(guess: Mapping[str, Sequence[str]]) -> str:
    """Strategy → names of the children that are restarted when `fares` raises."""
    for strategy, right in RIGHT.items():
        mine = guess.get(strategy)
        saw = f"{strategy}: you said {mine!r}"
        expect(isinstance(mine, list | tuple | set) and mine, saw=saw,
               hint='For each strategy a list of names, as {"one_for_one": ["..."], ...}.')
        assert mine is not None
        strangers = [name for name in mine if name not in TEAM]
        expect(not strangers, saw=saw, hint=f"There is no {', '.join(map(repr, strangers))} in this team: its members "
               f"are {', '.join(TEAM)}.")
        expect(FAILS in mine, saw=saw, hint="All are permanent, so the one that failed comes back in any case.")
        expect(strategy != "rest_for_one" or "timetable" not in mine, saw=saw,
               hint="`timetable` was started *before* `fares`, so it cannot depend on it.")
        hints = {"one_for_one": "Each for itself: nobody else notices.",
                 "one_for_all": "All or none: the others go down with it, and come back with it.",
                 "rest_for_one": "It, and those started after it: they may depend on it."}
        expect(set(mine) == set(right), saw=saw, hint=hints[strategy])
    return ", ".join(f"{strategy}: {len(right)}" for strategy, right in RIGHT.items())


def _diagnose(problem: BaseException) -> str | None:
    if isinstance(problem, TypeError) and "await" in str(problem):
        return "`lookup` is an async function: `await self.lookup(question)`."
    return None


@check("a stall that becomes a crash", diagnose=_diagnose)
async def notices_a_stall(clerk: type[Any]) -> str:
    """`clerk(lookup)`: `receive(question)` answers what `await lookup(question)` returns, and raises after 1 s."""
    loop = asyncio.get_running_loop()
    begun: list[str] = []

    async def lookup(question: str) -> str:
        begun.append(question)
        await asyncio.sleep(3600 if question == "stall" else 0.5)
        return question.upper()

    async with ActorSystem("check", shutdown=0.0) as system:
        supervisor = system.spawn(Supervisor, [Child("clerk", clerk, lookup, shutdown=0.5)])
        assert isinstance(supervisor, SupervisorRef)
        ref = supervisor.children()["clerk"]
        first = await _outcome(ref, "hello", 20)
        expect(first == "HELLO", saw=f"the answer to 'hello' was {first!r}, expected 'HELLO' after half a second",
               hint="Return what the lookup returns.")
        began = loop.time()
        stalled, after = await asyncio.gather(_outcome(ref, "stall", 20), _outcome(ref, "next", 20))
        took = loop.time() - began
        expect("stall" in begun, saw="the lookup was not asked", hint="`await self.lookup(question)`.")
        expect(after == "NEXT", saw=f"the passenger behind the stalled one heard {after!r} after {took:g} s",
               hint="Put the lookup into `async with asyncio.timeout(1):`.")
        expect(isinstance(stalled, BaseException), saw=f"the stalled one was answered {stalled!r}",
               hint="Do not catch the TimeoutError. Let it crash: the supervisor knows what to do.")
        expect(took <= 2, saw=f"the passenger behind the stalled one waited for {took:g} s",
               hint="One second is the limit: `asyncio.timeout(1)`.")
        restarts = next(node.restarts for _, node in system.tree().walk() if node.name == "clerk")
    expect(restarts == 1, saw=f"{restarts} restarts", hint="The timeout has to leave `receive` as an exception.")
    return f"the next passenger had an answer after {took:g} s, from a new clerk"


async def _outcome(ref: ActorRef, question: Any, timeout: float) -> Any:
    try:
        return await ref.ask(question, timeout=timeout)
    except (Exception, asyncio.CancelledError) as error:
        return error


# --- the tree of exercise 3 ---


class Session(Actor):
    """Takes half a second to log in; its token ends the life of every older one."""

    def __init__(self, world: "World") -> None:
        self.world = world

    async def on_start(self) -> None:
        await asyncio.sleep(0.5)
        self.world.token += 1

    def receive(self, message: str) -> None:
        raise ConnectionError("the session has run out")


class Answers(Actor):
    """Answers with the token that was good when it started."""

    def __init__(self, world: "World") -> None:
        self.world = world

    def on_start(self) -> None:
        self.token = self.world.token

    def receive(self, question: int) -> bool:
        return self.token == self.world.token


class Maps(Actor):
    def receive(self, question: int) -> bool:
        if question % 10 == 0:
            raise ValueError("no such place")
        return True


class World:
    """What the three parts of the chatbot share, and the passengers' questions."""

    def __init__(self) -> None:
        self.token = 0
        self.asked = {"answers": 0, "maps": 0}
        self.right = {"answers": 0, "maps": 0}
        self.wrong = 0

    def parts(self) -> dict[str, Child]:
        return {"session": Child("session", Session, self), "answers": Child("answers", Answers, self),
                "maps": Child("maps", Maps)}

    async def question(self, top: SupervisorRef, name: str, number: int) -> None:
        ref = _find(top, name)
        self.asked[name] += 1
        outcome = None if ref is None else await _outcome(ref, number, 0.3)
        self.right[name] += outcome is True
        self.wrong += outcome is False


def _find(top: SupervisorRef, name: str) -> ActorRef | None:
    for id, ref in top.children().items():
        if id == name:
            return ref
        if isinstance(ref, SupervisorRef) and (found := _find(ref, name)) is not None:
            return found
    return None


async def _served(system: ActorSystem, world: World, top: SupervisorRef) -> None:
    """Twenty seconds: 25 questions a second to each of two parts, and a session that runs out every five."""
    async with asyncio.TaskGroup() as group:
        await asyncio.sleep(2)
        for number in range(1, 501):
            for name in ("answers", "maps"):
                group.create_task(world.question(top, name, number))
            if number % 125 == 60 and (session := _find(top, "session")) is not None:
                session.tell("run out")
            await asyncio.sleep(0.04)


@check("a tree that limits the damage")
async def survives(tree: Callable[[Child, Child, Child], Child], beat: int = 900) -> str:
    """`tree(session, answers, maps)` returns the `Child` at the top: a Supervisor over the three, as you arrange them.

    1,000 questions are asked in 20 seconds. 50 of them crash `maps`; the session runs out four times.
    """
    world = World()
    parts = world.parts()
    top = tree(parts["session"], parts["answers"], parts["maps"])
    expect(isinstance(top, Child), saw=f"your function returned {top!r}",
           hint='Return a `Child("kes", Supervisor, [...], ...)`.')
    async with ActorSystem("check") as system:
        root = system.spawn(Supervisor, [top], max_restarts=0)
        ref = root.children()[top.id] if isinstance(root, SupervisorRef) else root
        expect(isinstance(ref, SupervisorRef), saw=f"your function returned {top!r}",
               hint="The one at the top has to be a Supervisor.")
        await asyncio.sleep(1.5)
        missing = [name for name in parts if isinstance(ref, SupervisorRef) and _find(ref, name) is None]
        expect(not missing, saw=f"{', '.join(missing)} cannot be found in your tree",
               hint="All three have to be in it, in one supervisor or in several.")
        assert isinstance(ref, SupervisorRef)
        await _served(system, world, ref)
        reason = await _reason(root)
    total = sum(world.right.values())
    saw = f"{total} of {sum(world.asked.values())} questions were answered right"
    expect(reason is None, saw=f"{saw}; then your tree gave up: {reason}",
           hint="A supervisor puts up with 3 restarts in 5 s unless you give it another `max_restarts`. `maps` crashes "
           "more often than that: how often may it?")
    expect(world.wrong == 0, saw=f"{saw}, and {world.wrong} with a token that had run out",
           hint="`answers` copies the token when it starts. Whom does a new session have to take along?")
    expect(world.right["answers"] >= 400, saw=f"{saw}; `answers` gave {world.right['answers']} of 500",
           hint="`answers` does not depend on `maps`, and yet it goes down with it. Not everybody has to be under the "
           "same supervisor.")
    expect(total >= beat, saw=f"{saw}; the number to beat is {beat}",
           hint="Who is restarted although it has nothing to do with the fault?")
    return saw


async def _reason(root: ActorRef) -> BaseException | None:
    """Why it gave up, if it has."""
    try:
        reason = await root.stopped(timeout=0)
    except TimeoutError:
        return None
    while isinstance(reason, TooManyRestarts | ActorStopped) and isinstance(reason.__cause__, TooManyRestarts):
        reason = reason.__cause__
    return reason if isinstance(reason, BaseException) else None
