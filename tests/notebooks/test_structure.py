"""Every chapter keeps the rules that make fifteen notebooks one course; and the rules themselves are tested."""

import nbformat
import pytest

from asyncpatterns.lessons import build
from tests.notebooks.harness import FOLDER, learner_copies, masters, notebook
from tests.notebooks.rules import problems

CHAPTERS = [*learner_copies(), *masters()]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_chapter_keeps_the_rules(path):
    assert list(problems(nbformat.read(path, as_version=4))) == []


def test_every_learner_copy_is_what_its_master_says():
    stale = {str(path.relative_to(FOLDER)) for path, _ in build.out_of_date(FOLDER)}
    assert not stale, f"run python -m asyncpatterns.lessons.build; out of sync: {', '.join(sorted(stale))}"


@pytest.mark.parametrize("path", learner_copies(), ids=lambda path: path.stem)
def test_a_learner_copy_holds_no_solution(path):
    text = path.read_text(encoding="utf-8")
    assert build.BEGIN not in text and build.END not in text


def good():
    prose = "word " * 300
    cells = [
        "# Title\n\n" + prose,
        "## Goal\n\n" + prose,
        *[f"x{i} = {i}" for i in range(14)],
        "## Key points\n\n" + prose,
    ]
    return notebook(*cells)


def test_a_good_chapter_has_no_problems():
    assert list(problems(good())) == []


def broken(change):
    chapter = good()
    change(chapter)
    return chapter


BREAKS = {
    "kernelspec": lambda nb: nb.metadata.pop("kernelspec"),
    "metadata.widgets": lambda nb: nb.metadata.update(widgets={}),
    "8 code cells": lambda nb: nb.cells.__delitem__(slice(2, 8)),
    "31 lines": lambda nb: nb.cells[3].update(source="x = 1\n" * 31),
    "median code cell": lambda nb: [cell.update(source="x = 1\n" * 8) for cell in nb.cells if cell.cell_type == "code"],
    "words of prose": lambda nb: nb.cells[1].update(source="## Goal"),
    "not the title": lambda nb: nb.cells.pop(0),
    "'## Goal'": lambda nb: nb.cells[1].update(source="word " * 300),
    "'## Key points'": lambda nb: nb.cells[-1].update(source="word " * 300),
    "alt text": lambda nb: nb.cells[0].update(source=nb.cells[0].source + "\n![](picture.png)"),
    "needs a shell": lambda nb: nb.cells[3].update(source="!pip install x"),
    "absolute path": lambda nb: nb.cells[3].update(source='open("/home/me/data.txt")'),
    "network": lambda nb: nb.cells[3].update(source='get("https://example.com")'),
    "execution count": lambda nb: nb.cells[3].update(execution_count=3),
    "without the tag": lambda nb: nb.cells[3].update(outputs=[nbformat.v4.new_output("stream", text="hello")]),
    "something measured": lambda nb: nb.cells[3].update(
        outputs=[nbformat.v4.new_output("stream", text="3 ms")], metadata={"tags": ["keep_output"]},
        source="await race({}, [])"),
    "output of a widget": lambda nb: nb.cells[3].update(
        outputs=[nbformat.v4.new_output("display_data", {build.WIDGETS: {}})], metadata={"tags": ["keep_output"]}),
}


@pytest.mark.parametrize("sentence", BREAKS)
def test_each_broken_rule_is_said(sentence):
    found = list(problems(broken(BREAKS[sentence])))
    assert any(sentence in problem for problem in found), found


@pytest.mark.parametrize("source", ["%%bash\nls", "files = !ls", "%pip install x", "  !ls", "%cd x"])
def test_every_kind_of_shell_cell_is_found(source):
    assert any("shell" in problem for problem in problems(broken(lambda nb: nb.cells[3].update(source=source))))


@pytest.mark.parametrize(
    "source",
    [
        "x != y",
        'url = "http://127.0.0.1:8501/v1/models/intent:predict"',
        "x = a/b/c",
        "%matplotlib inline",
        '"/v1/models"',
        'system.tree()["/user/model"]',
    ],
)
def test_innocent_code_is_left_alone(source):
    assert list(problems(broken(lambda nb: nb.cells[3].update(source=source)))) == []
