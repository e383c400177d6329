"""The promises that the house makes about itself: floors, the standard library, metadata, lint and types."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "asyncpatterns"
CORE = ("channels", "actors", "batching", "testing")
FLOORS = {"channels": 0, "testing": 0, "actors": 1, "batching": 2, "serving": 3, "chatbot": 3, "load": 3, "live": 3,
          "lessons": 4}
# Inside one floor, DESIGN's order holds: what stands to the left may use what stands to its right.
SIDE_BY_SIDE = ("live", "load", "chatbot", "serving")


def modules(*folders):
    return sorted(path for folder in folders for path in (PACKAGE / folder).rglob("*.py"))


def imports(path):
    """Every module that `path` imports anywhere in it, as absolute dotted names."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[:len(package) - node.level + 1]) if node.level else ""
            name = ".".join(part for part in (base, node.module) if part)
            yield from (f"{name}.{alias.name}" for alias in node.names) if name == "asyncpatterns" else [name]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", modules(*CORE), ids=name_of)
def test_a_module_of_the_core_imports_nothing_outside_the_standard_library(path):
    strangers = {name.split(".")[0] for name in imports(path)} - sys.stdlib_module_names - {"asyncpatterns"}
    assert not strangers


@pytest.mark.parametrize("path", modules(*FLOORS), ids=name_of)
def test_no_floor_imports_upward(path):
    floor = path.relative_to(PACKAGE).parts[0]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "asyncpatterns" or len(parts) == 1 or parts[1] not in FLOORS or parts[1] == floor:
            continue
        assert may_import(floor, parts[1]), f"{floor} imports {name}"


def may_import(floor, other):
    if floor == "testing" or (other == "testing" and floor in CORE):
        return False
    if floor in SIDE_BY_SIDE and other in SIDE_BY_SIDE:
        return SIDE_BY_SIDE.index(floor) < SIDE_BY_SIDE.index(other)
    return FLOORS[other] < FLOORS[floor]


def test_the_floor_rule_would_catch_a_violation():
    assert may_import("batching", "actors") and may_import("lessons", "live") and may_import("chatbot", "serving")
    assert not may_import("channels", "actors") and not may_import("actors", "serving")
    assert not may_import("serving", "chatbot") and not may_import("channels", "testing")


def test_importing_the_package_loads_the_core_only_and_quickly(tmp_path):
    """Quickly: from the second time on, when its bytecode is cached, as it is wherever it is installed."""
    code = ("import asyncio, time, sys; start = time.process_time(); import asyncpatterns; "
            "took = time.process_time() - start; "
            "print(took, *(name for name in ('numpy', 'tensorflow', 'ipywidgets', 'fastapi') if name in sys.modules))")
    cached = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    cached["PYTHONPYCACHEPREFIX"] = str(tmp_path)
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
                           env=cached)
            .stdout.split() for _ in range(5)]
    assert not any(strangers for _, *strangers in runs)
    assert min(float(took) for took, *_ in runs) < 0.1


def test_every_public_name_is_there_and_listed_once():
    import asyncpatterns

    assert len(set(asyncpatterns.__all__)) == len(asyncpatterns.__all__)
    for name in asyncpatterns.__all__:
        assert getattr(asyncpatterns, name).__doc__, name


def test_the_core_has_no_dependencies_and_the_extras_agree_with_the_requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == []
    required = {line.strip() for line in (ROOT / "requirements.txt").read_text().splitlines()
                if line.strip() and not line.startswith(("#", "-e"))}
    assert required == {need for extra in ("serving", "notebooks", "slides", "test")
                        for need in project["optional-dependencies"][extra]}


def test_the_lock_holds_an_exact_version_of_everything_required():
    locked = set(re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==", (ROOT / "requirements.lock").read_text(), re.M))
    required = re.findall(r"^([A-Za-z0-9_.-]+)", (ROOT / "requirements.txt").read_text(), re.M)
    assert {name for name in required if name != "-e"} <= locked


def test_ruff_has_nothing_to_say():
    result = subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_the_types_hold():
    result = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_no_source_file_is_longer_than_five_hundred_lines():
    long = {name_of(path): lines for path in ROOT.rglob("*.py")
            if ".venv" not in path.parts and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 500}
    assert not long
