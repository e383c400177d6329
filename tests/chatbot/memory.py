"""What conversations cost: the memory of a process with none yet, and then with so many, of so many turns each.

    python -m tests.chatbot.memory TURNS COUNT [COUNT ...]
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

AT_ONCE = 500


async def measure(turns, counts):
    """Prints the bytes that the process has with so many conversations; in the end how many of one are what its user
    said, as Python's strings."""
    model = PerfectModel()
    library = Library(model.alone)
    scripts = [[said.text for said in islice(script(library, Random(seed)), turns)] for seed in range(100)]

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
        views = [await chat.look(f"user-{number}") for number in range(100)]
        print(sum(sys.getsizeof(text) for view in views for text, _ in view.history) // len(views))


async def _talk(chat, name, numbers, scripts):
    for turn in range(len(scripts[0])):
        answers = await asyncio.gather(*(chat.say(f"{name}-{n}", scripts[n % 100][turn]) for n in numbers))
        assert not any(answer.acts == ("apology",) for answer in answers)


def _settled():
    gc.collect()
    return resident()


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]), [int(count) for count in sys.argv[2:]]))
