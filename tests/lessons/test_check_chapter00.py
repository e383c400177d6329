"""The checks of chapter 00: solutions pass, and each wrong one gets a hint of its own."""

import pytest

from asyncpatterns.lessons.check import chapter00


def test_the_solution_passes():
    assert chapter00.shouts(lambda words: [word.upper() for word in words])


def in_place(words):
    for place, word in enumerate(words):
        words[place] = word.upper()
    return words


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda words: words.clear(), "without `return`"),
        (in_place, "Make a new one"),
        (lambda words: " ".join(words).upper(), "One text came out"),
        (lambda words: {word.upper() for word in words}, "Return a list"),
        (lambda words: [words[0].upper()], "As many results as words"),
        (lambda words: list(words), ".upper()"),
        (lambda words: sorted(word.upper() for word in words), "The same order"),
        (lambda words: [word.upper() for word in words] if len(words) > 1 else words[0].upper(), "a single word"),
    ],
)
def test_each_wrong_solution_gets_a_hint_of_its_own(wrong, hint):
    verdict = chapter00.shouts(wrong)
    assert not verdict and hint in verdict.hint, verdict


def test_a_stub_fails_kindly():
    def untouched(words): ...

    assert chapter00.shouts(untouched).kind == chapter00.shouts(...).kind == "todo"


def test_fewer_calls_must_be_fewer_and_answer_everybody():
    assert chapter00.fewer_calls(2, 16, 1000, 1000)
    assert "max_batch_size" in chapter00.fewer_calls(16, 16, 1000, 1000).hint
    assert "Every request" in chapter00.fewer_calls(1, 16, 1000, 64).hint
