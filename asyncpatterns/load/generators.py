"""The two ways to load a service: the open loop, where the world decides when to ask, and the closed loop, where each
client waits for its answer before it asks again.

Invariants
    1. A request is sent when its schedule says so, whatever became of the others, and its latency counts from that
       moment: a generator that waits for a slow server and forgives it the wait measures itself ("coordinated
       omission", Tene). If the generator itself is late, the run is void.
    2. Every request sent ends as exactly one answer or one error; what has not ended `grace` seconds after the
       generator was through is cancelled and is the error `unanswered`.
    3. However a run ends, by itself, by cancellation or by an exception, its tasks and timers end with it.
    4. The generator's cost does not depend on how many requests are in flight: one alarm for the earliest, one
       task each, no look at the others.
"""

import asyncio
import inspect
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from .alarm import Alarm, alarm_for, clock_of
from .report import Report, nearest_rank
from .schedule import Arrivals, draw, poisson, positive
from .words import seconds

Target = Callable[[int], Awaitable[Any]]

_TICK = 1e-6            # timers may fire a rounding error early: this close is due
_PROGRESS = 0.1         # seconds between two calls of on_progress
_PAUSE = 0.001          # of a client that was turned away, or it would come back in the same instant, for ever
_HANDFUL = 64           # requests sent before the first of them starts: a backlog must not wait until all of it is sent
_TURN = 64              # requests after which a client whose answers never wait lets the others run
_LOOK = 1 << 16         # requests between two looks at whether the clock still goes
_NOT_CALLED = object()


@dataclass(frozen=True)
class Progress:
    """What `on_progress` is told. `recent` are the latencies of the answers since it was last called."""

    elapsed: float
    duration: float
    sent: int
    answered: int
    failed: int
    recent: "array[float]"

    @property
    def in_flight(self) -> int:
        return self.sent - self.answered - self.failed


OnProgress = Callable[[Progress], Any]


async def open_loop(target: Target, rate: float, duration: float, seed: int = 0, slo: float | None = None, *,
                    arrivals: Arrivals = poisson, grace: float | None = None,
                    on_progress: OnProgress | None = None) -> Report:
    """Send `rate` requests a second for `duration` seconds, at moments drawn from `seed` beforehand, and report.

    `await target(number)` is a request, number counting from 0. An exception is an error of its kind; an answer's
    latency counts from the *scheduled* moment. The run is void, and says so, if the 0.99 quantile of the generator's
    lag is above 1 % of `slo`, or above 5 ms without one: then something here, often the target, blocks the loop.

    `arrivals` is `poisson`, `constant`, `bursts(size)` or a function like them. After the last request the run waits
    up to `grace` seconds for answers (`duration` unless said otherwise, at least 5); what is left then is cancelled
    and counted as `unanswered`. `on_progress` is called with a `Progress` at most ten times a second, and at the end.
    Warming up is the caller's job.

    Raises `ValueError` or `TypeError` for arguments that make no sense, and what `on_progress` raises. A cancelled run
    cancels its requests and waits for them to end.
    """
    moments = draw(arrivals, rate, duration, seed)
    run = _OpenLoop(moments, target, duration, slo, grace, on_progress)
    await run.drive()
    name = getattr(arrivals, "__name__", repr(arrivals))
    return run.report(rate=rate, seed=seed, arrivals=name, lag=run.lag, void=_void(run.lag, slo))


async def closed_loop(target: Target, clients: int = 64, duration: float = 10.0, slo: float | None = None, *,
                      grace: float | None = None, on_progress: OnProgress | None = None) -> Report:
    """`clients` clients ask again and again for `duration` seconds, each when it has its answer, and report.

    A closed loop finds the throughput of a service, and flatters its latency: a slow server is asked less. Use
    `open_loop` for promises to users. A client that got an error waits 1 ms before it asks again. `target`, `grace`,
    `on_progress`, exceptions and cancellation are as in `open_loop`; a closed loop has no schedule and is never void.
    Raises `RuntimeError` if the loop's clock stands still: a target that takes no time on a virtual clock.
    """
    positive("duration", duration)
    if isinstance(clients, bool) or not isinstance(clients, int) or clients < 1:
        raise ValueError(f"clients are counted: an int >= 1, not {clients!r}")
    run = _ClosedLoop(clients, target, duration, slo, grace, on_progress)
    await run.drive()
    return run.report(clients=clients)


