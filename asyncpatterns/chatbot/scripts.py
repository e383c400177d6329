"""What people say, turn by turn, and what they must hear: sentences from the corpus, expectations written down here.

A script never hangs on a guess of the model's: a sentence is used only if the model, called alone and without any
conversation around it, understands it as the corpus has it. So the population checks the conversations (their state,
their order, their pipelines, their answers), and not the model's accuracy, which the model card is about.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

from .corpus import Utterance, generate, load_utterances
from .dataset import labels_of
from .labels import INTENTS
from .meaning import Meaning, Row
from .network import find_station
from .stages import LONGEST
from .tokenizer import default_tokenizer
from .topics import FOR_HUMANS, TASKS, UNSURE

Alone = Callable[[Sequence[str]], Sequence[Meaning]]
SURE: Final = 2 * UNSURE
"""Sentences that the model is less sure of are left out: batched with others it computes in another order, and the
last digits may differ."""
_CHAT: Final = frozenset(
    {"yes", "no", "inform", "repeat", "start_over", "out_of_scope", "goodbye", "greeting", "thanks"})
QUESTIONS: Final = tuple(intent for intent in INTENTS if intent not in {*TASKS, *FOR_HUMANS, *_CHAT})
WITH_TICKET: Final = tuple(name for name, topic in TASKS.items() if topic.needs == ("ticket",))
JOURNEYS: Final = ("timetable", "fare")
_NOTHING: Final = frozenset[str]()


class Said(NamedTuple):
    """One turn of a script: what is said, the acts that must follow, and what the words must contain.

    With `by="human"` it is no turn: a colleague gives a conversation back to the bot."""

    text: str
    acts: tuple[str, ...]
    contains: tuple[str, ...] = ()
    by: str = "user"


class Library:
    """Sentences by intent and by the slots in them, each understood by the model as it was meant.

    `alone` gives the meanings of texts, called without a conversation: `MeaningModel.alone`, or `PerfectModel().alone`.
    """

    def __init__(self, alone: Alone, *, sentences: int = 6_000, seed: int = 0) -> None:
        drawn = [*load_utterances("test"), *load_utterances("dev"), *generate(sentences, seed)]
        candidates = [utterance for utterance in drawn if _is_one_plain_sentence(utterance.text)]
        heard = alone([utterance.text for utterance in candidates])
        self._kept: defaultdict[tuple[str, frozenset[str]], list[Utterance]] = defaultdict(list)
        self.candidates, self.understood = len(candidates), 0
        for utterance, meaning in zip(candidates, heard, strict=True):
            if _understood(utterance, meaning):
                self.understood += 1
                self._kept[utterance.intent, frozenset(slot.name for slot in utterance.slots)].append(utterance)

    def __repr__(self) -> str:
        return f"<Library {self.understood:,} of {self.candidates:,} sentences are understood as they were meant>"

    def pick(self, rng: Random, intent: str, slots: frozenset[str] = _NOTHING) -> Utterance:
        """A sentence of this intent with exactly these slots. Raises `LookupError` when there is none."""
        found = self._kept.get((intent, slots))
        if not found:
            raise LookupError(f"no sentence of {intent!r} with the slots {sorted(slots)} was understood")
        return rng.choice(found)

    def has(self, intent: str, slots: frozenset[str] = _NOTHING) -> bool:
        return (intent, slots) in self._kept


def _is_one_plain_sentence(text: str) -> bool:
    return (len(text) <= LONGEST and text == " ".join(text.split()) and text.isascii()
            and not re.search(r"[.?!] ", text) and bool(default_tokenizer().ids(text)))


def _understood(utterance: Utterance, meaning: Meaning) -> bool:
    return (meaning.intent == utterance.intent and meaning.confidence >= SURE
            and meaning.slots(utterance.text) == utterance.slots)


class PerfectModel:
    """A model that never errs about the sentences of a `Library`, in no time: for tests, and without TensorFlow."""

    def __init__(self, *, sentences: int = 6_000, seed: int = 0) -> None:
        tokenizer = default_tokenizer()
        self._known = {tuple(tokenizer.ids(u.text)): Meaning(u.intent, 0.99, _labels(u))
                       for u in (*generate(sentences, seed), *load_utterances("dev"), *load_utterances("test"))}

    def __call__(self, rows: Sequence[Row]) -> list[Meaning]:
        return [self._known.get(tuple(row), _UNKNOWN) for row in rows]

    def alone(self, texts: Sequence[str]) -> list[Meaning]:
        return self([default_tokenizer().ids(text) for text in texts])


_UNKNOWN: Final = Meaning("out_of_scope", 0.9)


def _labels(utterance: Utterance) -> bytes:
    labels = labels_of(utterance, default_tokenizer().spans(utterance.text))
    return bytes(labels) if any(labels) else b""


# --- scenes: a few turns that belong together, from a clean slate ---

Scene = Callable[[Library, Random], Iterable[Said]]


def question(library: Library, rng: Random) -> Iterator[Said]:
    """A question that is answered at once, perhaps twice."""
    intent = _some(library, rng, QUESTIONS)
    yield Said(library.pick(rng, intent).text, (intent,))
    if rng.random() < 0.3:
        yield Said(library.pick(rng, "repeat").text, (intent,))


def small_talk(library: Library, rng: Random) -> Iterator[Said]:
    intent = rng.choice(("greeting", "thanks", "out_of_scope"))
    yield Said(library.pick(rng, intent).text, (intent,))


def with_ticket(library: Library, rng: Random) -> Iterator[Said]:
    """Something that needs a ticket's number, which is given at once or asked for, with or without a detour."""
    task = rng.choice(WITH_TICKET)
    number = frozenset({"ticket"})
    if library.has(task, number) and rng.random() < 0.3:
        last = library.pick(rng, task, number)
    else:
        yield Said(library.pick(rng, task).text, ("ask_ticket",))
        if rng.random() < 0.4:
            aside = _some(library, rng, QUESTIONS)
            yield Said(library.pick(rng, aside).text, (aside, "back_to", "ask_ticket"), (task.replace("_", " "),))
        last = library.pick(rng, "inform", number)
    ticket = ("KR-" + re.sub(r"\D", "", last.slots[0].text),)
    if TASKS[task].confirm:
        yield Said(last.text, (f"confirm_{task}",), ticket)
        yield from _decision(library, rng, task, ticket)
    else:
        yield Said(last.text, (task,), ticket)


