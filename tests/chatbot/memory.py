"""What conversations cost: the memory of a process with none yet, and then with so many, of three turns each.

    python -m tests.chatbot.memory 2000 10000
"""

import asyncio
import gc
import sys
from itertools import islice
from random import Random

from asyncpatterns.chatbot import Library, PerfectModel
from asyncpatterns.chatbot.alternatives import resident
from asyncpatterns.chatbot.scripts import script

from .talking import chatting

AT_ONCE = 1_000
TURNS = 3


async def measure(counts):
    """Prints the bytes that the process has after so many conversations, and that no idle one owns a task."""
    model = PerfectModel()
    library = Library(model.alone)
    scripts = [[turn.text for turn in islice(script(library, Random(seed)), TURNS)] for seed in range(100)]

    async def instant(rows):
        return model(rows)

    async with chatting(instant, limit=counts[-1] + AT_ONCE, max_queue=AT_ONCE) as chat:
        await _talk(chat, "warm", range(AT_ONCE), scripts)
        print(_settled())
        done = 0
        for count in counts:
            for start in range(done, count, AT_ONCE):
                await _talk(chat, "user", range(start, start + AT_ONCE), scripts)
            done = count
            assert len(chat.users) == AT_ONCE + count and len(asyncio.all_tasks()) <= 2
            print(_settled())


async def _talk(chat, name, numbers, scripts):
    for turn in range(TURNS):
        answers = await asyncio.gather(*(chat.say(f"{name}-{n}", scripts[n % 100][turn]) for n in numbers))
        assert not any(answer.acts == ("apology",) for answer in answers)


def _settled():
    gc.collect()
    return resident()


if __name__ == "__main__":
    asyncio.run(measure([int(count) for count in sys.argv[1:]]))
