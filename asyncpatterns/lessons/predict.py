"""Ask for a prediction before a measurement; show it beside the measurement afterwards.

People learn more from a number that they had to guess first. A wrong guess is worth more than a right one, so nothing
here scolds.
"""

from collections.abc import Sequence
from typing import Any


class Guess:
    """A question with the reader's answer, once there is one: `guess.value`, or None."""

    def __init__(self, question: str, unit: str = "", choices: Sequence[str] | None = None, mine: Any = None) -> None:
        self.question, self.unit, self.choices, self._mine = question, unit, choices, mine
        self.widget = _widget(question, unit, choices) if mine is None else None

    @property
    def value(self) -> Any:
        """What the reader guessed: `mine=` where it was given in code, else what stands in the box; None when empty."""
        if self.widget is None:
            return self._mine
        field = self.widget.children[1]
        if self.choices:
            return field.value
        return parse_number(field.value)

    def reveal(self, measured: Any, why: str = "") -> None:
        """Prints the guess beside what was measured, and `why` it is so. Never raises for want of a guess."""
        print(_compare(self.value, measured, self.unit))
        if why:
            print(why)

    def __repr__(self) -> str:
        return f"<Guess {self.question!r}: {'nothing yet' if self.value is None else _say(self.value, self.unit)}>"

    def _ipython_display_(self) -> None:
        """Shows nothing: `predict` has asked already, wherever in the cell it stands."""

    def ask(self) -> None:
        if self.widget is None:
            print(f"{self.question} Your guess: {_say(self.value, self.unit)}")
        else:
            from IPython.display import display

            display(self.widget)


def predict(question: str, *, unit: str = "", choices: Sequence[str] | None = None, mine: Any = None) -> Guess:
    """Asks the question under the cell: a box for a number, or one of `choices`. Returns a `Guess` to reveal later.

    Where no widgets work (a static page, a test), or if you like code better, give the answer as `mine=`. Without any
    guess everything goes on, and `reveal` just tells the measurement.
    """
    if mine is not None and choices and mine not in choices:
        raise ValueError(f"{mine!r} is not one of the choices: {', '.join(choices)}")
    guess = Guess(question, unit, choices, mine)
    guess.ask()
    return guess


def parse_number(text: str) -> float | None:
    """The number somebody typed: `1,100`, `1 100`, `1.1k`, `~40`; None where there is none."""
    words = text.strip().lower().lstrip("~≈<>= ").replace(",", "").replace(" ", "").replace("_", "")
    digits = words.rstrip("abcdefghijklmnopqrstuvwxyzµ/%×")
    factor = {"k": 1e3, "k/s": 1e3}.get(words[len(digits):], 1.0)
    try:
        return float(digits) * factor
    except ValueError:
        return None


def _widget(question: str, unit: str, choices: Sequence[str] | None) -> Any:
    import html

    import ipywidgets

    words = ipywidgets.HTML(f"<b>Your guess:</b> {html.escape(question)}")
    if choices:
        field: Any = ipywidgets.RadioButtons(options=list(choices), value=None, layout=ipywidgets.Layout(width="90%"))
    else:
        field = ipywidgets.Text(placeholder="a number, then go on", description=unit, continuous_update=False,
                                style={"description_width": "initial"})
    return ipywidgets.VBox([words, field])


def _compare(guess: Any, measured: Any, unit: str) -> str:
    told = f"Measured here: {_say(measured, unit)}."
    if guess is None:
        return f"{told} (No guess this time; one written down first sticks better.)"
    if isinstance(measured, str) or isinstance(guess, str):
        return (
            f"You said: {guess}. {told} {'You saw that coming.' if guess == measured else 'Now that is worth knowing.'}"
        )
    return f"You said {_say(guess, unit)}. {told} {_distance(float(guess), float(measured))}"


def _distance(guess: float, measured: float) -> str:
    if guess <= 0 or measured <= 0:
        return (
            "That is close."
            if abs(guess - measured) <= 0.1 * max(abs(guess), abs(measured), 1e-12)
            else "Not far to go now."
        )
    factor = max(guess / measured, measured / guess)
    if factor < 1.25:
        return "Spot on."
    if factor < 2:
        return "The right size: less than a factor of two apart."
    side = "more than there is" if guess > measured else "less than there is"
    return (
        f"That is {factor:,.0f}× {side}: a surprise worth remembering."
        if factor >= 10
        else f"That is {factor:.1f}× {side}."
    )


def _say(value: Any, unit: str) -> str:
    words = f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1_000 else f"{value:,.0f}" \
        if isinstance(value, int | float) else str(value)
    return f"{words} {unit}".strip()
