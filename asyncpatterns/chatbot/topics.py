"""What people come for: which topics need to know something first, which want a yes, which are for a human."""

from typing import Final, NamedTuple


class Topic(NamedTuple):
    needs: tuple[str, ...] = ()
    """The slots without which nothing can be done."""
    confirm: bool = False
    """Is it done only after a yes?"""


TASKS: Final[dict[str, Topic]] = {
    "book": Topic(("to", "date"), confirm=True),
    "change": Topic(("ticket",), confirm=True),
    "cancel": Topic(("ticket",), confirm=True),
    "refund": Topic(("ticket",)),
    "compensation": Topic(("ticket",)),
    "seat_reservation": Topic(("ticket",)),
    "upgrade": Topic(("ticket",), confirm=True),
    "invoice": Topic(("ticket",)),
    "timetable": Topic(("to",)),
    "fare": Topic(("to",)),
}
"""Topics that stay open until they have what they need. Other intents are answered at once."""

FOR_HUMANS: Final = frozenset({"lost_property", "complaint", "human"})
"""What no pipeline should decide."""

UNSURE: Final = 0.3
"""Below this confidence the bot asks again instead of guessing."""
