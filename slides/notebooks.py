"""Where in the notebooks a slide's subject is: `07 · Who goes down with whom`, and the cell that runs it.

Looked up when the deck is built, so that a slide cannot name a section or a cell that is no longer there.
"""

import json
import re
from functools import cache
from pathlib import Path

from .source import Slide, SourceError

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
HEADING = re.compile(r"^(#+) +(.+?) *$", re.MULTILINE)
LONGEST = 44


def place(slide: Slide) -> str:
    """The words in the corner of a slide. Raises `SourceError` when no such notebook, section, cell or path exists."""
    where, words = slide.options.get("where", ""), slide.options.get("cell", "")
    chapter, _, section = where.partition(" · ")
    if not section:
        if words or not (ROOT / where).exists():
            raise SourceError(f"slide {slide.number}: where={where!r} is no 'NN · a section' and no path")
        return where
    if section not in (found := sections(chapter)):
        raise SourceError(f"notebook {chapter} has no section {section!r}; it has {', '.join(map(repr, found))}")
    cell = f" · {_cell(found[section], words)}" if words else ""
    return f"notebook {chapter} · {section}{cell}"


def _cell(cells: dict[int, str], words: str) -> str:
    """`cell 11, panel = race_panel(…`: the number that JupyterLab shows after *Run All Cells*, and the first line."""
    for number, code in cells.items():
        if words in code:
            line = code.strip().splitlines()[0]
            return f"cell {number}, " + (line if len(line) <= LONGEST else line[:LONGEST - 2].rstrip() + " …")
    raise SourceError(f"none of the section's cells {list(cells)} contains {words!r}")


@cache
def sections(chapter: str) -> dict[str, dict[int, str]]:
    """Each heading of the chapter, and the code cells under it and its subsections by their numbers, from 1."""
    files = sorted(FOLDER.glob(f"{chapter}_*.ipynb"))
    if len(files) != 1:
        raise SourceError(f"there is no notebook {chapter} in {FOLDER.name}/")
    found: dict[str, dict[int, str]] = {}
    here: dict[int, str] = {}           # by its level, the heading that is open
    number = 0
    for cell in json.loads(files[0].read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            number += 1
            for heading in here.values():
                found[heading][number] = source
            continue
        for marks, heading in HEADING.findall(source):
            here = {level: words for level, words in here.items() if level < len(marks)} | {len(marks): heading}
            found.setdefault(heading, {})
    return found
