"""`talk.md` into slides: what stands on each, what is said to it, and which code runs when the deck is built.

Slides are separated by `---`. A slide begins with its claim, a heading of the form `# A sentence.`; what follows a line
`Note:` is for the speaker, its first line being the time: `0:45 · ...`. A comment gives options:

    <!-- slide: id=race layout=run replay=race where="10 · The race, live" cell="race_panel(" -->

`where` names a notebook's section, or a path; `cell`, some words out of one of its code cells. `{{figure}}` in a claim,
in text or in the notes is an expression, for the numbers: they come from files that a run has written.

The words after a fence's language say what becomes of the code:

    run      it is run; what it shows is not shown, but a slide whose code fails is not built
    output   it is run, and what it prints stands under it
    hide     it is run and not shown
    figure   it is run and not shown; its last expression is: an SVG string
    (none)   it is shown only: other languages, a shell's lines

A line that ends with `#<` is marked as changed; the marker itself is never shown.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

OPTIONS = re.compile(r"<!--\s*slide:(.*?)-->", re.DOTALL)
FENCE = re.compile(r"^```")
MINUTES = re.compile(r"^(\d+):(\d\d)\s*·\s*")
CHANGED = re.compile(r"[ \t]*#<[ \t]*$")


class SourceError(ValueError):
    """`talk.md` says something that no slide can be made of; the text names the slide and what was expected."""


@dataclass
class Slide:
    """One slide as written: `body` and `notes` are Markdown, `seconds` is how long it is spoken to."""

    number: int
    claim: str
    body: str
    notes: str
    seconds: int
    options: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.options.get("id") or f"slide-{self.number}"

    @property
    def layout(self) -> str:
        return self.options.get("layout", "plain")


def read(text: str) -> list[Slide]:
    return [_slide(number, lines) for number, lines in enumerate(_split(text), 1)]


def _split(text: str) -> Iterator[list[str]]:
    """The lines of each slide. A `---` inside a fence separates nothing."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= bool(FENCE.match(line))
        if line.strip() == "---" and not fenced:
            yield lines
            lines = []
        else:
            lines.append(line)
    yield lines


def _slide(number: int, lines: list[str]) -> Slide:
    shown, notes = "\n".join(lines).strip(), ""
    if (place := next((i for i, line in enumerate(lines) if line.strip() == "Note:"), None)) is not None:
        shown, notes = "\n".join(lines[:place]).strip(), "\n".join(lines[place + 1:]).strip()
    options = _options(shown)
    shown = OPTIONS.sub("", shown).strip()
    first, _, body = shown.partition("\n")
    if not first.startswith("# "):
        raise SourceError(f"slide {number} begins with {first!r}; expected its claim: '# A sentence.'")
    if not (time := MINUTES.match(notes)):
        raise SourceError(f"slide {number} ({first[2:]!r}) needs 'Note:' and then its time: '0:45 · what to say'")
    seconds = 60 * int(time[1]) + int(time[2])
    return Slide(number, first[2:].strip(), body.strip(), notes[time.end():], seconds, options)


def _options(shown: str) -> dict[str, str]:
    found = OPTIONS.search(shown)
    return dict(word.split("=", 1) for word in shlex.split(found[1])) if found else {}


def without_markers(code: str) -> tuple[str, set[int]]:
    """The code as it runs, and the numbers (from 0) of the lines that were marked as changed."""
    lines = code.rstrip("\n").split("\n")
    changed = {index for index, line in enumerate(lines) if CHANGED.search(line)}
    return "\n".join(CHANGED.sub("", line) for line in lines) + "\n", changed
