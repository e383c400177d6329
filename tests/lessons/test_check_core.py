"""A check gives a verdict, whatever it was given: PASS or FAIL, what was seen, what to try. It never raises."""

import asyncio

import pytest

from asyncpatterns.lessons.check import check, core, expect, given, stub, unsolved


@check("twice two")
def twice_two(function):
    """Return 4."""
    got = function()
    expect(got == 4, saw=f"{got!r}", hint="2 + 2")
    return "4"


@check("an answer in time")
async def in_time(function):
    """Answer."""
    await function()
    return f"after {asyncio.get_running_loop().time():g} s"


def test_a_pass_says_what_was_seen(capsys):
    verdict = twice_two(lambda: 4)
    assert verdict and capsys.readouterr().out == "PASS  twice two\n      seen: 4\n"


def test_a_failure_says_what_was_seen_and_what_to_try(capsys):
    verdict = twice_two(lambda: 5)
    assert not verdict and verdict.kind == "wrong"
    assert capsys.readouterr().out == "FAIL  twice two\n      seen: 5\n      try:  2 + 2\n"


def test_the_last_expression_of_a_cell_does_not_print_it_twice(capsys):
    verdict = twice_two(lambda: 4)
    capsys.readouterr()
    verdict._ipython_display_()
    assert capsys.readouterr().out == ""


def empty(): ...


async def empty_async(): ...


def documented():
    """Says what to do."""


class Half:
    def done(self):
        return 1

    def todo(self, x): ...


class Full:
    def done(self):
        return 1

    async def also(self):
        await asyncio.sleep(0)


@pytest.mark.parametrize("work", [..., None, empty, empty_async, documented, Half, lambda: None, lambda: ...])
def test_an_untouched_stub_is_todo(work):
    verdict = twice_two(work)
    assert verdict.kind in ("todo", "wrong") and not verdict
    if work not in (..., None) and getattr(work, "__name__", "") == "<lambda>":
        return
    assert stub(work) and verdict.saw == core.TODO and verdict.hint == "Return 4."


@pytest.mark.parametrize("work", [Full, len, lambda: 4, 4, "x", print])
def test_work_that_is_there_is_no_stub(work):
    assert not stub(work)


def test_a_place_still_to_fill_in_is_todo_and_not_wrong():
    def half_done():
        return (
            ...  # your code here
        )

    verdict = twice_two(half_done)
    assert verdict.kind == "todo" and "# your code here" in verdict.hint


def test_a_forgotten_comment_does_not_spoil_a_solution():
    def done():
        # your code here
        return 4

    assert twice_two(done)


def test_not_implemented_is_todo():
    def later():
        raise NotImplementedError

    assert twice_two(later).kind == "todo"


def test_an_exception_is_told_with_the_line_of_the_learner():
    def broken():
        return 1 / 0

    verdict = twice_two(broken)
    assert verdict.kind == "error" and "ZeroDivisionError" in verdict.saw and "of broken)" in verdict.saw


def test_even_a_system_exit_is_only_a_verdict():
    def leave():
        raise SystemExit(3)

    assert twice_two(leave).kind == "error"


def test_an_async_check_runs_on_a_virtual_clock():
    verdict = in_time(lambda: asyncio.sleep(3600))
    assert verdict and verdict.saw == "after 3600 s"


def test_an_async_check_works_where_a_loop_is_running():
    async def cell():
        return in_time(lambda: asyncio.sleep(5))

    assert asyncio.run(cell())


def test_a_deadlock_is_told_kindly():
    verdict = in_time(lambda: asyncio.get_running_loop().create_future())
    assert verdict.kind == "stuck" and "everybody waits" in verdict.saw


def test_a_task_that_died_unseen_explains_why_the_others_wait():
    async def forgotten():
        async def die():
            raise LookupError("no such model")

        task = asyncio.get_running_loop().create_task(die())
        await asyncio.get_running_loop().create_future()
        return task

    verdict = in_time(forgotten)
    assert verdict.kind == "stuck" and "a task of yours ended with LookupError: no such model" in verdict.saw


def test_a_loop_that_never_ends_is_interrupted(monkeypatch):
    monkeypatch.setattr(core, "PATIENCE", 0.2)

    def busy():
        while True:
            pass

    verdict = twice_two(busy)
    assert verdict.kind == "endless" and "0.2 s" in verdict.saw


def test_only_the_last_verdict_of_a_check_counts():
    twice_two(lambda: 5)
    assert [v.name for v in unsolved() if v.name == "twice two"] == ["twice two"]
    twice_two(lambda: 4)
    assert not [v for v in unsolved() if v.name == "twice two"] and given()[-1]
