"""Makes the learners' notebooks out of the masters, and keeps both tidy.

    python -m asyncpatterns.lessons.build             all chapters
    python -m asyncpatterns.lessons.build 08 10       these chapters
    python -m asyncpatterns.lessons.build --check     changes nothing; says what is out of sync, exit status 1

A master is `notebooks/solutions/NN_name.ipynb`; its learner copy `notebooks/NN_name.ipynb` is generated, never edited.
In a master's code cells whatever stands between these two lines becomes `...  # your code here` in the copy, indented
as the first of them:

    ### BEGIN SOLUTION
    return b + a * n
    ### END SOLUTION

If the line above is a gap, as `bet = ...  # in seconds`, it is the stub: `bet = ...  # your code here: in seconds`.
A cell tagged `solution` loses its whole body. A link out of the notebooks, as to `../GLOSSARY.md#actor`, is made to fit
the folder of the file that it stands in. Outputs are dropped except in cells tagged `keep_output`, which is for
the few whose output is the same everywhere. A master may be written in any editor, also as a percent script that
jupytext turns into a notebook; this command then makes it canonical: no execution counts, no widget state, the plain
python3 kernel, and cell ids that follow from the cells' text, so that a change to one cell changes one cell in the
file.
"""

import argparse
import hashlib
import pathlib
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import nbformat

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
PLACEHOLDER = "...  # your code here"
GAP = re.compile(r"= \.\.\.\s*(#\s*(?P<about>.*))?$")
WORDS = "*Your answer here.*"
LINK_OUT = re.compile(r"\]\((?:\.\./)+")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGETS = "application/vnd.jupyter.widget-view+json"


def learner_copy(master: Any) -> Any:
    """A new notebook with the solutions taken out. Raises `ValueError` where their marks do not match."""
    copy = nbformat.from_dict(master)
    for place, cell in enumerate(copy.cells, 1):
        if "solution" in _tags(cell):
            cell.source = PLACEHOLDER if cell.cell_type == "code" else WORDS
        elif cell.cell_type == "code":
            cell.source = without_solutions(cell.source, f"cell {place}")
    return canonical(copy, out="../")


def without_solutions(source: str, where: str = "the cell") -> str:
    """The source with each marked solution replaced by the placeholder."""
    lines: list[str] = []
    inside = False
    for line in source.splitlines():
        mark = line.strip()
        if mark == BEGIN and not inside:
            _leave_a_stub(lines, indent=line[: len(line) - len(line.lstrip())])
            inside = True
        elif mark == END and inside:
            inside = False
        elif mark in (BEGIN, END):
            raise ValueError(f"{where}: {mark!r} where it cannot be: marks come in pairs, one inside no other")
        elif not inside:
            lines.append(line)
    if inside:
        raise ValueError(f"{where}: {BEGIN!r} without {END!r}")
    return "\n".join(lines)


def _leave_a_stub(lines: list[str], indent: str) -> None:
    """Appends the placeholder; where the line above is a gap itself, it is named so instead."""
    if lines and (gap := GAP.search(lines[-1])):
        about = f": {gap['about']}" if gap["about"] else ""
        lines[-1] = f"{lines[-1][: gap.start()]}= {PLACEHOLDER}{about}"
    else:
        lines.append(indent + PLACEHOLDER)


def canonical(notebook: Any, out: str = "../../") -> Any:
    """A tidy notebook: the same text always gives the same file. `out` leads from its folder to the project's."""
    tidy = nbformat.v4.new_notebook(metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})
    seen: Counter[str] = Counter()
    tidy.cells = [_tidy(cell, seen, out) for cell in notebook.cells]
    nbformat.validate(tidy)
    return tidy


def _tidy(cell: Any, seen: Counter[str], out: str) -> Any:
    source = "\n".join(line.rstrip() for line in cell.source.strip("\n").splitlines())
    if cell.cell_type == "markdown":
        source = LINK_OUT.sub(f"]({out}", source)
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell,
            "raw": nbformat.v4.new_raw_cell}[cell.cell_type]
    tidy = make(
        source=source, metadata={"tags": _tags(cell)} if _tags(cell) else {}, id=_identity(cell.cell_type, source, seen)
    )
    if cell.cell_type == "code" and "keep_output" in _tags(cell):
        tidy.outputs = [_plain(output) for output in cell.outputs]
    return tidy


def _identity(kind: str, source: str, seen: Counter[str]) -> str:
    digest = hashlib.sha256(f"{kind}\n{source}".encode()).hexdigest()[:12]
    seen[digest] += 1
    return digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _plain(output: Any) -> Any:
    if "execution_count" in output:
        output = nbformat.from_dict({**output, "execution_count": None})
    output.get("data", {}).pop(WIDGETS, None)
    return output


def _tags(cell: Any) -> list[str]:
    return sorted(cell.metadata.get("tags", []))


def text_of(notebook: Any) -> str:
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def out_of_date(folder: pathlib.Path, names: Sequence[str] = ()) -> Iterator[tuple[pathlib.Path, str]]:
    """Each file that is not what it should be, with the text it should have. An empty text: it should not be there."""
    masters = sorted((folder / "solutions").glob("[0-9]*.ipynb"))
    for path in (p for p in masters if not names or _named(p, names)):
        master = canonical(read(path))
        try:
            wanted = {path: text_of(master), folder / path.name: text_of(learner_copy(master))}
        except ValueError as problem:
            raise ValueError(f"{path}: {problem}") from None
        for file, text in wanted.items():
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                yield file, text
    known = {path.name for path in masters}
    for copy in sorted(folder.glob("[0-9]*.ipynb")):
        if copy.name not in known and (not names or _named(copy, names)):
            yield copy, ""


def read(path: pathlib.Path) -> Any:
    return nbformat.read(path, as_version=4)


def _named(path: pathlib.Path, names: Sequence[str]) -> bool:
    return any(path.stem == pathlib.Path(name).stem or path.stem.startswith(f"{name}_") for name in names)


def notebooks_folder() -> pathlib.Path:
    """`notebooks` of the checkout that this package was imported from, else that of the current folder."""
    beside = pathlib.Path(__file__).resolve().parents[2] / "notebooks"
    return beside if beside.is_dir() else pathlib.Path("notebooks")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m asyncpatterns.lessons.build", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("names", nargs="*", help="chapters, as 08 or 08_build_a_batcher; all where none is named")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit status 1 when something is out of sync"
    )
    parser.add_argument("--folder", type=pathlib.Path, default=None, help="where the notebooks are")
    options = parser.parse_args(arguments)
    folder = options.folder or notebooks_folder()
    try:
        changes = list(out_of_date(folder, options.names))
    except ValueError as problem:
        sys.exit(str(problem))
    for path, text in changes:
        print(f"{path.relative_to(folder)}: {_act(path, text, options.check)}")
    return int(options.check and bool(changes))


def _act(path: pathlib.Path, text: str, check: bool) -> str:
    if not text:
        return "has no master in solutions/"
    if check:
        return "out of sync; run python -m asyncpatterns.lessons.build"
    path.write_text(text, encoding="utf-8")
    return "written"


if __name__ == "__main__":
    sys.exit(main())
