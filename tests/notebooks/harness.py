"""Runs notebooks as a reader does, in a kernel of their own, and fails when anything in them failed.

A background task that fails between two cells fails no cell. So each notebook is run as a copy with two guards around
it: the first listens to the kernel's event loop, the last raises what failed in the background.
"""

import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass

import nbformat

FOLDER = pathlib.Path(__file__).parents[2] / "notebooks"
CELL_TIMEOUT, NOTEBOOK_TIMEOUT = 120, 400

LISTEN = "from asyncpatterns.live import watch_failures\nwatch_failures()"
RAISE = "from asyncpatterns.live import settle\nawait settle()"
ALL_PASS = """\
from asyncpatterns.lessons.check import unsolved
assert not unsolved(), unsolved()"""
STUBS_ARE_KIND = """\
from asyncpatterns.lessons.check import given
unkind = [verdict for verdict in given() if verdict.kind in ("error", "endless")]
assert not unkind, unkind"""


@dataclass
class Outcome:
    """How a notebook ended; true when every cell did, and nothing failed in the background."""

    status: int | None
    words: str

    def __bool__(self) -> bool:
        return self.status == 0


def learner_copies() -> list[pathlib.Path]:
    return sorted(FOLDER.glob("[0-9]*.ipynb"))


def masters() -> list[pathlib.Path]:
    return sorted((FOLDER / "solutions").glob("[0-9]*.ipynb"))


def notebook(*cells):
    """A notebook out of cells: a string is code, one that starts with `#` and a space is markdown."""
    made = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    )
    for source in cells:
        new = nbformat.v4.new_markdown_cell if source.startswith(("# ", "## ")) else nbformat.v4.new_code_cell
        made.cells.append(new(source))
    return made


def guarded(original, *last):
    """The notebook between its guards; `last` are further cells at the end."""
    copy = nbformat.from_dict(original)
    copy.cells = [nbformat.v4.new_code_cell(LISTEN), *copy.cells, *map(nbformat.v4.new_code_cell, [*last, RAISE])]
    return copy


def run(original, folder, *last, name="notebook", cell_timeout=CELL_TIMEOUT, timeout=NOTEBOOK_TIMEOUT) -> Outcome:
    """Runs a notebook (a path or a notebook) under nbval in a process of its own; `folder` holds the copy that runs."""
    if isinstance(original, pathlib.Path):
        name, original = original.stem, nbformat.read(original, as_version=4)
    path = folder / f"{name}.ipynb"
    nbformat.write(guarded(original, *last), path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval-lax",
        "--nbval-current-env",
        f"--nbval-cell-timeout={cell_timeout}",
        "-p",
        "no:cacheprovider",
        "-q",
        "-x",
        "--tb=short",
        "--rootdir",
        str(folder),
        path.name,
    ]
    process = subprocess.Popen(command, cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        words, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        end_group(process)
        return Outcome(None, f"not ended after {timeout} s")
    except BaseException:       # Ctrl-C: what was started in a session of its own does not hear it
        end_group(process)
        raise
    return Outcome(process.returncode, words[-6000:])


def end_group(process) -> None:
    """Ends the process with all that it started: a kernel outlives the pytest that was killed."""
    import signal

    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()


def environment() -> dict[str, str]:
    """No settings of whoever runs the tests, no GPU, quiet TensorFlow."""
    unwanted = ("PYTEST_ADDOPTS", "PYTHONWARNINGS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
