"""The setup check never raises: whatever is broken becomes a line with the fix."""

import asyncio
import importlib.metadata
import subprocess
import sys
import threading

import pytest

from asyncpatterns.lessons import callback_probe, setup_check
from asyncpatterns.lessons import setup_check as module_function

checks = sys.modules["asyncpatterns.lessons.setup_check"]


def test_every_line_has_a_verdict_and_is_printed_as_it_is_found(capsys):
    report = asyncio.run(setup_check(tensorflow=False))
    printed = capsys.readouterr().out.splitlines()
    assert report and "Ready" in repr(report)
    names = [line.name for line in report.lines]
    assert names == [
        "Python",
        "packages",
        "kernel",
        "event loop",
        "widget's callback",
        "timer",
        "memory",
        "five-line demo",
    ]
    assert [line for line in printed if not line.startswith(" ")] == [
        str(line).splitlines()[0] for line in report.lines
    ]
    assert all(line.fix for line in report.lines if line.verdict == "fix")


def test_a_python_that_is_too_old_is_told_with_the_fix(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    line = checks.python()
    assert line.verdict == "fix" and "Install Python 3.11, 3.12 or 3.13" in line.fix


def test_a_missing_and_a_wrong_package_are_named_with_the_command(monkeypatch):
    real = importlib.metadata.version
    versions = {"jupyterlab": "3.0.0"}

    def version(name):
        if name == "ipywidgets":
            raise importlib.metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    line = checks.packages()
    assert (
        line.verdict == "fix" and "ipywidgets is missing" in line.saw and "jupyterlab is 3.0.0, needed is" in line.saw
    )
    assert "-m pip install -r requirements.txt" in line.fix


@pytest.mark.parametrize(
    ("status", "words", "fix"),
    [
        (-4, "", "AVX"),
        (-9, "", "memory"),
        (1, "Traceback\nImportError: no such library", "--force-reinstall tensorflow"),
    ],
)
def test_an_import_of_tensorflow_that_fails_says_why_and_what_to_do(status, words, fix, monkeypatch):
    done = subprocess.CompletedProcess([], status, "", words)
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: done)
    line = asyncio.run(checks.tensorflow_import())
    assert line.verdict == "fix" and fix in line.fix
    assert "ImportError: no such library" in line.saw or "signal" in line.saw


def test_an_import_of_tensorflow_that_hangs_is_told(monkeypatch):
    def hang(*arguments, **options):
        raise subprocess.TimeoutExpired("python", options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    assert "took more than" in asyncio.run(checks.tensorflow_import()).saw


def test_a_look_that_raises_becomes_a_line(monkeypatch):
    def broken():
        raise OSError("no such thing")

    line = asyncio.run(checks._looked(broken))
    assert line.verdict == "fix" and "OSError: no such thing" in line.saw and line.fix


def test_the_probe_tells_on_which_thread_a_callback_arrived():
    async def main():
        probe = callback_probe()
        assert checks.callback(probe).verdict == "note" and "waits" in repr(probe)
        thread = threading.Thread(target=probe.slider.set_trait, args=("value", 3), name="Subshell-1")
        thread.start()
        await asyncio.sleep(0.05)
        thread.join()
        line = checks.callback(probe)
        assert line.verdict == "ok" and "arrives on Subshell-1" in line.saw and "not MainThread" in line.saw
        assert "Subshell-1" in probe.words.value

    asyncio.run(main())


def test_the_name_setup_check_is_the_function():
    assert callable(module_function)


@pytest.mark.slow
def test_the_real_import_of_tensorflow_is_ok():
    line = asyncio.run(checks.tensorflow_import())
    assert line.verdict == "ok", line
