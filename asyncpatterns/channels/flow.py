"""Many channels into one, and one into many."""

from typing import Any, TypeVar

from .channel import Channel
from .core import Core
from .errors import ChannelClosed
from .operations import Send
from .plumbing import Output, Plumbing, Source, check_sources, name_of
from .select import select

T = TypeVar("T")


def merge(*channels: Source[T]) -> Channel[T]:
    """A channel with all values of `channels` (or receiver ends), as they come; the order within each one is kept.

    It closes when all of them are closed and drained. Closing it, or dropping it, closes them.
    """
    check_sources("merge", channels)
    output: Output[T] = Output(0, f"merge of {', '.join(map(name_of, channels))}")  # type: ignore[arg-type]
    plumbing = Plumbing(output.name or "", channels, (output._core,))
    for channel in channels:
        plumbing.start(_pour(channel, output._core), f"from {name_of(channel)}")    # type: ignore[arg-type]
    if not channels:
        plumbing.end()
    return output


async def _pour(source: Source[T], output: Core) -> None:
    async for value in source:
        await Send(output, value)


def broadcast(channel: Source[T], n: int) -> tuple[Channel[T], ...]:
    """`n` channels that each deliver every value of `channel` (or of a receiver end).

    The next value is read when every output that is open has delivered this one: the slowest sets the pace. An output
    that is closed, or dropped, is left out; with the last one `channel` is closed. The outputs close when `channel` is
    closed and drained. Raises `ValueError` unless n is an int above 0.
    """
    check_sources("broadcast", (channel,))
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"n is the number of outputs, an int above 0, not {n!r}")
    name = f"broadcast of {name_of(channel)}"           # type: ignore[arg-type]
    outputs: tuple[Output[T], ...] = tuple(Output(0, f"{name}, {number}") for number in range(n))
    cores = tuple(output._core for output in outputs)
    Plumbing(name, (channel,), cores).start(_copy(channel, cores))
    return outputs


async def _copy(source: Source[T], outputs: tuple[Core, ...]) -> None:
    async for value in source:
        # Most outputs have somebody waiting; the rest are served in the order in which somebody comes.
        waiting = [output for output in outputs if not output.closed and not output.put(value)]
        while waiting:
            await _serve_one(waiting, value)
            waiting = [output for output in waiting if not output.closed]


async def _serve_one(waiting: list[Core], value: Any) -> None:
    try:
        served = await select(*(Send(output, value) for output in waiting))
    except ChannelClosed:
        return
    del waiting[served.index]
