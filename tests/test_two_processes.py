"""The whole suite runs in two processes, and neither of these starts two more."""

from types import SimpleNamespace

import pytest

from tests.conftest import pytest_cmdline_main


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
