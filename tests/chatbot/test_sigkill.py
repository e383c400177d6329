"""Killed with SIGKILL in the middle of its conversations, and started again: at most the turn in flight is lost."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks._survivor import Survivor, acknowledgements

ROOT = Path(__file__).parents[2]


def killed_after(path, lines, **options):
    """What a process had acknowledged when it was killed, soon after so many lines."""
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "benchmarks._survivor", str(path), *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        heard = [process.stdout.readline() for _ in range(lines)]
        process.kill()                      # SIGKILL: no handler of the process runs
        heard += process.stdout.readlines()
        watchdog.cancel()
    return acknowledgements(heard)


@pytest.mark.parametrize("seed, limit", [(1, 1_000), (2, 10)])
def test_everybody_finds_their_conversation_where_they_left_it(tmp_path, seed, limit):
    path = tmp_path / "conversations.db"
    acknowledged, wrong = killed_after(path, 800, users=60, seed=seed, limit=limit)
    assert wrong == 0 and acknowledged.total() >= 800
    survivor = Survivor(str(path), users=60, seed=seed, limit=limit)
    unheard, wrong = asyncio.run(survivor.resume(acknowledged))
    survivor.store.close()
    assert wrong == [] and 0 <= unheard <= 60
