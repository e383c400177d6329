"""How the whole suite runs: in two processes, what runs kernels in one of them and the rest in the other.

`python -m pytest` and `make test` name no tests, so they get both processes; naming a file or a test runs it alone, as
ever, and `-n 0` runs everything one after the other. The tests of a module stay together, in one process and in their
order, because they may share a browser or a model. Chapters measure, so no two of them run at the same time: all that
runs them is one group. Groups start in the order below, the long ones first.
"""

import os
import random

import pytest

FIRST = {       # group → how the names of its modules begin
    "chapters": tuple(f"tests/notebooks/test_{name}.py" for name in ("browser", "chapters", "kernel")),
    "deck": ("tests/slides/",),
}


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Two processes where the whole suite is asked for, and nothing on the command line says otherwise."""
    if hasattr(config, "workerinput") or "PYTEST_XDIST_WORKER" in os.environ:
        return      # this is one of the two: it must start no others
    options = config.option
    whole = config.args_source == pytest.Config.ArgsSource.TESTPATHS
    if not (whole and config.pluginmanager.has_plugin("xdist") and (os.cpu_count() or 1) > 1):
        return
    if options.numprocesses is None and options.dist == "no" and not (options.collectonly or options.usepdb):
        os.environ.setdefault("PYTHONHASHSEED", str(random.randrange(2**32)))      # both collect sets in one order
        options.numprocesses, options.dist, options.loadscopereorder = 2, "loadscope", False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """xdist's own groups are marks, of which its two processes hear only if the command line names `loadgroup`."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group_of(nodeid)

    return ByGroup(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    if unnamed := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"an address in a test's name, which so differs in every run: {unnamed[0]}; give ids=")
    items.sort(key=lambda item: rank(group_of(item.nodeid)))        # stable: inside a group nothing changes its place


def group_of(nodeid):
    module = nodeid.partition("::")[0]
    return next((group for group, beginnings in FIRST.items() if module.startswith(beginnings)), module)


def rank(group):
    return [*FIRST, group].index(group)
