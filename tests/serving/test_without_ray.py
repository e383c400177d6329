"""Ray is for several machines only: one module imports it, and where it is missing that is said kindly."""

import sys
from pathlib import Path

import pytest

from asyncpatterns.serving.__main__ import _each_replica, main, parse
from tests.test_house import PACKAGE, imports

ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "asyncpatterns.serving.ray", raising=False)


def test_the_command_says_what_to_install(no_ray, capsys, tmp_path):
    assert main([str(tmp_path), "--on", "ray", "--replicas", "4"]) == 1
    said = capsys.readouterr().out
    assert "Ray is not installed" in said and "pip install -r requirements-cluster.txt" in said


def test_importing_it_says_so_too(no_ray):
    with pytest.raises(ImportError, match=r"requirements-cluster\.txt"):
        import asyncpatterns.serving.ray  # noqa: F401


def test_the_requirements_name_ray():
    assert any(line.startswith("ray[serve]") for line in (ROOT / "requirements-cluster.txt").read_text().splitlines())


def test_one_module_imports_ray():
    importers = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")
                 if any(name.split(".")[0] == "ray" for name in imports(path))}
    assert importers == {"serving/ray.py"}


def test_the_commands_options_reach_the_replicas():
    said = "--on ray --workers 2 --threads 3 --padding 0 --slo 1"
    assert _each_replica(parse(["model", *said.split()])) == {
        "slo": 1.0, "linger": 0.0, "max_queue": None, "sizes": None, "padding": 0.0, "workers": 2,
        "threads": 3, "cpus": 6}
    assert _each_replica(parse(["model", "--on", "ray"]))["cpus"] == 1


@pytest.mark.parametrize(("said", "size"), [
    ("", 64), ("--sizes 8,256,64", 256), ("--sizes 8,256 --max-batch-size 8", 8)])
def test_the_largest_of_the_allowed_sizes_is_the_limit(said, size):
    assert parse(["model", *said.split()]).max_batch_size == size


@pytest.mark.parametrize("option", [["--replicas", "0"], ["--max-replicas", "x"], ["--on", "mars"], ["--slo", "0"],
                                    ["--sizes", "8,16", "--max-batch-size", "4"]])
def test_options_that_cannot_be_are_refused(option, capsys):
    with pytest.raises(SystemExit):
        main(["model", *option])
    assert option[0] in capsys.readouterr().err
