"""A prediction is asked before, shown beside the measurement after, and never in the way."""

import pytest

from asyncpatterns.lessons import predict
from asyncpatterns.lessons.predict import parse_number


@pytest.fixture(autouse=True)
def no_display(monkeypatch):
    monkeypatch.setattr("IPython.display.display", lambda *_: None)


def told(capsys, guess, *measured):
    capsys.readouterr()
    guess.reveal(*measured)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("27", 27),
        (" 1,100 ", 1100),
        ("1 100", 1100),
        ("1.1k", 1100),
        ("~40 ms", 40),
        ("2e3", 2000),
        ("", None),
        ("no idea", None),
        ("-3", -3),
        ("34×", 34),
    ],
)
def test_a_number_is_read_as_people_type_it(text, value):
    assert parse_number(text) == value


def test_without_a_guess_the_measurement_is_told_all_the_same(capsys):
    guess = predict("How many?", unit="requests/s")
    assert guess.value is None and "nothing yet" in repr(guess)
    assert "Measured here: 27 requests/s." in told(capsys, guess, 27)


def test_what_is_typed_into_the_box_is_the_guess(capsys):
    guess = predict("How many?", unit="requests/s")
    guess.widget.children[1].value = "1,000"
    assert guess.value == 1000
    words = told(capsys, guess, 27, "Most of it is Python.")
    assert "You said 1,000 requests/s. Measured here: 27 requests/s." in words
    assert "37× more than there is" in words and "Most of it is Python." in words


@pytest.mark.parametrize(
    ("mine", "words"),
    [(27, "Spot on"), (40, "less than a factor of two"), (100, "3.7× more"), (5, "5.4× less"), (0, "Not far")],
)
def test_a_guess_in_code_is_compared_kindly(mine, words, capsys):
    guess = predict("How many?", unit="requests/s", mine=mine)
    assert guess.widget is None
    assert words in told(capsys, guess, 27)


def test_a_choice_is_compared_with_the_answer(capsys):
    guess = predict("Which?", choices=["threads", "batches"])
    assert guess.value is None
    guess.widget.children[1].value = "threads"
    assert "You said: threads. Measured here: batches." in told(capsys, guess, "batches")
    guess.widget.children[1].value = "batches"
    assert "You saw that coming" in told(capsys, guess, "batches")


def test_a_choice_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="threads, batches"):
        predict("Which?", choices=["threads", "batches"], mine="magic")
