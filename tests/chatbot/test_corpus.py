"""The corpus is what the model card says it is: varied, held out, and marked right."""

from collections import Counter

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


def test_there_are_at_least_twenty_intents_and_every_one_has_templates_and_tests():
    assert len(INTENTS) >= 20
    tested = Counter(utterance.intent for utterance in load_utterances("test"))
    assert set(tested) == set(corpus.training_templates()) == set(INTENTS)


def test_the_test_set_holds_at_least_three_hundred_utterances_and_none_twice():
    texts = [utterance.text.lower() for utterance in load_utterances("test")]
    assert len(texts) >= 300 and len(set(texts)) == len(texts)


def test_no_template_can_make_an_utterance_of_the_test_set():
    nodes = [node for nodes in corpus.training_templates().values() for node in nodes]
    shared = [utterance.text for utterance in load_utterances("test")
              if any(map(templates.Matcher(corpus.phrases(), corpus.masked(utterance)).makes, nodes))]
    assert shared == []


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
