"""Every chapter runs from its first cell to its last: the masters with every check passing, the learner copies kindly.

Up to its first stub a learner copy is its master, cell by cell, so that the master has run it here up to there. As a
whole it runs in the browser, as a reader meets it (test_browser.py), or here where there is no browser.
"""

import ast
import asyncio
import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import nbformat
import pytest

from asyncpatterns.lessons import build
from tests import chromium
from tests.notebooks.harness import ALL_PASS, FOLDER, STUBS_ARE_KIND, learner_copies, masters, run

pytestmark = pytest.mark.notebook


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


def test_the_cancelled_job_of_chapter_04_ends_its_cell_also_when_its_thread_begins_late():
    """On a busy machine it once began after its cancellation, so never, and the cell waited for its end for ever."""
    cells = nbformat.read(FOLDER / "solutions" / "04_asyncio_and_what_blocks_it.ipynb", as_version=4).cells
    cell, = (cell.source for cell in cells if "task.cancel()" in cell.source and "to_thread" in cell.source)
    assert asyncio.run(asyncio.wait_for(behind_others(cell), 30)) == "when it is done"


async def behind_others(cell):
    """Runs a cell whose threads are taken for the first 50 ms; gives what it reveals."""
    revealed = []
    names = {"asyncio": asyncio, "time": time, "model": lambda text: time.sleep(0.05),
             "guess": SimpleNamespace(reveal=lambda actual, *_: revealed.append(actual))}
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    first = loop.run_in_executor(None, time.sleep, 0.05)
    work = eval(compile(cell, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    assert inspect.isawaitable(work)
    await work
    await first
    return revealed[0]


if chromium.find() is None:
    @pytest.mark.parametrize("path", learner_copies(), ids=lambda path: path.stem)
    def test_a_learner_copy_runs_to_its_end_and_its_stubs_fail_kindly(path, tmp_path):
        outcome = run(path, tmp_path, STUBS_ARE_KIND)
        assert outcome, outcome.words
