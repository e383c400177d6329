import json
import re

import pytest

from slides.build import HERE, Deck
from slides.execute import BlockFailed, Workspace
from slides.notebooks import place
from slides.source import SourceError, read, without_markers

ONE = "# A claim.\n\nBody.\n\nNote:\n0:30 · Say it.\n"


def test_a_slide_has_its_claim_its_body_its_notes_and_its_time():
    [slide] = read(ONE)
    assert (slide.claim, slide.body, slide.notes, slide.seconds) == ("A claim.", "Body.", "Say it.", 30)


def test_a_rule_inside_a_fence_separates_no_slides():
    assert len(read(ONE.replace("Body.", "```text\n---\n```") + "---\n" + ONE)) == 2


@pytest.mark.parametrize(("text", "wanted"), [
    ("no claim\n\nNote:\n0:30 · x", "A sentence"),
    ("# A claim.\n\nbody", "0:45"),
    ("# A claim.\n\nNote:\nno time", "0:45"),
])
def test_a_slide_that_lacks_something_is_refused_by_a_sentence(text, wanted):
    with pytest.raises(SourceError, match=wanted):
        read(text)


def test_a_marker_of_a_changed_line_is_never_shown_and_never_run():
    assert without_markers("a = 1\nb = 2   #<\n") == ("a = 1\nb = 2\n", {1})


def test_code_of_a_slide_is_executed_and_what_it_prints_is_shown():
    page = Deck(ONE.replace("Body.", "```python output\nimport asyncio\nawait asyncio.sleep(3600)\nprint(6 * 7)\n```"))
    assert re.search(r'<pre class="output"[^>]*>42\n</pre>', page.html())


def test_a_slide_whose_code_fails_is_not_built():
    with pytest.raises(BlockFailed, match=r"slide 1: ZeroDivisionError"):
        Deck(ONE.replace("Body.", "```python run\n1 / 0\n```")).html()


def test_a_slide_with_more_than_twelve_lines_of_code_is_not_built():
    with pytest.raises(SourceError, match="13 lines"):
        Deck(ONE.replace("Body.", "```python run\n" + "x = 1\n" * 13 + "```")).html()


def test_figures_are_filled_into_claim_text_and_notes():
    filled = "# It is {{factor}} times.\n\nOr {{factor - 1}}.\n\nNote:\n0:30 · {{'so'}}\n"
    deck = Deck("# First.\n\n```python hide\nfactor = 7\n```\n\nNote:\n0:30 · x\n---\n" + filled)
    page = deck.html()
    assert "It is 7 times." in page and "Or 6." in page and "<p>so</p>" in page and "{{" not in deck.sections


def test_a_figure_that_cannot_be_computed_is_refused_with_the_number_of_its_slide():
    with pytest.raises(BlockFailed, match="slide 1: NameError"):
        Deck(ONE.replace("Body.", "{{unheard_of}}")).html()


@pytest.mark.parametrize(("options", "wanted"), [
    ('where="99 · Nowhere"', "no notebook 99"),
    ('where="10 · Nowhere"', "no section 'Nowhere'; it has .*'The race, live'"),
    ('where="10 · The race, live" cell="no such words"', r"none of the section's cells \[10, 11, 12\]"),
    ('where="there/is/no/such/path"', "no path"),
    ('where="asyncpatterns" cell="words"', "a section"),
])
def test_a_slide_cannot_name_what_is_not_there(options, wanted):
    [slide] = read(f"<!-- slide: {options} -->\n" + ONE)
    with pytest.raises(SourceError, match=wanted):
        place(slide)


def test_a_cell_has_the_number_that_jupyterlab_shows_and_its_first_line():
    [slide] = read('<!-- slide: where="10 · The race, live" cell="panel = race_panel(" -->\n' + ONE)
    chapter = json.loads(next((HERE.parent / "notebooks").glob("10_*.ipynb")).read_text(encoding="utf-8"))
    code = ["".join(cell["source"]) for cell in chapter["cells"] if cell["cell_type"] == "code"]
    [number] = [number for number, source in enumerate(code, 1) if "panel = race_panel(" in source]
    assert place(slide).startswith(f"notebook 10 · The race, live · cell {number}, panel = race_panel(")


def test_blocks_share_their_names_and_await_where_they_like():
    workspace = Workspace()
    workspace.run("import asyncio\nasync def two(): return 2", "here")
    assert workspace.run("x = await two()\nx + 1", "here") == (3, "")