def _void(lag: float, slo: float | None) -> str:
    limit = 0.005 if slo is None else 0.01 * slo
    if not lag > limit:
        return ""
    return (f"the generator lagged by {seconds(lag)} (p99, at most {seconds(limit)} allowed): "
            f"something blocks the event loop, perhaps the target, or the machine is too busy")


class _Run:
    """What both loops share: the records, the requests in flight, and how it all ends."""

    kind: Literal["open", "closed"]

    def __init__(self, target: Target, duration: float, slo: float | None, grace: float | None,
                 on_progress: OnProgress | None) -> None:
        self.target = _checked(target)
        self.duration, self.slo = duration, slo
        if slo is not None:
            positive("slo", slo)
        self.grace = max(5.0, duration) if grace is None else grace
        if not self.grace >= 0:
            raise ValueError(f"grace must be a number of seconds >= 0, not {grace!r}")
        self.loop = asyncio.get_running_loop()
        self.clock = clock_of(self.loop)
        self.sent, self.failed = 0, 0
        self.moments, self.latencies = array("d"), array("d")
        self.errors: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.tasks: dict[asyncio.Task[None], None] = {}    # in the order in which they were sent
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.sending = True                             # there are requests to come
        self.over: asyncio.Future[None] = self.loop.create_future()
        self.told, self.on_progress = 0, on_progress

    # --- from start to end ---

    async def drive(self) -> None:
        self.start = self.clock()
        try:
            self.begin()
            self._tell_progress()
            await self.over
        finally:
            self.over.cancel()
            self.end()
            for timer in self.timers.values():
                timer.cancel()
            await _cancel_and_wait(self.tasks)
            if not self.over.cancelled():
                self.over.exception()                   # heard, even if a cancellation overtook it
        if self.on_progress is not None:
            self.on_progress(self._progress())

    def begin(self) -> None:
        raise NotImplementedError

    def end(self) -> None:
        self.sending = False

    def spawn(self, coroutine: Any, name: str) -> None:
        task = self.loop.create_task(coroutine, name=name)
        self.tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.abort(error)
        elif not self.tasks and not self.sending:
            self._finish()

    def all_sent(self) -> None:
        """Nothing more will be sent; what is in flight has `grace` seconds from now, not from when this was due."""
        self.sending = False
        self.timers["grace"] = self.loop.call_later(self.grace, self._finish)
        if not self.tasks:
            self._finish()

    def _finish(self) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def abort(self, error: BaseException) -> None:
        """End the run with an exception that is nobody's answer."""
        if not self.over.done():
            self.over.set_exception(error)

    # --- one request ---

    async def request(self, number: int, moment: float) -> bool:
        """Whether it was answered. Latency counts from `moment`, in seconds from the start."""
        answer: Any = _NOT_CALLED
        try:
            answer = self.target(number)
            await answer
        except Exception as error:
            if answer is not _NOT_CALLED and not inspect.isawaitable(answer):
                self.abort(TypeError(f"target must be async: await target({number}) got {answer!r}"))
            self._failed(error)
            return False
        except asyncio.CancelledError as error:
            self._failed(error)
            if _is_being_cancelled():
                raise
            return False                                # the target's own: something it waited for was cancelled
        self._answered(moment)
        return True

    def _answered(self, moment: float) -> None:
        if not self.over.done():
            self.latencies.append(max(0.0, self.clock() - (self.start + moment)))
            self.moments.append(moment)

    def _failed(self, error: BaseException) -> None:
        if not self.over.done():
            self.failed += 1
            kind = _kind_of(error)
            self.errors[kind] += 1
            if kind not in self.examples:
                self.examples[kind] = str(error) or repr(error)

    # --- what is told ---

    def _tell_progress(self) -> None:
        if self.on_progress is None:
            return
        try:
            self.on_progress(self._progress())
        except Exception as error:
            self.abort(error)
        else:
            self.timers["progress"] = self.loop.call_later(_PROGRESS, self._tell_progress)

    def _progress(self) -> Progress:
        told, self.told = self.told, len(self.latencies)
        return Progress(self.clock() - self.start, self.duration, self.sent, self.told, self.failed,
                        self.latencies[told:])

    def report(self, *, lag: float = 0.0, void: str = "", **facts: Any) -> Report:
        unanswered = self.sent - len(self.latencies) - self.failed
        if unanswered:
            self.errors["unanswered"] = unanswered
            self.examples["unanswered"] = f"not ended {seconds(self.grace)} after the last request was sent"
        return Report(self.kind, self.duration, self.sent, self.moments, self.latencies, self.errors, self.examples,
                      slo=self.slo, lag=lag, void=void, **facts)


