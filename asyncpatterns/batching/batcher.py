"""`Batcher`: many callers, one function of many items. The machinery is in `engine`; this is what users see."""

import asyncio
from asyncio import _get_running_loop
from collections.abc import Callable, Hashable, Iterable
from types import TracebackType
from typing import Any

from ..actors import Actor, ActorStopped, Ended
from . import settings as check
from .asking import Ask
from .call import Call
from .engine import Engine
from .errors import private
from .events import Events
from .settings import DEFAULT_SIZE, Settings
from .statistics import Quantiles, Statistics


class Batcher(Actor):
    """Gathers single calls into batches: `await batcher(item)` is one of the results of `function(items)`.

    `function` takes a list of items and returns a sequence of as many results in the same order. A plain function runs
    on a worker thread, an `async def` on the loop. Options, all but the function by keyword:

    max_batch_size  rows in a batch at most.
    max_queue       rows that may wait, over all keys; beyond it callers get `Overloaded`. Default: 16 full batches.
                    `math.inf` has to be spelled out.
    slo             seconds within which whatever is admitted shall be answered. From the measured service time T(n) the
                    batcher finds n*, the largest n with 2·T(n) + linger <= slo; at most n* rows wait, at most n* are in
                    a batch. Until T is known a handful is let in to learn from.
    linger          seconds that a free worker waits for more, counted from the later of worker free and first arrival.
                    For callers that come back as soon as they are answered; otherwise waiting only costs time.
    workers         batches that may run at once. Idle workers get their share of what waits.
    sizes           allowed batch sizes: a batch is padded up to the next by repeating one of its items, or cut down to
                    the one below where that is measured to be quicker for everybody. The largest is the limit.
    rows            a function of an item: how many rows it counts for. An item larger than the limit runs alone.
    isolate         bisect a batch for which `function` raised, until only the poisoned requests fail.
    fatal           exception types that are nobody's fault but the batcher's own: they fail it. Supervised, it restarts
                    and its queue survives; unsupervised, what waits fails with that error.

    A batch is sealed at the moment a worker takes it, and an idle batcher runs a lone request at once: without `linger`
    nothing ever waits for company. Leaving `async with` answers everything admitted. Without the block the batcher
    starts with its first call; `drain()` ends it. It belongs to the event loop on which it is used first.

    As an actor (`Child("model", Batcher, function, max_batch_size=64)`) it answers `ref.ask(item)` as it would a call.
    """

    def __init__(self, function: Callable[[list[Any]], Any], *, max_batch_size: int = DEFAULT_SIZE,
                 max_queue: float | None = None, slo: float | None = None, linger: float = 0.0, workers: int = 1,
                 sizes: Iterable[int] | None = None, rows: Callable[[Any], int] | None = None, isolate: bool = True,
                 fatal: Any = (), name: str | None = None) -> None:
        self._function = check.function(function)
        self._settings = Settings(max_batch_size=max_batch_size, max_queue=max_queue, slo=slo, linger=linger,
                                  workers=workers, sizes=sizes, rows=rows, isolate=isolate, fatal=fatal,
                                  name=name or self._path())
        self._engine = Engine(self._function, self._settings, self)

    def __repr__(self) -> str:
        name = f" {self._settings.name!r}" if self._settings.name else ""
        return f"<Batcher{name} {self._engine}>"

    def _path(self) -> str | None:
        return self.ref.path if self._is_spawned() else None

    # --- calling ---

    def __call__(self, item: Any, *, timeout: float | None = None, priority: float = 0, key: Hashable = None) -> Call:
        """Queues `item` now and returns what to await for its result; the call costs no task.

        `timeout`: seconds within which it must have been started, or it never is. Higher `priority` goes first.
        Requests with different `key` are never in one batch.

        Awaiting raises `Overloaded` when there was no room, `DeadlineExceeded` when it was not started in time,
        `BatcherClosed` after the end; what `function` raised or returned for this item, as an object of the caller's
        own; `BatchSizeMismatch` when there was not one result for each item. A caller that is cancelled while the item
        waits takes it out of the queue; once it runs, only the result is dropped.
        """
        engine = self._engine
        call = Call(engine, item, timeout, priority, key)
        if timeout is not None or priority != 0:
            _check_options(call)
        if self._settings.rows is not None:
            call.rows = check.whole("rows(item)", self._settings.rows(item))
        loop = _get_running_loop()
        if loop is not engine.loop or loop is None:
            if loop is None or engine.loop is not None:     # it will be sent when, and where, it is awaited
                return call
            engine.bind(loop)
        engine.admit(call)
        return call

    def receive(self, message: Any) -> None:
        """An item, asked for or told."""
        reply = self.reply_later()
        self._engine.bind(asyncio.get_running_loop())
        try:
            weigh = self._settings.rows
            rows = 1 if weigh is None else check.whole("rows(item)", weigh(message))
        except Exception as error:
            reply.set_exception(error)
        else:
            Ask(reply, message, rows).enter(self._engine)

    # --- beginning and end ---

    async def __aenter__(self) -> "Batcher":
        if self._engine.closed:
            raise self._engine.closed_error()
        self._engine.bind(asyncio.get_running_loop())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        try:
            await self.drain()
        except BaseException:       # cancelled once more while it was answering the rest
            self._engine.abort()
            raise

    async def drain(self, timeout: float | None = None) -> None:
        """Refuse new requests with `BatcherClosed` and wait until all admitted ones have their answer.

        Raises `TimeoutError` when that takes longer than `timeout` seconds. After that, as after a cancellation,
        nothing is lost: what was admitted is still being answered, and `drain` can be called again.
        """
        timeout = None if timeout is None else check.seconds("timeout", timeout)
        self._engine.bind(asyncio.get_running_loop())
        await self._engine.drain(timeout)

    async def on_stop(self, reason: Any) -> None:
        """The end of an incarnation: what waits is answered, or left to the next one, or fails if there is none."""
        if reason is Ended.KILLED:
            self._engine.abort(lambda _: ActorStopped(self.ref.path, reason))
        elif isinstance(reason, BaseException):
            if not self._is_supervised():
                self._end_with(reason)
        elif reason is not Ended.RESTARTED:
            async with self:        # leaving the block is what is wanted
                pass

    # --- failure ---

    def _went_fatal(self, error: BaseException) -> None:
        if not self._is_supervised():
            self._end_with(error)
        if self._is_spawned():
            self._fail(error)

    def _end_with(self, error: BaseException) -> None:
        self._engine.close(error)
        self._engine.fail_waiting(lambda _: private(error))
        self._engine.workers.stop()

    def _take_over(self, old: Actor) -> None:
        assert isinstance(old, Batcher)
        old._engine.resume(self._function, self._settings, self)
        self._engine = old._engine

    def _is_spawned(self) -> bool:
        return hasattr(self, "_cell")

    def _is_supervised(self) -> bool:
        extras = self._cell.extras if self._is_spawned() else None
        return extras is not None and extras.keeper is not None and not extras.final

    # --- looking on ---

    def statistics(self) -> Statistics:
        """A snapshot; may be taken at any time and on any thread, even inside `function`."""
        engine, ledger = self._engine, self._engine.ledger
        while True:     # until nothing has changed on the loop's thread while we were reading
            settled = ledger.settled()
            waiting, waiting_rows = len(engine.queue), engine.queue.rows
            admitted = ledger.admitted
            running = admitted - sum(settled) - waiting
            if ledger.settled() == settled and len(engine.queue) == waiting and running >= 0:
                break
        answered, failed, expired, cancelled = settled
        return Statistics(
            admitted, answered, failed, expired, cancelled, waiting, running, ledger.rejected,
            ledger.batches, ledger.calls, ledger.padding, waiting_rows, dict(sorted(ledger.sizes.items())),
            dict(ledger.sealed), Quantiles.of(ledger.delays), Quantiles.of(ledger.times), engine.time.b, engine.time.a,
            engine.limit, engine.room)

    def events(self, capacity: int = 10_000) -> Events:
        """`async for event in batcher.events()`: what happens from now on, until the batcher has ended.

        Each event has a `kind` ("arrived", "sealed", "done", "shed"), a `time`, and what belongs to it. `capacity`
        events are kept for a listener that is slow; then the oldest are dropped, and counted in `dropped`.
        `events.take()` gives all that is there, without waiting.
        """
        return self._engine.tap.listen(check.whole("capacity", capacity))

    @property
    def name(self) -> str | None:
        return self._settings.name

    @property
    def closed(self) -> bool:
        """Does it refuse new requests?"""
        return self._engine.closed

    # --- settings that can be changed while it runs ---

    @property
    def max_batch_size(self) -> int:
        """Rows in a batch at most. With `sizes`, the largest of them up to what is assigned."""
        return self._settings.max_batch_size

    @max_batch_size.setter
    def max_batch_size(self, value: int) -> None:
        self._settings.max_batch_size = value
        self._engine.look_again()

    @property
    def max_queue(self) -> float:
        """Rows that may wait. `None` assigns the default, 16 full batches."""
        return self._settings.max_queue

    @max_queue.setter
    def max_queue(self, value: float | None) -> None:
        self._settings.max_queue = value
        self._engine.look_again()

    @property
    def slo(self) -> float | None:
        """Seconds within which whatever is admitted from now on shall be answered; `None` for no such promise."""
        return self._settings.slo

    @slo.setter
    def slo(self, value: float | None) -> None:
        self._settings.slo = check.promise(value)
        self._engine.look_again()

    @property
    def linger(self) -> float:
        """Seconds that a free worker waits for more."""
        return self._settings.linger

    @linger.setter
    def linger(self, value: float) -> None:
        self._settings.linger = check.seconds("linger", value)
        self._engine.look_again()

    @property
    def workers(self) -> int:
        return self._settings.workers

    @property
    def sizes(self) -> tuple[int, ...] | None:
        return self._settings.sizes


def _check_options(call: Call) -> None:
    if call.timeout is not None:
        call.timeout = check.timeout(call.timeout)
    call.priority = check.priority(call.priority)
