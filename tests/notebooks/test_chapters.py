"""Every chapter runs from its first cell to its last: the masters with every check passing, the learner copies kindly.

Up to its first stub a learner copy is its master, cell by cell, so that the master has run it here up to there. As a
whole it runs in the browser, as a reader meets it (test_browser.py), or here where there is no browser.
"""

import nbformat
import pytest

from asyncpatterns.lessons import build
from tests import chromium
from tests.notebooks.harness import ALL_PASS, FOLDER, STUBS_ARE_KIND, learner_copies, masters, run

pytestmark = [pytest.mark.notebook, pytest.mark.measures]


@pytest.mark.parametrize("path", masters(), ids=lambda path: path.stem)
def test_a_master_runs_to_its_end_and_every_check_passes(path, tmp_path):
    outcome = run(path, tmp_path, ALL_PASS)
    assert outcome, outcome.words


@pytest.mark.parametrize("path", learner_copies(), ids=lambda path: path.stem)
def test_a_learner_copy_is_its_master_up_to_its_first_stub(path):
    """So a master that runs to its end has run the copy up to there, under nbval."""
    copy, master = (nbformat.read(at, as_version=4).cells for at in (path, FOLDER / "solutions" / path.name))
    stub = next((place for place, cell in enumerate(copy) if build.PLACEHOLDER in cell.source), len(copy))
    assert [runs(cell) for cell in copy[:stub]] == [runs(cell) for cell in master[:stub]]


def runs(cell):
    return cell.source if cell.cell_type == "code" else ""


if chromium.find() is None:
    @pytest.mark.parametrize("path", learner_copies(), ids=lambda path: path.stem)
    def test_a_learner_copy_runs_to_its_end_and_its_stubs_fail_kindly(path, tmp_path):
        outcome = run(path, tmp_path, STUBS_ARE_KIND)
        assert outcome, outcome.words
