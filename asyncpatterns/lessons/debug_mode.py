"""asyncio's debug mode where its log cannot be seen: what the loop itself writes belongs to no cell of a notebook."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def debug_mode() -> Iterator[list[str]]:
    """The running loop's debug mode for the length of the block; gives a list in which its complaints appear.

    They are kept from asyncio's log meanwhile. Which steps are slow is for `loop.slow_callback_duration` to say.
    """
    loop, log, complaints = asyncio.get_running_loop(), logging.getLogger("asyncio"), list[str]()

    def keep(record: logging.LogRecord) -> bool:
        complaints.append(record.getMessage())
        return False

    before = loop.get_debug()
    log.addFilter(keep)
    loop.set_debug(True)
    try:
        yield complaints
    finally:
        loop.set_debug(before)
        log.removeFilter(keep)
