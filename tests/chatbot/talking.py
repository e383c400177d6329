"""A chat with a model that knows a few sentences and takes no time, on the virtual clock."""

import asyncio
import random
from contextlib import asynccontextmanager

from asyncpatterns.chatbot import Chat, Meaning
from asyncpatterns.chatbot.corpus import marked
from asyncpatterns.chatbot.scripts import _labels
from asyncpatterns.chatbot.tokenizer import default_tokenizer

LINES = {
    "refund": ["I would like my money back", "gimme my money back mate", "refund [ticket:KR-111111]"],
    "wifi": ["is there wifi"],
    "pets": ["can i take my dog"],
    "inform": ["it is [ticket:KR-482913]", "[date:tomorrow]", "from [station:rosk]"],
    "book": ["I want to go to [to:Rosk]"],
    "timetable": ["when is the next train"],
    "yes": ["yes"],
    "no": ["no"],
    "repeat": ["say it again"],
    "start_over": ["start over"],
    "lost_property": ["I lost my umbrella"],
    "goodbye": ["bye"],
    "thanks": ["thank you"],
}


def _known():
    ids = default_tokenizer().ids
    for intent, lines in LINES.items():
        for line in lines:
            utterance = marked(line, intent)
            yield tuple(ids(utterance.text)), Meaning(intent, 0.95, _labels(utterance))


KNOWN = dict(_known())


async def knows_a_few(rows):
    return [KNOWN.get(tuple(row), Meaning("out_of_scope", 0.9)) for row in rows]


class Slow:
    """The same, in 5 ms plus 0.1 ms a row; it remembers its batches, and fails as it is told."""

    def __init__(self, failures=0.0, crashes=0.0, seed=0):
        self.batches = []
        self.failures, self.crashes, self.rng = failures, crashes, random.Random(seed)

    async def __call__(self, rows):
        from asyncpatterns.chatbot import ModelCrash

        self.batches.append(rows)
        await asyncio.sleep(0.005 + 0.0001 * len(rows))
        if self.rng.random() < self.failures:
            raise ValueError("a bad batch")
        if self.rng.random() < self.crashes:
            raise ModelCrash("out of memory")
        return await knows_a_few(rows)


@asynccontextmanager
async def chatting(model=knows_a_few, **options):
    async with Chat(model, **options) as chat:
        yield chat


async def acts(chat, key, *sentences):
    """What the bot does about the last of some sentences."""
    for sentence in sentences:
        answer = await chat.say(key, sentence)
    return answer.acts
