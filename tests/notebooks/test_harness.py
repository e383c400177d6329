"""What must fail the run of a notebook does fail it."""

import time

import pytest

from tests.notebooks.harness import ALL_PASS, STUBS_ARE_KIND, notebook, run

pytestmark = pytest.mark.notebook


def test_a_good_notebook_passes(tmp_path):
    assert run(notebook("# A title", "x = 1", "assert x == 1"), tmp_path)


def test_a_cell_that_raises_fails_the_run(tmp_path):
    outcome = run(notebook("1 / 0"), tmp_path)
    assert outcome.status == 1 and "ZeroDivisionError" in outcome.words


@pytest.mark.parametrize("hold", ["task = ", ""], ids=["held", "forgotten"])
def test_a_failed_background_task_fails_the_run(hold, tmp_path):
    failing = (
        f"import asyncio\nasync def fail():\n    raise OSError('quiet failure')\n{hold}asyncio.create_task(fail())"
    )
    outcome = run(notebook(failing, "x = 1"), tmp_path)
    assert outcome.status == 1 and "quiet failure" in outcome.words


def test_an_exception_group_fails_the_run_though_ipython_only_prints_it(tmp_path):
    cell = """
import asyncio
async with asyncio.TaskGroup() as group:
    group.create_task(asyncio.sleep(0))
    raise OSError("inside a group")"""
    outcome = run(notebook(cell, "x = 1"), tmp_path)
    assert outcome.status == 1 and "inside a group" in outcome.words


def test_a_panel_whose_work_fails_fails_the_run(tmp_path):
    cell = """
from asyncpatterns.live import Panel
async def broken():
    raise OSError("no model behind this panel")
panel = Panel(lambda: {"view": "latency", "points": [], "slice": 1.0}, name="p", work=[broken])
panel.start()"""
    outcome = run(notebook(cell, "import asyncio\nawait asyncio.sleep(0.3)"), tmp_path)
    assert outcome.status == 1 and "no model behind this panel" in outcome.words


def test_an_expected_failure_that_a_cell_looks_at_is_no_failure(tmp_path):
    cell = """
import asyncio
async def fail():
    raise OSError("expected")
task = asyncio.create_task(fail())
await asyncio.wait([task])
print(task.exception())"""
    assert run(notebook(cell), tmp_path)


def test_a_check_that_does_not_pass_fails_a_master_and_not_a_learner_copy(tmp_path):
    cells = notebook("from asyncpatterns.lessons.check import chapter10 as check", "check.largest_batch(...)")
    assert run(cells, tmp_path, STUBS_ARE_KIND)
    outcome = run(cells, tmp_path, ALL_PASS)
    assert outcome.status == 1 and "not written yet" in outcome.words


def test_a_cell_that_never_ends_fails_the_run(tmp_path):
    outcome = run(notebook("import asyncio\nawait asyncio.sleep(3600)", "x = 1"), tmp_path, cell_timeout=3, timeout=60)
    assert not outcome


@pytest.mark.slow
def test_a_kernel_that_dies_fails_the_run_within_three_minutes(tmp_path):
    begin = time.monotonic()
    outcome = run(
        notebook("x = 1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "y = 2", "z = 3"), tmp_path
    )
    assert not outcome and time.monotonic() - begin < 180
