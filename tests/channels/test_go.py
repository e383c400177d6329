"""`go`: tasks that neither vanish nor fail in silence."""

import asyncio
import gc
import weakref

import pytest

from asyncpatterns.channels import go
from asyncpatterns.testing import run

from .combining import source_of, tidy


def test_go_starts_a_coroutine_an_operation_or_a_future_and_returns_a_task():
    async def main():
        future = asyncio.get_running_loop().create_future()
        future.set_result("future")
        channel = source_of("operation")
        tasks = [go(asyncio.sleep(1, "coroutine"), name="sleeper"), go(channel.receive()), go(future)]
        assert all(isinstance(task, asyncio.Task) for task in tasks) and tasks[0].get_name() == "sleeper"
        assert [await task for task in tasks] == ["coroutine", "operation", "future"]
        with pytest.raises(TypeError, match="await"):
            go(3)

    tidy(main)


def test_go_holds_its_task_while_it_runs():
    async def main():
        done = []

        async def lonely():
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(1, lambda ref: ref() and ref().set_result(1), weakref.ref(future))
            await future
            done.append(True)

        go(lonely())
        await asyncio.sleep(0)
        gc.collect()
        await asyncio.sleep(2)
        assert done

    tidy(main)


def test_a_failure_reaches_the_exception_handler_even_while_the_task_is_held():
    async def main():
        seen = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))

        async def fail():
            raise ValueError("x")

        task = go(fail())
        await asyncio.sleep(1)
        assert [str(context["exception"]) for context in seen] == ["x"] and seen[0]["task"] is task
        with pytest.raises(ValueError, match="x"):
            await task
        cancelled = go(asyncio.sleep(10))
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert len(seen) == 1

    run(main)


def test_a_failure_that_is_no_exception_proper_reaches_the_exception_handler_too():
    class Odd(BaseException):
        pass

    async def main():
        seen = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context["exception"]))

        async def fail():
            raise Odd

        task = go(fail())
        await asyncio.wait([task])
        await asyncio.sleep(0)
        assert seen == [task.exception()] and isinstance(seen[0], Odd)

    run(main)