def journey(library: Library, rng: Random) -> Iterator[Said]:
    """A question about the way to somewhere."""
    intent = rng.choice(JOURNEYS)
    asked = library.pick(rng, intent, frozenset({"to"}))
    yield Said(asked.text, (intent,), _station(asked))


def booking(library: Library, rng: Random) -> Iterator[Said]:
    """Where to, when, and then a yes or a no."""
    asked = library.pick(rng, "book", frozenset({"to"}))
    place = _station(asked)
    yield Said(asked.text, ("ask_date",))
    date = library.pick(rng, "inform", frozenset({"date"}))
    yield Said(date.text, ("confirm_book",), place)
    yield from _decision(library, rng, "book", place)


def for_a_human(library: Library, rng: Random) -> Iterator[Said]:
    """Handed over: a human has the word, whatever is said, until the human gives it back."""
    yield Said(library.pick(rng, rng.choice(sorted(FOR_HUMANS))).text, ("hand_over",))
    if rng.random() < 0.7:
        yield Said(library.pick(rng, _some(library, rng, QUESTIONS)).text, ("passed_on",))
    yield Said("It is all settled.", (), by="human")


SCENES: Final[dict[Scene, float]] = {
    question: 4.0, small_talk: 1.0, with_ticket: 3.0, journey: 1.0, booking: 1.5, for_a_human: 0.5,
}  # fmt: skip
_NEED_NO_CLEAN_SLATE: Final = frozenset[Scene]({small_talk, question, journey, for_a_human})


def script(library: Library, rng: Random, choice: Mapping[Scene, float] | None = None) -> Iterator[Said]:
    """What one user says, without end: scene after scene, chosen by their weights."""
    choice = SCENES if choice is None else choice
    scenes, weights = tuple(choice), tuple(choice.values())
    fresh = True
    while True:
        scene = rng.choices(scenes, weights)[0]
        if not fresh and scene not in _NEED_NO_CLEAN_SLATE:
            yield Said(library.pick(rng, "start_over").text, ("start_over",))
        yield from scene(library, rng)
        fresh = False


def _decision(library: Library, rng: Random, task: str, contains: tuple[str, ...]) -> Iterator[Said]:
    if rng.random() < 0.75:
        yield Said(library.pick(rng, "yes").text, (task,), contains)
    else:
        yield Said(library.pick(rng, "no").text, ("dropped",))


def _some(library: Library, rng: Random, intents: Sequence[str]) -> str:
    return rng.choice([intent for intent in intents if library.has(intent)])


def _station(utterance: Utterance) -> tuple[str, ...]:
    place = next(slot.text for slot in utterance.slots if slot.name == "to")
    return (find_station(place) or place,)
