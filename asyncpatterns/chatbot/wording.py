"""What the bot says: a formal and a casual sentence for every act. A pipeline decides on acts; words come last."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from .corpus import DATA
from .network import BOT, COMPANY

FORMAL, CASUAL = "formal", "casual"
_GIVEN: Final = {"bot": BOT, "company": COMPANY}


@cache
def sayings() -> dict[str, tuple[str, str]]:
    """Act → (formal, casual), as `data/sayings.txt` has them."""
    lines = (DATA / "sayings.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    return {act: (formal, casual) for act, both in pairs for formal, casual in [both.split(" | ")]}


def words_for(acts: Sequence[str], facts: Mapping[str, str], register: str = FORMAL) -> str:
    """The sentences for some acts, one after another. A fact that is missing is written as a dash.

    Raises `KeyError` for an act that nobody has found words for."""
    known, place = sayings(), register == CASUAL
    chosen = [known[act][place] for act in acts]
    return " ".join([saying.format_map(_Facts(facts)) if "{" in saying else saying for saying in chosen])


class _Facts(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return _GIVEN.get(name, "–")
