"""Conversations by the hundred thousand: what one costs, how soon ten thousand are answered, who survives what.

    python -m benchmarks conversations                   # everything, some minutes; needs about 1 GB of memory
    python -m benchmarks.conversations --only turn       # crowd, turn, known, kill, faults or beside
    python -m benchmarks.conversations --small           # a tenth of the size, to try it

The crowd, the people who talk and the faults are answered by the real model; the price of a turn is measured with a
model that costs nothing, since it is what comes on top of the model.
"""

import argparse
import asyncio
import gc
import itertools
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asyncpatterns import ActorSystem, Batcher, SqliteStore
from asyncpatterns.actors import Actor
from asyncpatterns.chatbot import Chat, Library, MeaningModel, ModelCrash, Order, PerfectModel, Population, scripts
from asyncpatterns.chatbot.alternatives import container_cost, process_cost, resident, thread_cost
from asyncpatterns.chatbot.conversation import Conversation
from asyncpatterns.chatbot.stages import Turn

from ._survivor import Survivor, acknowledgements

PROMISED = {"bytes each": 4_096, "created/s": 20_000, "p99": 0.100, "µs a turn": 150.0}
Results = dict[str, Any]


def calm() -> None:
    """What is in memory by now stays; the collector need not look through it again. Any server would do so."""
    gc.collect()
    gc.freeze()


async def settled() -> None:
    """Until the loop has nothing more to do at once."""
    for _ in range(20):
        await asyncio.sleep(0)


# --- the crowd ---


async def crowd(size: float) -> Results:
    """100,000 live conversations; then 10,000 of them talk."""
    count, talkers = int(100_000 * size), int(10_000 * size)
    model = MeaningModel()
    model.warm_up()
    library = Library(model.alone)
    population = Population(talkers, library, duration=45.0)
    names = sorted({moment.user for moment in population.moments})
    names += [f"silent-{number}" for number in range(count - len(names))]
    calm()
    async with Chat(model, workers=2, limit=2 * count, idle=3_600.0) as chat:
        await chat.say("first", "hello")
        before = resident()
        created = await _create(chat, names)
        new = (resident() - before) / count
        texts = [library.pick(random.Random(n), "refund").text for n in range(500)]
        said = await _first_turns(chat, [name for name in names if name.startswith("silent")], texts)
        await _first_turns(chat, [name for name in names if not name.startswith("silent")], ["start over"])
        calm()
        each = (resident() - before) / count
        tasks = len(asyncio.all_tasks())
        report = await population.talk(chat)
        facts = chat.model.statistics()
        print(f"{library}\n{report}\nbatches {facts.sizes}\napologies {dict(chat.apologies)}, tasks while idle {tasks}")
        return {"conversations": len(chat.users), "created/s": created, "bytes when new": new,
                "bytes each, with a first turn": each, "first turns/s": said, "tasks while all are idle": tasks,
                "talking": talkers, "turns": report.turns, "turns/s": report.per_second, "right": report.right,
                "wrong": report.wrong, "apologies": report.apologies, "p50": report.latency(0.5),
                "p99": report.latency(0.99), "max": report.latency(1.0), "lag p99": report.lag,
                "wrong examples": [repr(example) for example in report.examples]}


async def _create(chat: Chat, names: list[str]) -> float:
    """Conversations a second: each an actor with its pipeline, ready to be talked to."""
    begin = time.perf_counter()
    for number, name in enumerate(names):
        chat.users[name].tell(Order.SHOW)
        if number % 500 == 499:
            await asyncio.sleep(0)
    await settled()
    assert all(chat.users.life_of(name).cell.state() == "idle" for name in names[-100:])
    return len(names) / (time.perf_counter() - begin)


async def _first_turns(chat: Chat, names: list[str], texts: list[str]) -> float:
    begin = time.perf_counter()
    for start in range(0, len(names), 1_000):
        await asyncio.gather(*(chat.say(name, random.choice(texts)) for name in names[start:start + 1_000]))
    return len(names) / (time.perf_counter() - begin)


# --- the price of a turn ---


