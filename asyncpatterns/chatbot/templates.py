"""The notation of the training templates: parse one, draw sentences from it, ask whether it could make a sentence.

    {want} a ticket (from {from}|) to {to}

Round brackets hold alternatives, divided by `|`, and may be nested. Braces name a slot or a phrase, which is
a set of alternatives with a name. A drawn sentence is a list of pieces, pairs of text and the slot's name or None.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

Piece = tuple[str, str | None]
Filler = Callable[[str, str, Random], str]
"""Fills a slot: gets its name, the text before it, and the dice."""

_MARKS = re.compile(r"[(|)]|\{\w+\}|[^(|){}]+")


class Reference(NamedTuple):
    name: str


class Choice(NamedTuple):
    alternatives: tuple["Node", ...]


class Series(NamedTuple):
    parts: tuple["Node", ...]


Node = str | Reference | Choice | Series


def parse(template: str) -> Node:
    """The tree of a template. Raises ValueError when brackets do not match."""
    marks = _MARKS.findall(template)
    if "".join(marks) != template:
        raise ValueError(f"a lone brace in the template {template!r}; expected {{name}}")
    node, rest = _alternatives(marks, 0)
    if rest != len(marks):
        raise ValueError(f"a closing bracket too many in the template {template!r}")
    return node


def _alternatives(marks: Sequence[str], at: int) -> tuple[Node, int]:
    alternatives: list[Node] = []
    parts: list[Node] = []
    while at < len(marks) and marks[at] != ")":
        mark = marks[at]
        if mark == "|":
            alternatives.append(_joined(parts))
            parts = []
        elif mark == "(":
            node, at = _alternatives(marks, at + 1)
            if at == len(marks):
                raise ValueError(f"an open bracket is never closed in the template {''.join(marks)!r}")
            parts.append(node)
        else:
            parts.append(Reference(mark[1:-1]) if mark[0] == "{" else mark)
        at += 1
    alternatives.append(_joined(parts))
    return (alternatives[0] if len(alternatives) == 1 else Choice(tuple(alternatives))), at


def _joined(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else Series(tuple(parts))


def draw(node: Node, phrases: Mapping[str, Node], fill: Filler, rng: Random) -> list[Piece]:
    """One sentence of the template, by the dice of `rng`: pieces of text, each with its slot's name or None."""
    pieces: list[Piece] = []
    _draw(node, phrases, fill, rng, pieces)
    return pieces


def _draw(node: Node, phrases: Mapping[str, Node], fill: Filler, rng: Random, pieces: list[Piece]) -> None:
    if isinstance(node, str):
        pieces.append((node, None))
    elif isinstance(node, Choice):
        _draw(node.alternatives[int(rng.random() * len(node.alternatives))], phrases, fill, rng, pieces)
    elif isinstance(node, Series):
        for part in node.parts:
            _draw(part, phrases, fill, rng, pieces)
    elif node.name in phrases:
        _draw(phrases[node.name], phrases, fill, rng, pieces)
    else:
        before = "".join(text for text, _ in pieces)
        pieces.append((fill(node.name, before, rng), node.name))


@lru_cache(maxsize=100_000)
def words(text: str) -> tuple[str, ...]:
    """The words of a text for comparison: no case, no punctuation; a masked slot `{to}` is a word."""
    return tuple(re.findall(r"\{\w+\}|\w+", text.lower().replace("'", "").replace("’", "")))


def can_make(node: Node, phrases: Mapping[str, Node], sentence: Sequence[str]) -> bool:
    """Whether some drawing of the template has exactly these words. Slots are masked: `("ticket", "to", "{to}")`."""
    return len(sentence) in Matcher(phrases, sentence).ends(node, 0)


class Matcher:
    """Matches many templates against one masked sentence; what a phrase can cover is worked out once per position."""

    def __init__(self, phrases: Mapping[str, Node], sentence: Sequence[str]) -> None:
        self._phrases = phrases
        self._sentence = tuple(sentence)
        self._known: dict[tuple[str, int], frozenset[int]] = {}

    def makes(self, node: Node) -> bool:
        return len(self._sentence) in self.ends(node, 0)

    def ends(self, node: Node, start: int) -> frozenset[int]:
        """Where a match of `node` that begins at word `start` may end."""
        if isinstance(node, str):
            spoken = words(node)
            end = start + len(spoken)
            return frozenset((end,)) if self._sentence[start:end] == spoken else frozenset()
        if isinstance(node, Choice):
            return frozenset().union(*(self.ends(alternative, start) for alternative in node.alternatives))
        if isinstance(node, Series):
            reached = frozenset((start,))
            for part in node.parts:
                reached = frozenset().union(*(self.ends(part, at) for at in reached))
            return reached
        return self._reference(node.name, start)

    def _reference(self, name: str, start: int) -> frozenset[int]:
        if name not in self._phrases:
            return self.ends("{" + name + "}", start)
        if (name, start) not in self._known:
            self._known[name, start] = self.ends(self._phrases[name], start)
        return self._known[name, start]
