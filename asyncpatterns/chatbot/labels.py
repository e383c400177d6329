"""What the model can say: the intents, and the labels of the tokens.

The order is part of the model's interface: output column i belongs to `INTENTS[i]`, and `SLOT_LABELS[j]` to column j.
"""

INTENTS: tuple[str, ...] = (
    "book",
    "change",
    "cancel",
    "refund",
    "compensation",
    "delay",
    "platform",
    "timetable",
    "transfer",
    "fare",
    "discount_card",
    "seat_reservation",
    "upgrade",
    "luggage",
    "lost_property",
    "bicycle",
    "pets",
    "accessibility",
    "wifi",
    "food",
    "ticket_lost",
    "payment_problem",
    "invoice",
    "complaint",
    "account",
    "station_info",
    "human",
    "greeting",
    "thanks",
    "goodbye",
    "yes",
    "no",
    "inform",
    "help",
    "repeat",
    "start_over",
    "out_of_scope",
)

SLOTS: tuple[str, ...] = ("from", "to", "station", "date", "time", "ticket", "train", "people", "class")
"""`from` and `to` are the ends of a journey; `station` is any other station that is spoken of."""

SLOT_LABELS: tuple[str, ...] = ("O", *(f"{place}-{slot}" for slot in SLOTS for place in "BI"))
"""BIO: `B-to` begins a slot, `I-to` continues it, `O` is outside of all."""

LENGTH = 24
"""Tokens in a row: shorter texts are padded with 0, of longer ones the rest is not read."""
