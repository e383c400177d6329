"""What `run` promises besides time: results, failures, and that nothing is left behind."""

import asyncio
import functools
import gc
import subprocess
import sys
import threading
import time

import pytest

from asyncpatterns.testing import Deadlock, run


async def answer() -> int:
    await asyncio.sleep(1)
    return 42


async def wait_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


def failing(error: BaseException):
    async def main():
        await asyncio.sleep(1)
        raise error

    return main


def test_run_returns_what_main_returns():
    assert run(answer) == 42


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_run_raises_what_main_raises(error, capfd):
    with pytest.raises(type(error)) as caught:
        run(failing(error))
    assert caught.value is error
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("create", [asyncio.create_task, asyncio.Task])
def test_a_task_that_ends_the_program_ends_the_run_and_is_not_complained_of(create, error, caplog):
    cleaned = []

    async def main():
        task = create(failing(error())())
        try:
            await wait_for_ever()
        finally:
            cleaned.append(task.done())

    try:
        run(main)
    except error:
        cleaned.append("ended")
    assert cleaned == [True, "ended"]
    gc.collect()
    assert not caplog.records


def test_a_coroutine_function_may_be_partial_or_a_method():
    class Program:
        async def main(self, number: int) -> int:
            return number

    assert run(functools.partial(Program().main, 7)) == 7


def test_a_coroutine_object_is_a_kind_type_error():
    with pytest.raises(TypeError, match=r"run\(answer\), not run\(answer\(\)\)"):
        run(answer())


KINDS = [None, 3, "main", lambda: 3, print]


@pytest.mark.parametrize("wrong", KINDS, ids=["None", "a number", "a text", "a lambda", "print"])
def test_anything_else_is_a_type_error(wrong):
    with pytest.raises(TypeError):
        run(wrong)


def leaves_everything_open(log: list[str], then):
    async def left_over(name):
        try:
            await wait_for_ever()
        finally:
            await asyncio.sleep(1)      # a clean-up may take its time
            log.append(name)

    async def generate():
        try:
            yield 1
        finally:
            log.append("generator")

    async def main():
        log.append(asyncio.get_running_loop())
        tasks = [asyncio.create_task(left_over(name)) for name in "ab"]
        generator = generate()
        await anext(generator)
        await asyncio.to_thread(lambda: log.append(threading.current_thread()))
        await then()
        return tasks, generator

    return main


async def nothing() -> None:
    pass


@pytest.mark.parametrize(
    "then, error", [(nothing, None), (wait_for_ever, Deadlock), (failing(ValueError()), ValueError)]
)
def test_leftovers_are_cancelled_and_awaited_and_the_loop_is_closed(then, error):
    log: list = []
    if error is None:
        run(leaves_everything_open(log, then))
    else:
        with pytest.raises(error):
            run(leaves_everything_open(log, then))
    loop, thread, *cleaned = log
    assert cleaned == ["a", "b", "generator"]
    assert loop.is_closed()
    assert not thread.is_alive()


def test_leftovers_end_in_the_order_in_which_they_began():
    """In a set of fifty, ordered by their addresses, this would come about by chance once in 10^64 runs."""
    order: list = []
    held: list = []

    async def endless(name):
        try:
            while True:
                yield
        finally:
            order.append(name)

    async def sleeper(name):
        try:
            await wait_for_ever()
        finally:
            order.append(name)

    async def main():
        loop = asyncio.get_running_loop()
        for number in range(50):
            held.append(loop.create_task(sleeper(("task", number))))
        for number in range(50):
            held.append(asyncio.Task(sleeper(("task behind the loop's back", number)), loop=loop))
        for number in range(50):
            held.append(endless(("generator", number)))
            await anext(held[-1])

    run(main)
    kinds = ("task", "task behind the loop's back", "generator")
    assert order == [(kind, number) for kind in kinds for number in range(50)]


def test_a_task_that_starts_another_one_while_it_is_cancelled_leaves_none():
    log = []

    async def child():
        try:
            await wait_for_ever()
        finally:
            log.append("child")

    async def parent():
        try:
            await wait_for_ever()
        finally:
            log.append(asyncio.create_task(child()))

    async def main():
        log.append(asyncio.create_task(parent()))
        await asyncio.sleep(1)

    run(main)
    assert log[1].cancelled()


def test_a_task_that_cannot_be_cancelled_is_a_deadlock_that_names_it():
    async def stubborn():
        for _ in range(15):
            try:
                await wait_for_ever()
            except asyncio.CancelledError:
                pass

    async def main():
        asyncio.create_task(stubborn(), name="the stubborn one")    # noqa: RUF006
        await asyncio.sleep(1)

    with pytest.raises(Deadlock, match="the stubborn one"):
        run(main)


def test_a_failure_is_not_hidden_by_what_happens_while_tidying_up():
    async def main():
        try:
            await wait_for_ever()
        finally:
            await wait_for_ever()

    with pytest.raises(Deadlock) as caught:
        run(main)
    assert "main: blocked in" in str(caught.value)


def test_a_failure_while_tidying_reaches_the_exception_handler():
    seen = []

    async def bad():
        try:
            await wait_for_ever()
        finally:
            raise ValueError("in the clean-up")

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context["exception"]))
        asyncio.create_task(bad())      # noqa: RUF006
        await asyncio.sleep(1)

    run(main)
    assert [str(error) for error in seen] == ["in the clean-up"]


def test_the_current_loop_is_left_as_it_was_found():
    mine = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(mine)
        run(answer)
        assert asyncio.get_event_loop_policy().get_event_loop() is mine
    finally:
        asyncio.set_event_loop(None)
        mine.close()


def test_run_works_where_a_loop_is_running_already_as_in_a_notebook():
    async def notebook():
        with pytest.raises(Deadlock):
            run(wait_for_ever)
        with pytest.raises(ValueError, match="no"):
            run(failing(ValueError("no")))
        return run(answer), asyncio.get_running_loop()

    async def main():
        loop = asyncio.get_running_loop()
        return await notebook() == (42, loop)

    assert asyncio.run(main())
    assert run(main)


def test_run_works_on_any_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(run(answer)))
    thread.start()
    thread.join()
    assert results == [42]


INTERRUPTED = """
import asyncio, signal, threading, time, os
from asyncpatterns.testing import run

async def main():
    try:
        await asyncio.to_thread(time.sleep, 0.5)
    finally:
        print("cleaned")

async def notebook():
    run(main)

signal.signal(signal.SIGINT, signal.default_int_handler)     # a job in a shell's background ignores it
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    START
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("start", ["run(main)", "asyncio.run(notebook())"])
def test_control_c_passes_through_cleanly(start):
    begun = time.perf_counter()
    program = [sys.executable, "-c", INTERRUPTED.replace("START", start)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["cleaned", "interrupted"]
    assert done.stderr == ""
    assert time.perf_counter() - begun < 30


def test_tasks_are_numbered_from_one_in_every_run():
    async def main():
        tasks = [asyncio.create_task(nothing()) for _ in range(2)]
        return [asyncio.current_task().get_name(), *(task.get_name() for task in tasks)]

    assert run(main) == run(main) == ["main", "Task-1", "Task-2"]