async def turn_price(size: float) -> Results:
    """Microseconds of Python for a turn, on top of the model, with 1,000 of them under way all the time."""
    model = PerfectModel()
    library = Library(model.alone)
    says = [[said for said in itertools.islice(scripts.script(library, random.Random(seed)), 12) if said.by == "user"]
            for seed in range(1_000)]
    known: dict[tuple[int, ...], Any] = {}

    async def instant(rows: list[Any]) -> list[Any]:
        return [known.get(tuple(row)) or known.setdefault(tuple(row), model([row])[0]) for row in rows]

    async with Chat(instant, max_queue=10_000) as chat:
        await _round(chat, "warm", says)        # fills every memory that there is
        calm()
        best, alone = float("inf"), float("inf")
        for lap in range(5):
            best = min(best, await _round(chat, f"lap{lap}", says))
            begin = time.thread_time()
            rows = [chat_row for turns in says for chat_row in [[1, 2, 3]] * len(turns)]
            await instant(rows)
            alone = min(alone, (time.thread_time() - begin) / len(rows))
        parts = {**_stages(chat, says), **_around(chat), **await _actor_and_batcher()}
    whole = (best - alone) * 1e6
    parts["the rest"] = whole - sum(parts.values())
    for name, took in parts.items():
        print(f"{name:42}{took:8.1f} µs")
    print(f"{'a turn':42}{whole:8.1f} µs")
    return {"µs a turn": whole, "parts, µs": parts}


async def _round(chat: Chat, lap: str, says: list[list[Any]]) -> float:
    """Processor seconds a turn; a thousand users, each with a turn under way until the script ends."""
    async def user(number: int, turns: list[Any]) -> None:
        for said in turns:
            await chat.say(f"{lap}-{number}", said.text)

    begin = time.thread_time()
    await asyncio.gather(*(user(number, turns) for number, turns in enumerate(says)))
    return (time.thread_time() - begin) / sum(map(len, says))


def _stages(chat: Chat, says: list[list[Any]]) -> dict[str, float]:
    """Each stage by itself, over the turns of all scripts, in microseconds a turn."""
    spent: dict[str, float] = {}
    turns = 0
    for texts in says:
        user = Conversation.__new__(chat.users._cls)
        user.__init__("someone")  # type: ignore[misc]
        for said in texts:
            turns += 1
            _one_turn(user, Turn(said.text), spent)
            user._keep(said.text, ("wifi",))
            while len(chat.humans):
                chat.humans.others.receive_nowait()
    return {f"stage {name}": took / turns * 1e6 for name, took in spent.items()}


def _one_turn(user: Conversation, turn: Turn, spent: dict[str, float]) -> None:
    chat, done = user.chat, set()
    while True:
        stage = next((stage for stage in user.pipeline if stage.work not in done), None)
        if stage is None:
            return
        done.add(stage.work)
        if stage.name == "understand":
            turn.meanings = chat._function.__closure__ and _PERFECT(turn.rows)
            continue
        begin = time.perf_counter()
        stage.work(user, turn)
        name = "formal or casual" if stage.name in ("formal", "casual") else stage.name.split(" ")[0]
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - begin


_PERFECT = PerfectModel()


def _around(chat: Chat) -> dict[str, float]:
    """State and timer of a turn."""
    user = next(iter(chat.users))
    actor = chat.users.life_of(user).cell.actor

    def keep() -> None:
        chat.store[actor.key] = actor.snapshot()

    def timer() -> None:
        actor.timers.once("quiet", 30.0, Order.STILL_THERE)

    return {"state into the store": _microseconds(keep), "timer": _microseconds(timer)}


async def _actor_and_batcher() -> dict[str, float]:
    class Silent(Actor):
        __slots__ = ()

        def __init__(self, key: Any) -> None:
            pass

        def receive(self, message: Any) -> Any:
            return self._turn()

        async def _turn(self) -> None:
            await asyncio.sleep(0)

    async def nothing(rows: list[Any]) -> list[Any]:
        return rows

    async with ActorSystem() as system, Batcher(nothing, max_queue=10_000) as batcher:
        users = system.virtual(Silent)
        return {"actor: message, task, answer": await _asks(lambda n: users[n].ask(1)),
                "batcher: one call": await _asks(lambda n: batcher(n))}


