"""The whole suite runs in two processes, and neither of these starts two more; what belongs together stays together."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import pytest_cmdline_main

CONFTEST = Path(__file__).with_name("conftest.py")


def asked(monkeypatch, *, source=pytest.Config.ArgsSource.TESTPATHS, plugin=True, processors=2, **changes):
    """How many processes a command line comes to have; None: one, the one that there is."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    attributes = {"workerinput": changes.pop("workerinput")} if "workerinput" in changes else {}
    option = SimpleNamespace(**{"numprocesses": None, "dist": "no", "collectonly": False, "usepdb": False, **changes})
    pytest_cmdline_main(SimpleNamespace(
        option=option, args_source=source, pluginmanager=SimpleNamespace(has_plugin=lambda name: plugin), **attributes))
    return option.numprocesses


def test_the_whole_suite_runs_in_two(monkeypatch):
    assert asked(monkeypatch) == 2


def test_one_of_the_two_starts_no_more(monkeypatch):
    assert asked(monkeypatch, workerinput={"workerid": "gw0"}) is None


@pytest.mark.parametrize("changes", [
    {"source": pytest.Config.ArgsSource.ARGS}, {"plugin": False}, {"processors": 1}, {"numprocesses": 0},
    {"collectonly": True}, {"usepdb": True}], ids=str)
def test_whoever_says_otherwise_is_heard(monkeypatch, changes):
    assert asked(monkeypatch, **changes) == changes.get("numprocesses")


MODULE = """
import os
import pathlib
import pytest


@pytest.mark.parametrize("n", range(12))
def test_it(n):
    with pathlib.Path(__file__).with_suffix(".workers").open("a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + " ")
"""


def test_a_module_stays_in_one_process_and_so_does_all_that_runs_chapters(tmp_path):
    chapters, others = ["notebooks/test_browser", "notebooks/test_kernel"], ["test_c", "test_d", "live/test_e"]
    for name in chapters + others:
        module = tmp_path / "tests" / f"{name}.py"
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(MODULE, encoding="utf-8")
    (tmp_path / "tests" / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    ended = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, env=environment, capture_output=True,
                           text=True, timeout=120)
    assert "60 passed" in ended.stdout, ended.stdout + ended.stderr
    ran_in = {name: set((tmp_path / "tests" / f"{name}.workers").read_text().split()) for name in chapters + others}
    assert all(len(ran_in[name]) == 1 for name in others), ran_in
    assert len(set.union(*(ran_in[name] for name in chapters))) == 1, ran_in
    assert len(set.union(*ran_in.values())) == 2, ran_in
