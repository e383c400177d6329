"""How the whole suite runs: in two processes, what runs kernels in one of them and the rest in the other.

`python -m pytest` and `make test` name no tests, so they get both processes; naming a file or a test runs it alone, as
ever, and `-n 0` runs everything one after the other. The tests of a module stay together, in one process and in their
order, because they may share a browser or a model. Chapters measure, so no two of them run at the same time: all tests
marked `measures` are one group. Groups start in the order below, the long ones first.
"""

import os
import random

import pytest

KERNELS, DECK = "kernels", "deck"
FIRST = (KERNELS, DECK)


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
        options.numprocesses, options.dist, options.loadscopereorder = 2, "loadgroup", False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    if unnamed := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"an address in a test's name, which so differs in every run: {unnamed[0]}; give ids=")
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    items.sort(key=rank)        # stable: inside a group nothing changes its place


def group_of(item):
    if item.get_closest_marker("measures"):
        return KERNELS
    place = item.path.relative_to(item.config.rootpath).with_suffix("")
    return DECK if "slides" in place.parts else "-".join(place.parts)


def rank(item):
    group = group_of(item)
    return FIRST.index(group) if group in FIRST else len(FIRST)
