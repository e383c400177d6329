"""Chapter 08: a batcher in 25 lines, and seven ways in which it breaks.

Each check takes `make`, called as `make(function, max_batch_size=n)`; what it returns is called as `await
batcher(item)`. `function` is plain and blocking: a list goes in, a sequence of as many results comes out.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from .core import Verdict, check, expect
from .fake_model import FakeModel, call, opened, outcomes, turns

Make = Callable[..., Any]


def _diagnose(problem: BaseException) -> str | None:
    words = str(problem)
    if isinstance(problem, TypeError) and "await" in words:
        return ("`function` is a plain function that returns a list; what can be awaited is "
                "`asyncio.to_thread(function, items)`. And `batcher(item)` itself must be an `async def __call__`.")
    if isinstance(problem, TypeError) and "max_queue" in words:
        return "Give `__init__` one more parameter, `max_queue`."
    return None


@check("everyone gets its own answer", diagnose=_diagnose)
async def answers(make: Make) -> str:
    """Write `__init__`, `__call__` and the loop that runs the batches."""
    model = FakeModel()
    async with opened(make, model, max_batch_size=4) as batcher:
        got = await outcomes([call(batcher, item) for item in "abcdef"])
    for problem in (g for g in got if isinstance(g, Exception)):
        raise problem
    expect("hangs" not in got, saw=f"{got.count('hangs')} of 6 callers never heard back",
           hint="Every request that reaches the model needs its future resolved. Does your loop go on after a batch?")
    expect(all(g == ("answer", i) for g, i in zip(got, "abcdef", strict=True)), saw=f"the caller of 'a' got {got[0]!r}",
           hint="Pair each reply with the result at the same place: `zip(batch, results)`, in one and the same order.")
    return "6 callers, 6 right answers"


@check("calls that queue up share a batch", diagnose=_diagnose)
async def gathers(make: Make) -> str:
    """After the first request, take whatever else is queued."""
    model = FakeModel()
    async with opened(make, model, max_batch_size=4) as batcher:
        await outcomes([call(batcher, item) for item in range(10)])
    sizes = model.sizes
    expect(max(sizes, default=0) <= 4, saw=f"a batch of {max(sizes, default=0)} with max_batch_size=4",
           hint="Stop collecting when the batch is full; the rest stay queued for the next one.")
    expect(max(sizes, default=0) > 1, saw=f"{len(sizes)} batches of one request",
           hint="After the first request, take what else is queued: `receive_nowait()` until it raises `WouldBlock`.")
    expect(len(sizes) <= 5, saw=f"10 requests went in batches of {sizes}",
           hint="All ten were there before the first batch began. Collect until the queue is empty or the batch full.")
    return f"10 requests in batches of {sizes}"


@check("a lone request does not wait for company", diagnose=_diagnose)
async def serves_a_lone_request_at_once(make: Make) -> str:
    """An idle batcher has no reason to wait."""
    model = FakeModel()
    async with opened(make, model, max_batch_size=4) as batcher:
        begin = asyncio.get_running_loop().time()
        got = await outcomes([call(batcher, "alone")])
        waited = asyncio.get_running_loop().time() - begin
    expect(got != ["hangs"], saw="a lone request never gets an answer",
           hint="Do not wait until the batch is full: run with what is there.")
    expect(waited == 0, saw=f"a lone request waited {waited:g} s before its batch began",
           hint="Leave the timer out. While the model is busy the next batch gathers by itself.")
    return "answered at once, no timer"


@check("what arrives while a batch runs is together in the next", diagnose=_diagnose)
async def seals_late(make: Make) -> str:
    """Decide who is in a batch at the moment when the model is free, not before."""
    model = FakeModel(held=True)
    async with opened(make, model, max_batch_size=8) as batcher:
        callers = [call(batcher, 0)]
        await model.entered()
        for item in range(1, 8):
            callers.append(call(batcher, item))
            await turns()
        model.release()
        await outcomes(callers)
    expect(model.most_at_once <= 1, saw=f"{model.most_at_once} batches ran at the same time: {model.sizes}",
           hint="Wait for the model's result before you collect the next batch: one batch at a time.")
    expect(
        model.sizes == [1, 7],
        saw=f"one request ran, seven came meanwhile, and went in batches of {model.sizes[1:]}",
        hint="The batch was put together before the model was free. Receive the first request of a batch only after "
        "the batch before it is answered.",
    )
    return "1 request ran, the 7 that came meanwhile went together"


@check("the model leaves the loop free", diagnose=_diagnose)
async def keeps_the_loop_free(make: Make) -> str:
    """The model blocks its thread: that must not be the loop's."""
    model = FakeModel()
    async with opened(make, model, max_batch_size=4) as batcher:
        await outcomes([call(batcher, item) for item in range(3)])
    expect(model.batches, saw="the model was never called", hint="Call `function` with the list of items.")
    expect(
        not model.on_loop,
        saw="the model ran on the event loop's own thread: while it computes, nobody else gets a turn",
        hint="`results = await asyncio.to_thread(self.function, items)`",
    )
    return "the model ran on a thread of its own"


