"""Anything that can answer a request, made to look alike, so that it can be raced against something else."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from inspect import iscoroutinefunction
from typing import Any

from ..batching import Batcher


class Contestant:
    """`await contestant(item)` gives the answer, whatever stands behind it.

    A `Batcher` or another async callable is awaited for each item. A plain function is called for each item on a thread
    of its own, one call at a time: that is what an endpoint without batching does with a model.
    """

    def __init__(self, name: str, target: Any) -> None:
        if not callable(target):
            raise TypeError(f"contestant {name!r} must be callable with one item, not {target!r}")
        self.name, self.target = name, target
        self.batcher = target if isinstance(target, Batcher) else None
        self._awaited = self.batcher is not None or _is_async(target)
        self._thread: ThreadPoolExecutor | None = None

    def __repr__(self) -> str:
        how = "a batcher" if self.batcher is not None else "async" if self._awaited else "one call at a time"
        return f"<Contestant {self.name!r}, {how}>"

    async def __call__(self, item: Any) -> Any:
        if self._awaited:
            return await self.target(item)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=self.name)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.target, item)

    async def close(self) -> None:
        """Waits for a call that still runs on the thread; the contestant may be used again afterwards."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            await asyncio.get_running_loop().run_in_executor(None, thread.shutdown)


def _is_async(target: Any) -> bool:
    return iscoroutinefunction(target) or iscoroutinefunction(type(target).__call__)
