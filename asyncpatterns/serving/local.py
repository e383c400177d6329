"""A cluster in one process, on one event loop, so that it runs on a virtual clock: to try things out, and for tests.

The fronts, the hosts and the store are the real ones; only what lies between them is made up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Hashable, Sequence
from typing import Any, TypeVar

from asyncpatterns import Actor, go

from .front import HostLost
from .host import Host, Opens
from .shared import Claim, Outcome, Store, Turn

T = TypeVar("T")


class LocalNode:
    """A host that can be killed. It is reached over a pretended network, on which every call takes `delay` seconds.

    `kill()` takes it away like a pulled plug: what was under way is lost `detection` seconds later, and what it had in
    memory at once. `cut_off()` is the crueller way to go: nobody reaches it, and it works on and knows nothing of it.
    `await start()` starts it, also again.
    """

    def __init__(self, actors: type[Actor] | Opens, store: Store, *, name: str = "node", delay: float = 0.0,
                 detection: float = 0.0, **options: Any) -> None:
        self._actors, self._store, self.name = actors, store, name
        self.delay, self.detection, self._options = delay, detection, options

    async def start(self) -> LocalNode:
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._link = _Link(self._store, self.delay)
        self.host = Host(self._actors, self._link, name=self.name, **self._options)
        await self.host.open()
        return self

    async def stop(self) -> None:
        """The orderly end: every actor saves its state."""
        await self.host.close()
        self.cut_off()

    def kill(self) -> None:
        self._link.cut = True
        for key in self.host.users:
            self.host.users[key].kill()
        go(self.host.close(), name=f"the end of {self.name}")
        asyncio.get_running_loop().call_later(self.detection, _set, self._gone)

    def cut_off(self) -> None:
        _set(self._gone)

    async def post(self, front: str, turns: Sequence[Turn]) -> None:
        await self._call(self.host.post(front, turns))

    async def collect(self, front: str) -> list[tuple[str, Outcome]]:
        return await self._call(self.host.collect(front))

    async def ready(self) -> str:
        return await self._call(self.host.ready())

    async def live(self) -> int:
        return await self._call(self.host.live())

    async def _call(self, answer: Awaitable[T]) -> T:
        gone, link, call = self._gone, self._link, asyncio.ensure_future(self._over_the_network(answer))
        try:
            await asyncio.wait((call, gone), return_when=asyncio.FIRST_COMPLETED)
            if link.cut:
                await asyncio.shield(gone)      # the dead do not answer
            if gone.done():
                raise HostLost(self.name)
            return call.result()
        finally:
            call.cancel()

    async def _over_the_network(self, answer: Awaitable[T]) -> T:
        try:
            await asyncio.sleep(self.delay / 2)
        except asyncio.CancelledError:
            getattr(answer, "close", lambda: None)()    # it never got there
            raise
        result = await answer
        await asyncio.sleep(self.delay / 2)
        return result


def _set(gone: asyncio.Future[None]) -> None:
    if not gone.done():
        gone.set_result(None)


class _Link:
    """One node's way to the shared store."""

    def __init__(self, store: Store, delay: float) -> None:
        self._store, self._delay, self.cut = store, delay, False

    async def claim(self, key: Hashable) -> Claim:
        return await self._call(self._store.claim(key))

    async def save(self, key: Hashable, token: int, state: Any, turn: str | None, outcome: Outcome | None) -> bool:
        return await self._call(self._store.save(key, token, state, turn, outcome))

    async def release(self, key: Hashable, token: int) -> None:
        await self._call(self._store.release(key, token))

    async def recall(self, turn: str) -> Outcome | None:
        return await self._call(self._store.recall(turn))

    async def _call(self, answer: Any) -> Any:
        try:
            await asyncio.sleep(self._delay / 2)
            if self.cut:
                raise ConnectionError("this node is dead")
            result = await answer
        finally:
            answer.close()
        await asyncio.sleep(self._delay / 2)
        return result
