"""The deadlock report: one line per task, with its name and the operation it is blocked in."""

import asyncio
import math
import threading

import pytest

from asyncpatterns.testing import Deadlock, run


class Operation:
    """Waits for ever, as our operations do: an object with a repr and an `__await__` that is a generator."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<operation\non {self.name}>"

    def __await__(self):
        return (yield from asyncio.get_running_loop().create_future())


async def wait(name: str) -> None:
    await Operation(name)


def lines_of(main) -> list[str]:
    with pytest.raises(Deadlock) as caught:
        run(main)
    return str(caught.value).split("\n")


def test_one_line_per_task_with_its_name_and_the_operation():
    async def main():
        task = asyncio.create_task(wait("left"), name="worker")
        await wait("right")
        await task

    assert lines_of(main) == ["main: blocked in <operation on right>", "worker: blocked in <operation on left>"]


def test_the_innermost_operation_speaks():
    class Outer(Operation):
        def __await__(self):
            return (yield from Operation("inner").__await__())

    async def main():
        await Outer("outer")

    assert lines_of(main) == ["main: blocked in <operation on inner>"]


def test_operations_inside_an_asynchronous_generator_are_found():
    async def generate():
        await wait("generator")
        yield

    async def main():
        async for _ in generate():
            pass

    assert lines_of(main) == ["main: blocked in <operation on generator>"]


def test_what_asyncio_brings_along_is_named_with_the_line_that_called_it():
    async def main():
        await asyncio.Queue().get()

    [line] = lines_of(main)
    assert line.startswith("main: blocked in Queue.get(), at test_deadlock.py:")


def test_a_task_that_waits_for_another_one_names_it():
    async def main():
        async with asyncio.TaskGroup() as group:
            first = group.create_task(wait("first"), name="first")
            group.create_task(asyncio.wait([first]), name="waiting")
            await first

    lines = lines_of(main)
    assert lines[0].startswith("main: blocked in await of task 'first', at test_deadlock.py:")
    assert lines[1:2] == ["first: blocked in <operation on first>"]
    assert len(lines) == 3


def test_gather_names_those_that_are_not_done():
    async def main():
        tasks = [asyncio.create_task(wait(name), name=name) for name in "ab"]
        await asyncio.gather(asyncio.sleep(1), *tasks)

    assert lines_of(main)[0].startswith("main: blocked in gather of 'a', 'b', at test_deadlock.py:")


def test_sleeping_for_ever_is_no_timer():
    async def main():
        await asyncio.sleep(math.inf)

    [line] = lines_of(main)
    assert line.startswith("main: blocked in sleep()")


def test_a_bare_future_is_a_deadlock_too():
    async def main():
        await asyncio.get_running_loop().create_future()

    [line] = lines_of(main)
    assert line.startswith("main: blocked in ")
    assert "test_deadlock.py" in line


def test_two_runs_give_the_same_text():
    async def main():
        await asyncio.gather(*(wait(str(number)) for number in range(50)))

    assert lines_of(main) == lines_of(main)


def test_a_timer_that_is_left_is_no_deadlock():
    async def main():
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(1e6, future.set_result, "late")
        return await future

    assert run(main) == "late"


def test_a_thread_that_a_notebooks_kernel_starts_meanwhile_is_not_waited_for():
    """As when the page asks for a subshell in the middle of a run: its thread waits for the page, for ever."""
    class SubshellThread(threading.Thread):
        __module__ = "ipykernel.subshell"

    the_page_closes = threading.Event()
    thread = SubshellThread(target=the_page_closes.wait, args=(5.0,), daemon=True)

    async def main():
        thread.start()
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run(main)
    assert thread.is_alive()
    the_page_closes.set()
    thread.join()
