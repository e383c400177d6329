"""Chapter 04: the event loop, and what blocks it."""

import asyncio
import gc
import inspect
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from ...testing import run
from .core import check, expect
from .fake_model import FakeModel, turns

Model = Callable[[Any], Any]
Spawn = Callable[[Coroutine[Any, Any, Any]], Any]
THREAD = "`await asyncio.to_thread(model, text)`"


def _diagnose(problem: BaseException) -> str | None:
    if isinstance(problem, TypeError) and "not callable" in str(problem):
        return ("`to_thread(model(text))` calls the model first, here, and hands its result to the thread. Give it the "
                "function and the argument, separately: " + THREAD)
    return None


@check("the loop stays free while the model computes", diagnose=_diagnose)
async def leaves_the_loop_free(answer: Callable[[Model, str], Awaitable[Any]]) -> str:
    """`await answer(model, text)` gives what `model(text)` returns, and others go on meanwhile."""
    model = FakeModel(answer=_reply)
    got = await answer(model, "hello")
    if inspect.iscoroutine(got):
        got.close()
        expect(False, saw="the answer is a coroutine: work that has not begun",
               hint="What describes the work does not do it yet: put `await` before it.")
    expect(model.batches, saw="the model was never called", hint="Let a thread call it: " + THREAD)
    expect(not model.on_loop, saw="the model ran on the event loop's own thread: nobody else got a turn",
           hint="An `async def` around a blocking call changes nothing. Let a thread call it: " + THREAD)
    expect(got == "answer to hello", saw=f"the caller got {got!r}, expected 'answer to hello'",
           hint="`return` what the thread brings back.")
    return "the model ran on a thread of its own, and the caller got its answer"


def _reply(letters: list[str]) -> Any:
    return f"answer to {''.join(letters)}"


@check("a task that nobody holds goes on")
def keeps_tasks(spawn: Spawn) -> str:
    """Hold the task while it runs, and let go of it afterwards."""
    kept, released = run(lambda: _held(spawn))
    expect(kept, saw="the garbage collector took the task in the middle of its work",
           hint="asyncio holds tasks weakly. Put it into a set that lives as long as the program: `running.add(task)`.")
    expect(released, saw="the task ended, and is still held: with every spawn the program grows",
           hint="Take it out of the set when it is done: `running.discard(task)` in a done callback.")
    return "held while it runs, let go afterwards"


async def _held(spawn: Spawn) -> tuple[bool, bool]:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    waiting, ended = weakref.ref(spawn(_waits_for_itself())), weakref.ref(spawn(asyncio.sleep(1)))
    await turns()
    gc.collect()
    kept = waiting() is not None
    await asyncio.sleep(2)
    gc.collect()
    return kept, ended() is None


async def _waits_for_itself() -> None:
    await asyncio.get_running_loop().create_future()


@check("a failure is heard at once")
def tells_failures(spawn: Spawn) -> str:
    """When a task fails, tell the loop's exception handler; a cancelled one has not failed."""
    told, cancelled = run(lambda: _told(spawn))
    failures = [context.get("exception") for context in told]
    expect(failures, saw="a task failed, and for an hour nobody heard of it",
           hint="In the done callback ask `task.exception()`, and give it to `loop.call_exception_handler({...})`.")
    expect(any(isinstance(failure, OSError) for failure in failures),
           saw=f"the handler was told {failures!r} instead of the task's own exception",
           hint='Its context is a dict: {"message": ..., "exception": task.exception(), "task": task}.')
    expect(len(failures) == 1, saw=f"the handler was told {len(failures)} times of one failure",
           hint="Tell it once; a callback that raises tells it again.")
    expect(not cancelled, saw="a task that was cancelled was reported as a failure",
           hint="`task.exception()` raises when the task was cancelled. Ask `task.cancelled()` first.")
    return "one failure, told once; a cancellation is none"


async def _told(spawn: Spawn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context))
    broken, cancelled = spawn(_breaks()), spawn(asyncio.sleep(3600))
    await asyncio.sleep(1)
    failures = list(heard)
    cancelled.cancel()
    await asyncio.sleep(1)
    broken.exception()          # heard by now, or never
    return failures, heard[len(failures):]


async def _breaks() -> None:
    raise OSError("the printer is on fire")


@check("everyone is answered, in order", diagnose=_diagnose)
async def answers_all(answer_all: Callable[[Model, Sequence[str]], Awaitable[Sequence[Any]]]) -> str:
    """`await answer_all(model, texts)` gives the answers, in the order of the texts, off the loop."""
    model, texts = FakeModel(answer=_reply), [f"question {number}" for number in range(8)]
    got = await answer_all(model, texts)
    expect(isinstance(got, list | tuple) and not any(map(inspect.isawaitable, got)), saw=f"it gave {got!r:.60}",
           hint="Wait for all of them: `await asyncio.gather(*(...))` gives a list of results.")
    expect(not model.on_loop, saw="the model ran on the event loop's own thread",
           hint="Call `answer(model, text)` for each text; do not call the model yourself.")
    expect(sorted(got) == sorted(f"answer to {text}" for text in texts), saw=f"8 questions, {len(got)} answers",
           hint="One call of the model for each text.")
    expect(list(got) == [f"answer to {text}" for text in texts], saw=f"the first of the answers is {got[0]!r}",
           hint="`gather` keeps the order of what it is given; `as_completed` does not.")
    return "8 questions, 8 answers, in order"


@check("half the lag at most, in about the same time")
def beats(mine: tuple[float, float] | None, before: tuple[float, float]) -> str:
    """With `answer_all` written, here it is beside the simplest: seconds for all eight, and the worst lag meanwhile."""
    assert mine is not None
    (took, lag), (took_before, lag_before) = mine, before
    saw = f"{took:.2f} s, {1e3 * lag:.0f} ms late; before it was {took_before:.2f} s, {1e3 * lag_before:.0f} ms late"
    expect(lag * 2 <= lag_before, saw=saw, hint="Something still blocks: is the model called in the loop's own thread?")
    expect(took <= 3 * took_before, saw=saw, hint="One after the other wastes the second core: start them together.")
    return saw