@check("a caller that gives up hurts nobody else", diagnose=_diagnose)
async def survives_a_cancelled_caller(make: Make) -> str:
    """A cancelled caller's future is done already: look before you set its result."""
    model = FakeModel(held=True)
    async with opened(make, model, max_batch_size=4) as batcher:
        running = call(batcher, "running")
        await model.entered()
        queued = [call(batcher, item) for item in ("first", "gone", "last")]
        await turns()
        running.cancel()
        queued[1].cancel()
        await turns()
        model.release()
        first, _, last = await outcomes(queued)
        later = (await outcomes([call(batcher, "later")]))[0]
    expect("hangs" not in (first, last), saw="the batch-mates of a cancelled caller hang for ever",
           hint="`set_result` on a cancelled future raises `InvalidStateError`, and that ends your loop. "
                "First ask `if not reply.done():`")
    expect(later != "hangs", saw="after a cancelled caller nobody is answered any more",
           hint="Your loop has ended. A future that is done already must not stop it: `if not reply.done():`")
    expect(
        (first, last, later) == tuple(("answer", i) for i in ("first", "last", "later")),
        saw=f"the batch-mates of a cancelled caller got {first!r} and {last!r}",
        hint="Cancelling one caller must not move the others' answers or fail them: keep requests and results paired.",
    )
    return "two callers gave up; their batch-mates and the next one were answered"


@check("a result of the wrong length fails everyone and hangs nobody", diagnose=_diagnose)
async def notices_a_short_result(make: Make) -> str:
    """Compare the number of results with the number of requests before you hand any out."""
    model = FakeModel(answer=lambda items: [("answer", item) for item in items][: max(len(items) - 1, 1)])
    async with opened(make, model, max_batch_size=4) as batcher:
        got = await outcomes([call(batcher, item) for item in range(4)])
        later = (await outcomes([call(batcher, "later")]))[0]
    hanging = got.count("hangs")
    expect(
        later != "hangs",
        saw="after one short result nobody is answered any more",
        hint="An exception left your loop and ended it. Give it to the callers of this batch, and go on with the next.",
    )
    expect(not hanging, saw=f"4 requests, 3 results: {hanging} caller{'s' if hanging > 1 else ''} wait for ever",
           hint="`zip` stops at the shorter list without a word. Compare the lengths first.")
    expect(max(model.sizes) == 1 or not any(isinstance(g, tuple) for g in got),
           saw="4 requests, 3 results: some callers got an answer, and it may be a neighbour's",
           hint="Nobody knows which result is missing. Fail all of them before you hand out the first.")
    return "4 requests, 3 results: 4 errors, and the next request is answered"


@check("a failing batch does not end the batcher", diagnose=_diagnose)
async def survives_a_failing_model(make: Make) -> str:
    """Catch what the model raises, and give it to the callers of that batch."""
    model = FakeModel(answer=_dislikes_poison)
    async with opened(make, model, max_batch_size=4) as batcher:
        got = (await outcomes([call(batcher, "poison")]))[0]
        later = (await outcomes([call(batcher, "later")]))[0]
    expect(
        got != "hangs",
        saw="the model raised, and its caller waits for ever",
        hint="Put `try: ... except Exception as error:` around the model, "
        "and `reply.set_exception(error)` for each caller.",
    )
    expect(isinstance(got, ValueError), saw=f"the model raised a ValueError, its caller got {got!r}",
           hint="The caller should see what went wrong: `reply.set_exception(error)`.")
    expect(later != "hangs", saw="after one failed batch nobody is answered any more",
           hint="The exception ended your loop. Catch it inside the loop, not around it.")
    return "its caller got the ValueError, the next request its answer"


