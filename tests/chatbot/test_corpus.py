"""The corpus is what the model card says it is: varied, held out, and marked right."""

from collections import Counter, defaultdict
from functools import cache

import pytest

from asyncpatterns.chatbot import (
    INTENTS,
    SLOTS,
    Tokenizer,
    corpus,
    encode,
    generate,
    load_utterances,
    sample_requests,
    templates,
)
from asyncpatterns.chatbot.mentions import mark_mentions
from asyncpatterns.chatbot.noise import OMITTED, SLANG, Word


def test_there_are_at_least_twenty_intents_and_every_one_has_templates_and_tests():
    assert len(INTENTS) >= 20
    tested = Counter(utterance.intent for utterance in load_utterances("test"))
    assert set(tested) == set(corpus.training_templates()) == set(INTENTS)


def test_the_test_set_holds_at_least_three_hundred_utterances_and_none_twice():
    texts = [utterance.text.lower() for utterance in load_utterances("test")]
    assert len(texts) >= 300 and len(set(texts)) == len(texts)


class Loose(templates.Matcher):
    """Takes a word's synonyms and slang for the word, and does not care for the words that people leave out: whatever
    the generator makes of a template, apart from typos, is the template's still."""

    def __init__(self, utterance):
        spoken = corpus.masked(utterance)
        super().__init__(corpus.phrases(), tuple(word for word in spoken if word not in OMITTED) or spoken)
        openers, closers = (corpus.phrases()[name] for name in ("openers", "closers"))
        whole = len(self._sentence)
        self.begins = {0, *(end for end in self.ends(openers, 0) if end < whole)}
        self._finishes = {whole, *(at for at in range(1, whole) if whole in self.ends(closers, at))}

    def first_words(self):
        return {self._sentence[at] for at in self.begins}

    def makes(self, node):
        return any(begin < end in self._finishes for begin in self.begins for end in self.ends(node, begin))

    def ends(self, node, start):
        if not isinstance(node, str):
            return super().ends(node, start)
        return frozenset().union(*(self._said(spoken, start) for spoken in readings(node)))

    def _said(self, spoken, start):
        reached = {start}
        for word in spoken:
            further = {at + len(said) for at in reached for said in variants(word)
                       if self._sentence[at : at + len(said)] == said}
            reached = reached | further if word in OMITTED and self._sentence != (word,) else further
        return reached


def loose_words(text):
    return tuple(word for word in templates.words(text) if word not in OMITTED)


REWORDINGS = defaultdict(set)
for table in (corpus.synonyms(), SLANG):
    for spelled, others in table.items():
        REWORDINGS["".join(templates.words(spelled))].update(others)


@cache
def variants(word):
    """The word and what the generator may put in its place, as tuples of words."""
    return {(word,), *map(loose_words, REWORDINGS.get(word, ()))}


@cache
def readings(text):
    """The words of a template's text as it has them, and with each that names a day, a time or a class masked."""
    return {masked_mentions(templates.words(text), intent) for intent in ("", "upgrade")} | {templates.words(text)}


def masked_mentions(words, intent):
    marked = mark_mentions(list(map(Word, words)), intent)
    return tuple("{" + word.slot + "}" if word.slot else word.text for word in marked if word.begins or not word.slot)


def starts(node):
    """The words that a match of the node may begin with, and None if it may match nothing at all."""
    if isinstance(node, templates.Choice):
        return set().union(*map(starts, node.alternatives))
    if isinstance(node, templates.Reference):
        return phrase_starts(node.name)
    if isinstance(node, templates.Series):
        return in_turn(starts(part) for part in node.parts)
    return set().union(*(in_turn(map(word_starts, spoken)) for spoken in readings(node)))


def in_turn(parts):
    found = {None}
    for part in parts:
        found = found - {None} | part
        if None not in found:
            break
    return found


@cache
def phrase_starts(name):
    return starts(corpus.phrases()[name]) if name in corpus.phrases() else {"{" + name + "}"}


def word_starts(word):
    skipped = {None} if word in OMITTED else set()
    return skipped | {said[0] if said else None for said in variants(word)}


def by_start():
    """The templates by the words that they may begin with: most need not be tried on most sentences."""
    table = defaultdict(list)
    for node in (node for nodes in corpus.training_templates().values() for node in nodes):
        for word in starts(node):
            table[word].append(node)
    return table


def test_no_template_can_make_an_utterance_of_the_test_set():
    """Not even with a greeting before it, synonyms and slang in it, and small words left out."""
    table = by_start()
    shared = []
    for utterance in load_utterances("test"):
        loose = Loose(utterance)
        if any(loose.makes(node) for word in (None, *loose.first_words()) for node in table[word]):
            shared.append(utterance.text)
    assert shared == []


def test_the_comparison_of_templates_and_test_set_sees_through_what_the_generator_does():
    """Drawn sentences are their template's, with all that is done to them but typos."""
    table = by_start()
    for drawn in corpus.generate(500, seed=7, noise=0.5):
        loose = Loose(drawn)
        assert any(loose.makes(node) for word in (None, *loose.first_words()) for node in table[word]), drawn


@pytest.mark.parametrize("split", ["dev", "test"])
def test_every_slot_is_where_its_text_is(split):
    for utterance in load_utterances(split):
        for slot in utterance.slots:
            assert slot.name in SLOTS and utterance.text[slot.start:slot.end] == slot.text


def test_drawn_sentences_are_marked_right_and_cover_every_intent():
    drawn = list(generate(4_000, seed=5))
    assert {utterance.intent for utterance in drawn} == set(INTENTS)
    for utterance in drawn:
        for slot in utterance.slots:
            assert utterance.text[slot.start:slot.end] == slot.text


def test_the_same_seed_draws_the_same_sentences():
    assert sample_requests(50, seed=3) == sample_requests(50, seed=3) != sample_requests(50, seed=4)


def test_the_tokenizer_gives_rows_of_twenty_four_ids_that_the_model_knows():
    texts = ["", "x " * 100, "Zwölf Boxkämpfer!", "\N{PILE OF POO}\x00", *sample_requests(200)]
    rows = encode(texts)
    assert rows.shape == (len(texts), 24) and rows.dtype == "int32"
    assert rows.min() >= 0 and rows.max() < len(Tokenizer())
    assert (rows == encode(texts)).all()
