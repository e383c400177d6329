"""What the tests of the combinators share."""

import asyncio
import gc
import warnings

from asyncpatterns.channels import Channel
from asyncpatterns.testing import run


def tidy(main):
    """Run main; then no task may be left, no warning shown and nothing told to the exception handler."""

    async def wrapped():
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        await main()
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left and not complaints
        gc.collect()
        await asyncio.sleep(0)
        assert not complaints

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(wrapped)


def source_of(*values, capacity=None):
    channel = Channel(len(values) if capacity is None else capacity, "source")
    for value in values:
        channel.send_nowait(value)
    channel.close()
    return channel


async def collect(channel):
    return [value async for value in channel]
