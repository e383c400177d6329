"""The checks of chapter 04: the solution passes, and each way to get it wrong has a hint of its own."""

import asyncio

import pytest

from asyncpatterns.channels import go
from asyncpatterns.lessons.check import chapter04 as check


async def answer(model, text):
    return await asyncio.to_thread(model, text)


async def on_the_loop(model, text):
    return model(text)


async def forgets_to_await(model, text):
    return asyncio.to_thread(model, text)


async def calls_too_early(model, text):
    return await asyncio.to_thread(model(text))


async def keeps_the_answer(model, text):
    await asyncio.to_thread(model, text)


async def never_asks(model, text):
    return "answer to hello"


async def untouched(model, text):
    ...  # your code here


def test_the_loop_stays_free():
    assert check.leaves_the_loop_free(answer)
    assert check.leaves_the_loop_free(untouched).kind == "todo"
    assert check.leaves_the_loop_free(None).kind == "todo"


@pytest.mark.parametrize(("wrong", "hint"), [
    (on_the_loop, "changes nothing"), (forgets_to_await, "put `await` before it"),
    (calls_too_early, "calls the model first"), (keeps_the_answer, "return"), (never_asks, "Let a thread call it"),
])  # fmt: skip
def test_each_wrong_way_to_free_the_loop_has_a_hint_of_its_own(wrong, hint):
    verdict = check.leaves_the_loop_free(wrong)
    assert not verdict and hint in verdict.hint


running: set[asyncio.Task] = set()


def spawn(coroutine):
    task = asyncio.create_task(coroutine)
    running.add(task)
    task.add_done_callback(finished)
    return task


def finished(task):
    running.discard(task)
    if not task.cancelled() and task.exception():
        _tell(task)


def _tell(task):
    context = {"message": "failed", "exception": task.exception(), "task": task}
    task.get_loop().call_exception_handler(context)


def forgets(coroutine):
    return asyncio.create_task(coroutine)


def never_lets_go(coroutine):
    task = asyncio.create_task(coroutine)
    running.add(task)
    return task


def takes_cancellation_for_failure(coroutine):
    task = asyncio.create_task(coroutine)
    task.add_done_callback(lambda task: task.exception() and _tell(task))
    return task


def tells_twice(coroutine):
    task = asyncio.create_task(coroutine)

    def done(task):
        finished(task)
        task.cancelled() or task.result()

    task.add_done_callback(done)
    return task


def tells_something_else(coroutine):
    task = asyncio.create_task(coroutine)
    task.add_done_callback(lambda task: task.cancelled() or task.get_loop().call_exception_handler({"message": "hm"}))
    return task


def unfilled(coroutine):
    task = asyncio.create_task(coroutine)
    ...  # your code here  # noqa: PIE790
    return task


@pytest.mark.parametrize("right", [spawn, go])
def test_a_task_is_held_and_its_failure_heard(right):
    assert check.keeps_tasks(right) and check.tells_failures(right)


def test_an_unfilled_spawn_is_told_kindly():
    assert check.keeps_tasks(unfilled).kind == check.tells_failures(unfilled).kind == "todo"


@pytest.mark.parametrize(("wrong", "hint"), [(forgets, "running.add(task)"), (never_lets_go, "running.discard(task)")])
def test_each_wrong_way_to_hold_a_task_has_a_hint_of_its_own(wrong, hint):
    verdict = check.keeps_tasks(wrong)
    assert verdict.kind == "wrong" and hint in verdict.hint
    running.clear()


@pytest.mark.parametrize(("wrong", "hint"), [
    (forgets, "ask `task.exception()`"), (takes_cancellation_for_failure, "task.cancelled()"),
    (tells_twice, "Tell it once"), (tells_something_else, "Its context is a dict"),
])  # fmt: skip
def test_each_wrong_way_to_tell_a_failure_has_a_hint_of_its_own(wrong, hint):
    verdict = check.tells_failures(wrong)
    assert verdict.kind == "wrong" and hint in verdict.hint


async def answer_all(model, texts):
    return await asyncio.gather(*(answer(model, text) for text in texts))


async def blocks(model, texts):
    return [model(text) for text in texts]


async def does_not_wait(model, texts):
    return [asyncio.ensure_future(answer(model, text)) for text in texts]


async def shuffles(model, texts):
    return (await answer_all(model, texts))[::-1]


async def loses_one(model, texts):
    return await answer_all(model, texts[1:])


def test_everyone_is_answered():
    assert check.answers_all(answer_all)
    assert check.answers_all(untouched).kind == "todo"


@pytest.mark.parametrize(("wrong", "hint"), [
    (blocks, "do not call the model yourself"), (does_not_wait, "Wait for all"), (shuffles, "keeps the order"),
    (loses_one, "One call"),
])  # fmt: skip
def test_each_wrong_way_to_answer_everyone_has_a_hint_of_its_own(wrong, hint):
    verdict = check.answers_all(wrong)
    assert verdict.kind == "wrong" and hint in verdict.hint


def test_the_number_to_beat():
    assert check.beats((0.3, 0.02), (0.5, 0.5))
    assert check.beats(None, (0.5, 0.5)).kind == "todo"
    assert "still blocks" in check.beats((0.5, 0.5), (0.5, 0.5)).hint
    assert "start them together" in check.beats((1.6, 0.02), (0.5, 0.5)).hint