async def _asks(ask: Callable[[int], Any], width: int = 1_000, laps: int = 10) -> float:
    async def one(number: int) -> None:
        for _ in range(laps):
            await ask(number)

    best = float("inf")
    for _ in range(4):
        begin = time.thread_time()
        await asyncio.gather(*(one(number) for number in range(width)))
        best = min(best, (time.thread_time() - begin) / width / laps)
    return best * 1e6


def _microseconds(function: Callable[[], None], times: int = 20_000) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - begin) / times * 1e6


# --- a million known, ten thousand live ---


async def known(size: float) -> Results:
    """A million users in an SQLite file, each in the middle of a refund; they come back in random order."""
    count, limit, visits = int(1_000_000 * size), int(10_000 * size), int(60_000 * size)
    model = PerfectModel()
    library = Library(model.alone)
    ticket = library.pick(random.Random(0), "inform", frozenset({"ticket"}))
    waiting = ("formal", (), ("refund",), ("I want my money back",), (("ask_ticket",),), "", False)

    async def instant(rows: list[Any]) -> list[Any]:
        return model(rows)

    with tempfile.TemporaryDirectory() as folder, SqliteStore(f"{folder}/users.db") as store:
        begin = time.perf_counter()
        store.update((f"user-{number}", waiting) for number in range(count))
        filled = time.perf_counter() - begin
        print(f"{count:,} states written in {filled:.1f} s")
        calm()
        rng, right, memory = random.Random(1), 0, []
        order = rng.sample(range(count), visits)
        async with Chat(instant, store=store, limit=limit) as chat:
            begin = time.perf_counter()
            for start in range(0, visits, 200):
                answers = await asyncio.gather(*(chat.say(f"user-{n}", ticket.text) for n in order[start:start + 200]))
                right += sum(answer.acts == ("refund",) for answer in answers)
                memory.append(resident())
            took = time.perf_counter() - begin
            live = len(chat.users)
        growth = memory[-1] - memory[len(memory) // 3]
        print(f"{right:,} of {visits:,} found their refund, {live:,} live, memory {memory[-1] / 1e6:.0f} MB, "
              f"{growth / 1e6:+.1f} MB over the last two thirds")
        return {"known": len(store), "live at most": limit, "live": live, "visits": visits, "right": right,
                "visits/s": visits / took, "memory": memory[-1], "memory growth": growth,
                "file, bytes a user": os.stat(f"{folder}/users.db").st_size / count}


def kill(size: float) -> Results:
    """SIGKILL while 12,000 talk and 10,000 may be live, and a start from the same file."""
    users, limit, lines = int(12_000 * size), int(10_000 * size), int(60_000 * size)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/users.db"
        command = [sys.executable, "-m", "benchmarks._survivor", path, "--users", str(users), "--limit", str(limit),
                   "--pause", "6"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            heard = [process.stdout.readline() for _ in range(lines)]
            process.kill()
            heard += process.stdout.readlines()
        acknowledged, wrong = acknowledgements(heard)
        survivor = Survivor(path, users=users, seed=0, limit=limit)
        begin = time.perf_counter()
        unheard, lost = asyncio.run(survivor.resume(acknowledged))
        took = time.perf_counter() - begin
        survivor.store.close()
    print(f"killed after {acknowledged.total():,} acknowledged turns of {users:,} users: {unheard} stored but not "
          f"heard, {len(lost)} conversations not where they were left; checked in {took:.0f} s {lost[:3]}")
    return {"users": users, "live at most": limit, "acknowledged": acknowledged.total(), "wrong before": wrong,
            "stored but not heard": unheard, "lost": len(lost)}


# --- faults ---


async def faults(size: float) -> Results:
    """Half of the users are victims; the model crashes and is killed. Do the others notice?"""
    real = MeaningModel()
    real.warm_up()
    library, rng = Library(real.alone), random.Random(7)

    def breaks(rows: list[Any]) -> list[Any]:
        if rng.random() < 0.002:
            raise ModelCrash("a random fault")
        if any(len(row) == 1 for row in rows):
            raise ValueError("poison")
        return real(rows)

    population = Population(int(2_000 * size), _Plain(library), duration=30.0)
    calm()
    async with Chat(breaks, workers=2) as chat:
        talking, victims = asyncio.ensure_future(population.talk(chat)), []
        while not talking.done():
            name = f"victim-{rng.randrange(2_000)}"
            poison = rng.choice(["hm", None, "where is my refund", "\ud800"])
            victims.append(asyncio.ensure_future(chat.say(name, poison)))
            if rng.random() < 0.3:
                await asyncio.sleep(rng.random() * 0.01)
                chat.kill_conversation(name)
            if rng.random() < 0.01:
                chat.kill_model()
            await asyncio.sleep(rng.expovariate(100.0))
        report = await talking
        ends = await asyncio.gather(*victims)
        restarts = sum(node.restarts for _, node in chat.system.tree().walk() if node.name == "model")
    print(f"the others: {report}\nvictims: {len(ends):,} turns, all ended; the model was started {restarts} times anew")
    return {"others' turns": report.turns, "right": report.right, "wrong": report.wrong,
            "apologies": report.apologies, "p99": report.latency(0.99), "victims' turns": len(ends),
            "victims' apologies": sum(end.acts == ("apology",) for end in ends), "model restarts": restarts}


class _Plain(Library):
    """Without the sentences of a single word, which are the poison here."""

    def __init__(self, library: Library) -> None:
        ids = scripts.default_tokenizer().ids
        self._kept = type(library._kept)(list, {
            key: kept for key, found in library._kept.items() if (kept := [u for u in found if len(ids(u.text)) > 1])})


# --- beside ---


async def beside(size: float) -> Results:
    """A thread, a process, a container each."""
    thread, process = thread_cost(100), await process_cost(100)
    costs = {"thread": thread, "process": process, "container (estimated)": container_cost(process)}
    for name, cost in costs.items():
        print(f"{name:24}{cost.memory / 1e6:8.2f} MB {cost.start * 1e3:8.2f} ms; ten thousand: {cost.of(10_000)}")
    return {name: cost._asdict() for name, cost in costs.items()}


PARTS: dict[str, Callable[[float], Any]] = {
    "crowd": crowd, "turn": turn_price, "known": known, "kill": kill, "faults": faults, "beside": beside,
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conversations", description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="*")
    parser.add_argument("--small", action="store_true", help="a tenth of the size")
    options = parser.parse_args(arguments)
    sys.setswitchinterval(0.0005)
    file = Path("results/conversations.json")
    results = json.loads(file.read_text()) if options.only and file.exists() else {}
    results["python"] = platform.python_version()
    for name in options.only or PARTS:
        print(f"--- {name} ---", flush=True)
        outcome = PARTS[name](0.1 if options.small else 1.0)
        results[name] = asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(results, indent=2))
    missed = list(_missed(results))
    print("missed: " + "; ".join(missed) if missed else "every promise is kept")
    return 1 if missed else 0


def _missed(results: Results) -> Any:
    crowd, turn = results.get("crowd", {}), results.get("turn", {})
    if crowd and crowd["bytes each, with a first turn"] > PROMISED["bytes each"]:
        yield f"{crowd['bytes each, with a first turn']:.0f} bytes a conversation"
    if crowd and crowd["created/s"] < PROMISED["created/s"]:
        yield f"{crowd['created/s']:,.0f} created a second"
    if crowd and crowd["p99"] > PROMISED["p99"]:
        yield f"p99 {crowd['p99'] * 1e3:.0f} ms"
    if turn and turn["µs a turn"] > PROMISED["µs a turn"]:
        yield f"{turn['µs a turn']:.0f} µs a turn"
    for name in ("crowd", "faults"):
        if name in results and results[name]["wrong"] + results[name]["apologies"]:
            yield f"{name}: {results[name]['wrong']} wrong, {results[name]['apologies']} apologies"
    if "known" in results and results["known"]["right"] < results["known"]["visits"]:
        yield "somebody did not find their refund"
    if "kill" in results and results["kill"]["lost"]:
        yield f"{results['kill']['lost']} conversations lost"


if __name__ == "__main__":
    sys.exit(main())