@check("a poisoned request fails alone", diagnose=_diagnose)
async def isolates_a_poisoned_request(make: Make) -> str:
    """When a batch fails, find out which request it was: run its parts again."""
    model = FakeModel(answer=_dislikes_poison)
    async with opened(make, model, max_batch_size=8) as batcher:
        got = await outcomes([call(batcher, item) for item in (*"abc", "poison", *"def")])
    poisoned = got.pop(3)
    expect(
        "hangs" not in got,
        saw=f"one request made the model fail, and {got.count('hangs')} batch-mates wait for ever",
        hint="Catch what the model raises inside your loop; every caller needs a result or an exception.",
    )
    failed = sum(isinstance(g, Exception) for g in got)
    expect(not failed, saw=f"one request was poisoned, and {failed} innocent batch-mates failed with it",
           hint="When a batch of more than one fails, run its two halves by themselves, and so on down to the one.")
    expect(isinstance(poisoned, ValueError), saw=f"the poisoned request's own caller got {poisoned!r}",
           hint="The one that fails alone deserves the exception: `reply.set_exception(error)`.")
    return f"1 caller failed, 6 were answered, in {len(model.sizes)} calls of the model"


@check("a full queue says so at once", diagnose=_diagnose)
async def bounds_its_queue(make: Make) -> str:
    """`make(function, max_batch_size, max_queue)`: at most `max_queue` wait, more are refused with an exception."""
    model = FakeModel(held=True)
    async with opened(make, model, max_batch_size=2, max_queue=4) as batcher:
        callers = [call(batcher, 0)]
        await model.entered()
        callers += [call(batcher, item) for item in range(1, 20)]
        await turns()
        refused = sum(c.done() and c.exception() is not None for c in callers)
        model.release()
        got = await outcomes(callers)
    expect(not model.on_loop, saw="the model ran on the loop's thread, so nothing could queue up behind it",
           hint="First `check.keeps_the_loop_free`.")
    answered = sum(isinstance(g, tuple) for g in got)
    expect(
        refused or answered < 19,
        saw="one request ran, 19 more came, max_queue was 4: all were let in",
        hint="If they all queue, memory and waiting times grow without end; if they wait in `await send(...)`, that is "
        "the same queue in disguise. `send_nowait` on a channel with `capacity=max_queue` refuses at once.",
    )
    expect(4 <= answered <= 9, saw=f"of 20 requests {answered} were answered and {refused} refused; max_queue was 4",
           hint="One runs, four wait, the rest are refused: let the channel count, `Channel(capacity=max_queue)`.")
    return f"1 ran, {answered - 1} waited, {refused} were refused at once"


@check("the model works only for those who are still there", diagnose=_diagnose)
async def spares_the_model(make: Make) -> str:
    """Just before a batch goes to the model, leave out those whose callers have left."""
    model = FakeModel(held=True)
    async with opened(make, model, max_batch_size=4) as batcher:
        running = call(batcher, "running")
        await model.entered()
        queued = [call(batcher, item) for item in (*["gone"] * 9, "patient")]
        await turns()
        for caller in queued[:-1]:
            caller.cancel()
        await turns()
        model.release()
        stayed = await outcomes([running, queued[-1], call(batcher, "later")])
    expect([] not in model.batches, saw="the model was called with an empty batch",
           hint="Where nobody is left of a batch, there is nothing to compute: go on with the next one.")
    expect("hangs" not in stayed, saw="nine of ten left, and now those who stayed wait for ever",
           hint="A batch of which nobody is left must not end your loop: go on with the next one.")
    vain = sum(item == "gone" for batch in model.batches for item in batch)
    expect(not vain, saw=f"nine of ten left before their turn, and the model computed {vain} requests for nobody",
           hint="`reply.done()` is true for a caller who has left. Ask when the batch is about to go to the model: "
                "when a request arrives, its caller is always there.")
    return "nine of ten left before their turn, the model computed one"


def batcher(make: Make) -> list[Verdict]:
    """All checks of the chapter, one after the other."""
    return [one(make) for one in (answers, gathers, serves_a_lone_request_at_once, seals_late, keeps_the_loop_free,
                                  survives_a_cancelled_caller, notices_a_short_result, survives_a_failing_model,
                                  isolates_a_poisoned_request, bounds_its_queue, spares_the_model)]


def _dislikes_poison(items: list[Any]) -> list[Any]:
    if "poison" in items:
        raise ValueError("this model cannot read 'poison'")
    return [("answer", item) for item in items]
