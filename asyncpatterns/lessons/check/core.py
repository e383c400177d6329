"""The frame around every check.

    @check("calls that queue up share a batch")
    async def gathers(make):
        model = FakeModel()
        ...
        expect(model.sizes == [1, 7], saw=f"batches of {model.sizes}", hint="Take all that is queued, not one request.")
        return "1 call alone, then 7 in one batch"

A plain function checks a value; an `async def` runs on a virtual clock, in a thread and on an event loop of its own, so
that it neither waits nor meets the notebook's loop. What the learner's code does to it becomes a verdict: an untouched
stub, a failed expectation, an exception, a deadlock, a loop that never ends. `diagnose=` maps what was raised to a
hint.

Invariant: a check returns a `Verdict` within `PATIENCE` seconds and raises nothing, whatever it was given.
"""

import asyncio
import ctypes
import dis
import functools
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

PATIENCE = 10.0
WIDE = 100
MARKER = "# your code here"
TODO = "This one is not written yet."
_given: "list[Verdict]" = []


@dataclass(frozen=True)
class Verdict:
    """What a check found; true only on a pass. `kind` is `pass`, `todo`, `wrong`, `error`, `stuck` or `endless`."""

    name: str
    kind: str
    saw: str
    hint: str = ""

    def __bool__(self) -> bool:
        return self.kind == "pass"

    def __repr__(self) -> str:
        lines = [f"{'PASS' if self else 'FAIL'}  {self.name}", *_said("seen: ", self.saw)]
        return "\n".join([*lines, *(_said("try:  ", self.hint) if self.hint else [])])

    def _ipython_display_(self) -> None:
        """Shows nothing: the check has printed it already, wherever in the cell it stands."""


def _said(head: str, words: str) -> list[str]:
    """Lines that fit a narrow page: a line that is too long breaks there in the middle of a word."""
    return [part for place, line in enumerate(words.split("\n"))
            for part in wrap(line, WIDE, initial_indent=" " * 12 if place else f"      {head}",
                             subsequent_indent=" " * 12, break_long_words=False, break_on_hyphens=False)]


class Unexpected(Exception):
    """A failed expectation: what was seen instead, and what to try."""

    def __init__(self, saw: str, hint: str) -> None:
        super().__init__(saw)
        self.saw, self.hint = saw, hint


def expect(condition: object, *, saw: str, hint: str) -> None:
    """The check fails unless `condition` is true: with what was `saw` instead of it, and a `hint` what to try."""
    if not condition:
        raise Unexpected(saw, hint)


Diagnose = Callable[[BaseException], str | None]


def check(name: str, *, diagnose: Diagnose | None = None) -> Callable[[Callable[..., Any]], Callable[..., Verdict]]:
    """Makes a check out of a function that takes the learner's work, and returns in words what it saw when all is
    well.
    """
    def wrap(function: Callable[..., Any]) -> Callable[..., Verdict]:
        @functools.wraps(function)
        def checked(*work: Any, **options: Any) -> Verdict:
            verdict = _judge(name, function, work, options, diagnose)
            _given.append(verdict)
            print(verdict)
            return verdict

        return checked

    return wrap


def given() -> list[Verdict]:
    """Every verdict that was given in this process, oldest first."""
    return list(_given)


def unsolved() -> list[Verdict]:
    """The last verdict of each check that is not a pass: a chapter may show a failure on purpose, and then its cure."""
    return [verdict for verdict in {verdict.name: verdict for verdict in _given}.values() if not verdict]


def stub(work: Any) -> bool:
    """Whether this is an exercise that nobody has touched: `...`, None, or a function or class with nothing written."""
    if work is None or work is ... or work is NotImplemented:
        return True
    if inspect.isclass(work):
        return any(stub(member) for member in vars(work).values() if inspect.isfunction(member))
    return inspect.isfunction(work) and _empty(work)


def _empty(function: Any) -> bool:
    """A body of nothing but a docstring, `...` or `pass` compiles to what an empty function compiles to."""
    return _steps(function) == _steps(_nothing_async if inspect.iscoroutinefunction(function) else _nothing)


def _steps(function: Any) -> list[tuple[str, Any]]:
    return [(step.opname, step.argval if "CONST" in step.opname else None) for step in dis.get_instructions(function)]


def _nothing() -> None: ...


async def _nothing_async() -> None: ...


