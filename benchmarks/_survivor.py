"""A chat that is there to be killed: users talk, their conversations are in an SQLite file, each answer is a line.

    python -m benchmarks._survivor FILE --users 100 --seed 0

What was acknowledged on standard output must be in the file, whenever the process is killed. `resume` takes the part of
the next process: it finds every conversation where it was left, and goes on with the script.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from random import Random

from asyncpatterns import SqliteStore
from asyncpatterns.chatbot import Chat, Library, PerfectModel, Said
from asyncpatterns.chatbot.conversation import REMEMBERED
from asyncpatterns.chatbot.population import is_right
from asyncpatterns.chatbot.scripts import SCENES, for_a_human, script

SENTENCES = 2_000
_SCENES = {scene: weight for scene, weight in SCENES.items() if scene is not for_a_human}


class Survivor:
    """Users `user-0` to `user-(n-1)`, each with a script of their own without end."""

    def __init__(self, path: str, *, users: int, seed: int, limit: int, pause: float = 0.05) -> None:
        self.model = PerfectModel(sentences=SENTENCES)
        self.library = Library(self.model.alone, sentences=SENTENCES)
        self.store = SqliteStore(path)
        self.users, self.seed, self.limit, self.pause = users, seed, limit, pause

    async def answer(self, rows: list[list[int]]) -> list[object]:
        await asyncio.sleep(0.002)
        return list(self.model(rows))

    def chat(self) -> Chat:
        return Chat(self.answer, store=self.store, limit=self.limit)

    def script(self, number: int) -> Iterator[Said]:
        return script(self.library, Random(f"{self.seed}/{number}"), _SCENES)

    async def talk(self) -> None:
        """Until killed: everybody says the next thing soon after the answer, and the answer is acknowledged."""
        async with self.chat() as chat, asyncio.TaskGroup() as group:
            for number in range(self.users):
                group.create_task(self._user(chat, number))

    async def _user(self, chat: Chat, number: int) -> None:
        rng = Random(number)
        for said in self.script(number):
            await asyncio.sleep(rng.expovariate(1 / self.pause))
            answer = await chat.say(f"user-{number}", said.text)
            sys.stdout.write(f"{number} {int(is_right(said, answer))}\n")
            sys.stdout.flush()

    async def resume(self, acknowledged: Counter[int], turns: int = 3) -> tuple[int, list[str]]:
        """Go on after a kill. How many turns were in the file although nobody had heard the answer, and everything
        that is wrong, in words."""
        unheard, wrong = 0, []
        async with self.chat() as chat:
            for number in range(self.users):
                said = list(islice(self.script(number), acknowledged[number] + 1 + turns))
                stored = [words for words, _ in (await chat.look(f"user-{number}")).history]
                place = _place(stored, [turn.text for turn in said], acknowledged[number])
                if place is None:
                    wrong.append(f"user-{number} is not where {acknowledged[number]} turns were left")
                    continue
                unheard += place - acknowledged[number]
                for turn in said[place:place + turns]:
                    answer = await chat.say(f"user-{number}", turn.text)
                    if not is_right(turn, answer):
                        wrong.append(f"user-{number} said {turn}, heard {answer}")
        return unheard, wrong


def _place(stored: list[str], said: list[str], acknowledged: int) -> int | None:
    """How many turns are in the file: those that were acknowledged, or one more that was in flight."""
    for place in (acknowledged, acknowledged + 1):
        if stored == said[max(0, place - REMEMBERED):place]:
            return place
    return None


def acknowledgements(lines: Iterable[bytes]) -> tuple[Counter[int], int]:
    """What a killed process has said: turns by user, and how many answers were wrong. A torn last line is no line."""
    whole = [line.split() for line in lines if line.endswith(b"\n")]
    return Counter(int(number) for number, _ in whole), sum(right == b"0" for _, right in whole)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks._survivor", description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=10_000)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two turns of a user, in the mean")
    options = vars(parser.parse_args())
    survivor = Survivor(options.pop("file"), **options)
    print("ready", file=sys.stderr, flush=True)
    asyncio.run(survivor.talk())


if __name__ == "__main__":
    main()
