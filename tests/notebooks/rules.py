"""The rules of a chapter, each as a sentence about what breaks it."""

import re
import statistics
from collections.abc import Iterator

CODE_CELLS = (12, 22)
LONGEST, MEDIAN = 30, 5
WORDS = (900, 1600)
SHELL = re.compile(r"^\s*(?:!|%%(?:bash|sh|script|cmd|system|sx)\b|%(?:sx|system|pip|conda|cd)\b|\w+\s*=\s*!)", re.M)
ABSOLUTE = re.compile(r"(?<![\w:/.<])/(?:home|root|Users|tmp|usr|work|mnt|var|etc|opt|content)/|\b[A-Z]:\\\\?\w")
URL = re.compile(r"https?://(?!127\.0\.0\.1|localhost)")
BLIND = re.compile(r"!\[\s*\]\(|<img(?![^>]*\balt=\"[^\"]+\")", re.I)
MEASURES = re.compile(r"\b(race\(|perf_counter|time\.time|timeit|open_loop|closed_loop|\.start\(\))")


def problems(notebook) -> Iterator[str]:
    """Each way in which the chapter breaks a rule; nothing for one that keeps them all."""
    yield from _file(notebook)
    yield from _shape(notebook)
    yield from _prose(notebook)
    for place, cell in enumerate(notebook.cells, 1):
        yield from (f"cell {place}: {problem}" for problem in _cell(cell))


def _file(notebook) -> Iterator[str]:
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "metadata.kernelspec is not python3: JupyterLab would ask for a kernel"
    if "widgets" in notebook.metadata:
        yield "metadata.widgets is there: GitHub shows such a notebook as invalid"


def _shape(notebook) -> Iterator[str]:
    lengths = [len(cell.source.splitlines()) for cell in notebook.cells if cell.cell_type == "code"]
    if not CODE_CELLS[0] <= len(lengths) <= CODE_CELLS[1]:
        yield f"{len(lengths)} code cells; a chapter has {CODE_CELLS[0]} to {CODE_CELLS[1]}"
    if lengths and statistics.median(lengths) > MEDIAN:
        yield f"the median code cell has {statistics.median(lengths):g} lines; at most {MEDIAN}"


def _prose(notebook) -> Iterator[str]:
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    words = sum(len(re.findall(r"\w[\w'’.-]*", text)) for text in prose)
    if not WORDS[0] <= words <= WORDS[1]:
        yield f"{words} words of prose; a chapter has {WORDS[0]} to {WORDS[1]}"
    if not notebook.cells or not notebook.cells[0].source.startswith("# "):
        yield "the first cell is not the title"
    for heading in ("Goal", "Key points"):
        if not any(re.search(rf"^## {heading}\b", text, re.M) for text in prose):
            yield f"no heading '## {heading}'"


def _cell(cell) -> Iterator[str]:
    if BLIND.search(cell.source):
        yield "an image without alt text"
    if cell.cell_type == "code":
        yield from _code(cell)


def _code(cell) -> Iterator[str]:
    lines = len(cell.source.splitlines())
    if lines > LONGEST:
        yield f"{lines} lines; at most {LONGEST}"
    if SHELL.search(cell.source):
        yield "needs a shell"
    if ABSOLUTE.search(cell.source):
        yield "an absolute path"
    if URL.search(cell.source):
        yield "goes to the network"
    if cell.execution_count is not None:
        yield "an execution count"
    if cell.outputs:
        yield from _outputs(cell)


def _outputs(cell) -> Iterator[str]:
    if "keep_output" not in cell.metadata.get("tags", []):
        yield "a saved output without the tag keep_output"
    elif MEASURES.search(cell.source):
        yield "a saved output of something measured"
    if any("widget" in kind for output in cell.outputs for kind in output.get("data", {})):
        yield "the output of a widget"
