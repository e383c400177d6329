"""Chapter 05: channels, select and pipelines."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ...channels import Channel, ChannelClosed, go, pipeline
from .core import check, expect
from .fake_model import turns

Relay = Callable[[Any, Any, Any], Awaitable[Any]]
# Seconds that one order takes at each stage of the line of exercise 3, and how many workers there are in all.
STAGES = {"read": 0.002, "model": 0.010, "write": 0.004}
WORKERS = 8
TO_BEAT = 300.0


def _diagnose(problem: BaseException) -> str | None:
    if isinstance(problem, ChannelClosed):
        return "A `receive()` outside of select raises when the channel is closed; inside it gives `closed=True`."
    if isinstance(problem, TypeError) and "index" not in str(problem):
        return "select wants operations, `left.receive()`, or None in the place of one that is over."
    return None


@check("two channels into one, until both are closed", diagnose=_diagnose)
async def relays(relay: Relay) -> str:
    """Receive from whichever is ready, and send it on; when both are closed, close `out`."""
    left, right, out = (Channel[Any](name=name) for name in ("left", "right", "out"))
    got: list[Any] = []
    reader = go(_collect(out, got))
    work = asyncio.ensure_future(relay(left, right, out))
    await _feed(left, "ab", work)
    expect(None not in got, saw="None came out, which nobody sent",
           hint="A closed channel gives `(index, None, True)`: that is no value. Look at `closed` before you send on.")
    expect(not work.done(), saw="it stopped when the first channel closed; the other one was still open",
           hint="Put None in the place of the closed channel and go on, until both are None.")
    await _feed(right, "xyz", work)
    await turns(300)
    expect(None not in got, saw="None came out, which nobody sent",
           hint="A closed channel gives `(index, None, True)`: that is no value. Look at `closed` before you send on.")
    if not work.done():
        work.cancel()
        expect(False, saw="both channels are closed, and it goes on for ever",
               hint="A closed channel is always ready, so select picks it again and again. Put None in its place.")
    await work
    expect(got == list("abxyz"), saw=f"in went a b x y z, out came {' '.join(map(str, got)) or 'nothing'}",
           hint="Every value that select gives you goes to `out`, once.")
    expect(out.closed, saw="all values came through, but `out` is still open: its reader waits for ever",
           hint="When both are over, `out.close()`: whoever writes to a channel closes it.")
    await reader
    return "a b x y z came through, and out is closed"


async def _feed(channel: Channel[Any], values: str, work: "asyncio.Future[Any]") -> None:
    for value in values:
        await turns(3)
        if work.done():
            break
        try:
            await channel.send(value, timeout=60)
        except TimeoutError:
            expect(False, saw=f"nobody ever receives from {channel.name!r}",
                   hint="One select for both: `await select(left.receive(), right.receive())`.")
    await turns(3)
    channel.close()
    await turns(3)
    if work.done():
        await work          # raises what it raised


async def _collect(channel: Channel[Any], got: list[Any]) -> None:
    async for value in channel:
        got.append(value)


@check(f"a line that beats {TO_BEAT:.0f} orders/s with {WORKERS} workers")
async def fastest_line(workers: Any) -> str:
    """How many of the eight workers stand at each stage: read, model, write."""
    expect(isinstance(workers, tuple | list) and len(workers) == 3 and all(type(n) is int for n in workers),
           saw=f"{workers!r}", hint="Three whole numbers, as in (3, 3, 2).")
    expect(min(workers) >= 1, saw=f"{workers!r}: a stage without anybody", hint="Each stage needs one worker at least.")
    expect(sum(workers) <= WORKERS, saw=f"{sum(workers)} workers", hint=f"There are {WORKERS} to share out.")
    rate = await line_rate(tuple(workers))
    slow = min(zip(workers, STAGES.items(), strict=True), key=lambda place: place[0] / place[1][1])[1][0]
    expect(rate > TO_BEAT + 1, saw=f"{rate:.0f} orders/s", hint=f"The stage {slow!r} holds the others up: "
           "it needs more workers for each millisecond it takes.")
    better = "" if rate > 475 else f"; there is still more in it: {slow!r} is the slowest stage"
    return f"{rate:.0f} orders/s{better}"


async def line_rate(workers: tuple[int, ...], orders: int = 200) -> float:
    """Orders per second of a line with so many workers at each stage, on the running loop's clock."""
    source: Channel[Any] = Channel()
    output: Channel[Any] = source
    for number, seconds in zip(workers, STAGES.values(), strict=True):
        output = pipeline(output, _stage(seconds), workers=number)
    go(_fill(source, orders))
    began = asyncio.get_running_loop().time()
    async for _ in output:
        pass
    return orders / (asyncio.get_running_loop().time() - began)


def _stage(seconds: float) -> Callable[[Any], Awaitable[Any]]:
    async def work(order: Any) -> Any:
        await asyncio.sleep(seconds)
        return order

    return work


async def _fill(source: Channel[Any], orders: int) -> None:
    for number in range(orders):
        await source.send(number)
    source.close()