class _OpenLoop(_Run):
    kind = "open"

    def __init__(self, schedule: "array[float]", *shared: Any) -> None:
        super().__init__(*shared)
        self.schedule = schedule
        self.lags = array("d")
        self.alarm: Alarm | None = None

    def begin(self) -> None:
        self.alarm = alarm_for(self.loop, self._send_all_due)
        self._send_all_due()

    def end(self) -> None:
        super().end()
        if self.alarm is not None:
            self.alarm.close()

    def _send_all_due(self) -> None:
        if not self.sending:
            return
        schedule, now = self.schedule, self.clock() + _TICK - self.start
        last = min(len(schedule), self.sent + _HANDFUL)
        while self.sent < last and schedule[self.sent] <= now:
            number, self.sent = self.sent, self.sent + 1
            self.spawn(self._send(number, schedule[number]), f"request {number}")
        if self.sent == len(schedule):
            self.all_sent()
        elif self.alarm is not None:
            self.alarm.set(self.start + schedule[self.sent])

    async def _send(self, number: int, moment: float) -> None:
        # Here and not where the task was made: it had to wait its turn.
        self.lags.append(max(0.0, self.clock() - (self.start + moment)))
        await self.request(number, moment)

    @property
    def lag(self) -> float:
        return nearest_rank(sorted(self.lags), 0.99) if self.lags else 0.0


class _ClosedLoop(_Run):
    kind = "closed"

    def __init__(self, clients: int, *shared: Any) -> None:
        super().__init__(*shared)
        self.clients = clients
        self.looked = self.clock() - 1.0

    def begin(self) -> None:
        self.timers["end"] = self.loop.call_at(self.start + self.duration, self.all_sent)
        for client in range(self.clients):
            self.spawn(self._client(), f"client {client}")

    async def _client(self) -> None:
        end = self.start + self.duration - _TICK
        while self.sending and (now := self.clock()) < end:
            number, self.sent = self.sent, self.sent + 1
            if not await self.request(number, now - self.start):
                await asyncio.sleep(_PAUSE)
            elif not number % _TURN:
                await asyncio.sleep(0)
            if not number % _LOOK:
                self._look_at_the_clock(number)

    def _look_at_the_clock(self, number: int) -> None:
        if self.clock() == self.looked:
            raise RuntimeError(f"the clock stands still, {number:,} requests and no time have passed: "
                               "a target on a virtual clock must take time, as by asyncio.sleep")
        self.looked = self.clock()


async def _cancel_and_wait(tasks: "dict[asyncio.Task[None], None]") -> None:
    """Nothing is left behind: also not when the run is cancelled again while it waits for the cancelled to end."""
    again = None
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            again = error
    if again is not None:
        raise again


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _kind_of(error: BaseException) -> str:
    status = getattr(error, "status", None)
    return f"HTTP {status:d}" if isinstance(status, int) else type(error).__name__


def _checked(target: Target) -> Target:
    """A target that cannot be called with a number is a mistake of the caller, not an error of each request."""
    if inspect.iscoroutine(target):
        target.close()
    if not callable(target):
        raise TypeError(f"target must be an async callable that takes the request's number, not {target!r}")
    try:
        inspect.signature(target).bind(0)
    except ValueError:                                  # a callable that does not tell its signature
        pass
    except TypeError as error:
        raise TypeError(f"target is called with the request's number, and {target!r} cannot be: {error}") from None
    return target
