import re

import pytest

from slides.build import Deck
from slides.execute import BlockFailed, Workspace
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


def test_a_slide_that_needs_figures_which_nobody_measured_is_left_out():
    text = ONE + "---\n<!-- slide: needs=there/is/no/such/file.json -->\n" + ONE
    assert len(Deck(text).slides) == 1


def test_blocks_share_their_names_and_await_where_they_like():
    workspace = Workspace()
    workspace.run("import asyncio\nasync def two(): return 2", "here")
    assert workspace.run("x = await two()\nx + 1", "here") == (3, "")
