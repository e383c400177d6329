"""What a deadlock says of channels, and that the package runs without a warning."""

import subprocess
import sys

import pytest

from asyncpatterns.channels import Channel, go, pipeline, select
from asyncpatterns.testing import Deadlock, run


def test_one_line_per_task_names_the_operation_and_the_channel():
    async def main():
        jobs, results = Channel(1, "jobs"), Channel(name="results")
        jobs.send_nowait(0)

        async def collect():
            async for _ in results:
                pass

        go(jobs.send(1), name="producer")
        go(collect(), name="collector")
        go(results.receive(), name="receiver")
        with jobs.sender() as sender:
            go(sender.send(1), name="through an end")
            await select(results.receive(), jobs.send(2), Channel(name="stop").receive())

    with pytest.raises(Deadlock) as caught:
        run(main)
    lines = dict(line.split(": ", 1) for line in str(caught.value).split("\n"))
    assert list(lines) == ["main", "producer", "collector", "receiver", "through an end"]
    assert lines["producer"].startswith("blocked in <send to <Channel 'jobs' 1/1,")
    assert lines["collector"].startswith("blocked in <receive from <Channel 'results' 0/0,")
    assert lines["receiver"].startswith("blocked in <receive from <Channel 'results' 0/0,")
    assert lines["through an end"].startswith("blocked in <send to <Channel 'jobs' 1/1,")
    assert lines["main"].startswith("blocked in <select of ")
    assert all(f"'{name}'" in lines["main"] for name in ("jobs", "results", "stop"))


def test_the_tasks_of_a_combinator_have_names():
    async def main():
        await pipeline(Channel(name="source"), str).receive()

    with pytest.raises(Deadlock, match=r"pipeline str: blocked in <receive from <Channel 'source'"):
        run(main)


PROGRAM = """
import asyncio, gc
from asyncpatterns.channels import *
from asyncpatterns.testing import run

async def main():
    asyncio.get_running_loop().slow_callback_duration = 60      # a busy machine is no fault of ours
    source = Channel(2)
    async def produce():
        with source.sender() as sender:
            for number in range(200):
                await sender.send(number, timeout=5)
    go(produce())
    async def work(value):
        await asyncio.sleep(0.001)
        return value
    left, right = broadcast(pipeline(source, work, workers=3), 2)
    assert [v async for v in merge(left, right)].count(7) == 2
    ticks = ticker(0.001)
    await ticks.receive()
    try:
        await select(Channel().receive(), None, timeout=0.001)
    except TimeoutError:
        pass
    await after(0.001).receive()
    merge(Channel(), Channel())
    cancelled = go(Channel().receive())
    await asyncio.sleep(0)
    cancelled.cancel()

asyncio.run(main())
run(main)
gc.collect()
"""


def test_the_package_is_clean_under_dev_mode_with_warnings_as_errors():
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