def _judge(name: str, function: Callable[..., Any], work: tuple[Any, ...], options: dict[str, Any],
           diagnose: Diagnose | None) -> Verdict:
    if any(stub(piece) for piece in work):
        return Verdict(name, "todo", TODO, _first_line(function))
    kind, outcome = _within(PATIENCE, lambda: _run(function, work, options))
    if kind == "value":
        return Verdict(name, "pass", str(outcome))
    if kind == "endless":
        return Verdict(name, "endless", f"your code was still busy after {PATIENCE:g} s",
                       "A loop without an `await` never lets anybody else run. Which loop of yours can go on for ever?")
    return _failure(name, outcome, any(_marked(piece) for piece in work), diagnose, _first_line(function))


def _failure(name: str, problem: BaseException, marked: bool, diagnose: Diagnose | None, about: str) -> Verdict:
    if marked or isinstance(problem, NotImplementedError):
        return Verdict(name, "todo", TODO, f"There is still a `...  {MARKER}` to fill in. {about}".strip())
    if isinstance(problem, Unexpected):
        return Verdict(name, "wrong", problem.saw + _asides(problem), problem.hint)
    known = diagnose(problem) if diagnose else None
    if type(problem).__name__ == "Deadlock":
        return Verdict(
            name,
            "stuck",
            f"everybody waits, nothing will ever happen{_asides(problem)}: {problem}",
            known or "Somebody waits for an answer that nobody gives. Follow one request from its call to its reply.",
        )
    return Verdict(name, "error", f"your code raised {type(problem).__name__}: {problem}{_where(problem)}",
                   known or "Read the last line of the error first, then the line of your code that it names.")


def _run(function: Callable[..., Any], work: tuple[Any, ...], options: dict[str, Any]) -> Any:
    if not inspect.iscoroutinefunction(function):
        return function(*work, **options)
    from asyncpatterns.testing import run

    tasks: list[asyncio.Task[Any]] = []

    async def main() -> Any:
        _observe_tasks(asyncio.get_running_loop(), tasks)
        return await function(*work, **options)

    try:
        return run(main)
    except BaseException as problem:
        problem.__dict__["asides"] = [task.exception() for task in tasks if _failed_unseen(task)]
        raise
    finally:
        for task in tasks:
            _failed_unseen(task) and task.exception()       # the verdict tells it: no complaint when it is collected


def _observe_tasks(loop: asyncio.AbstractEventLoop, tasks: "list[asyncio.Task[Any]]") -> None:
    """Keeps every task that the learner's code starts: one that dies unseen explains why others wait for ever."""
    loop.set_exception_handler(lambda loop, context: None)
    make = loop.get_task_factory() or (lambda loop, coroutine, **options: asyncio.Task(coroutine, loop=loop, **options))

    def factory(loop: Any, coroutine: Any, **options: Any) -> Any:
        task: Any = make(loop, coroutine, **options)
        tasks.append(task)
        return task

    loop.set_task_factory(factory)


def _failed_unseen(task: "asyncio.Task[Any]") -> bool:
    return task.done() and not task.cancelled() and getattr(task, "_log_traceback", False)


def _within(patience: float, call: Callable[[], Any]) -> tuple[str, Any]:
    """Runs the call on a thread of its own, and interrupts it when it takes too long: ("value" | "raised" | "endless",
    outcome).
    """
    outcome: list[tuple[str, Any]] = []

    def body() -> None:
        try:
            outcome.append(("value", call()))
        except BaseException as problem:
            outcome.append(("raised", problem))

    thread = threading.Thread(target=body, name="check", daemon=True)
    thread.start()
    thread.join(patience)
    if thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
        thread.join(1.0)
        return "endless", None
    return outcome[0]


def _asides(problem: BaseException) -> str:
    """What else went wrong: the learner's own tasks that ended with an exception."""
    told = [f"; a task of yours ended with {type(aside).__name__}: {aside}{_where(aside)}"
            for aside in getattr(problem, "asides", []) if aside is not problem]
    return "".join(told[:2])


def _marked(work: Any) -> bool:
    """Whether the source of the learner's work still holds the marker of an unfilled place."""
    if not (inspect.isfunction(work) or inspect.isclass(work)):
        return False
    functions = [m for m in vars(work).values() if inspect.isfunction(m)] if inspect.isclass(work) else [work]
    return any(MARKER in _source(function) for function in functions)


def _source(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return ""


def _where(problem: BaseException) -> str:
    """The innermost line of the learner's own code that the exception passed through."""
    place, trace = "", problem.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "asyncpatterns" not in code.co_filename and "asyncio" not in code.co_filename:
            place = f" (line {trace.tb_lineno} of {code.co_name})"
        trace = trace.tb_next
    return place


def _first_line(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
