"""An honest race with a one-line result.

Same requests, same load, one process, one run: the contestants take turns in short rounds, in alternating order, so
that a busy neighbour on the machine slows all of them down and not just the one that happened to run then. Each is
warmed up first, running panels are stopped, and Python's garbage collector keeps its hands off what was there before.
"""

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..live.contestant import Contestant
from ..live.svg import number, seconds
from ..live.tap import quantile
from ..load import Report, closed_loop, open_loop
from .figure import LINES, MARKERS, OKABE_ITO, Figure, axes, figure

# Seconds that late answers are waited for at the end of a turn. Cutting them off would flatter whoever is slow: a
# closed loop has no more of them than it has clients, an overloaded open loop may have any number.
GRACE_CLOSED, GRACE_OPEN = 30.0, 5.0
MANY_ERRORS = 0.01      # from here on the 99th percentile of the answered says nothing about the 99th of all


async def race(
    contestants: Mapping[str, Any],
    items: Sequence[Any],
    *,
    clients: int | None = None,
    rate: float | None = None,
    seconds: float = 3.0,
    rounds: int = 3,
    slo: float | None = None,
    seed: int = 0,
) -> "RaceResult":
    """Gives every contestant the same load and returns a `RaceResult`, whose repr is the result in one line.

    A contestant is a `Batcher` or another async callable of one item, or a plain function of one item, which is called
    one at a time on a thread. The load is either closed, `clients` that ask again when they have their answer, or open,
    Poisson arrivals at `rate` a second from `seed`. Each contestant runs for `seconds` in all, in `rounds` turns.
    Raises `ValueError` when the load is neither or both, or there are fewer than two contestants.
    """
    if (clients is None) == (rate is None):
        raise ValueError("say either clients= (closed loop) or rate= (open loop)")
    if len(contestants) < 2:
        raise ValueError("a race needs at least two contestants")
    if not items:
        raise ValueError("a race needs at least one item to send")
    await _quiet()
    field = [Contestant(name, target) for name, target in contestants.items()]
    turns: dict[str, list[Report]] = {contestant.name: [] for contestant in field}
    with _frozen_garbage():
        for contestant in field:
            await _warm_up(contestant, items, clients or 16)
        for turn in range(rounds):
            for contestant in field if turn % 2 == 0 else field[::-1]:
                report = await _turn(contestant, items, clients, rate, seconds / rounds, slo, seed + turn)
                turns[contestant.name].append(report)
    load = f"{clients} clients" if clients else f"{number(rate)} requests/s"
    return RaceResult({name: Standing(reports) for name, reports in turns.items()}, load, slo)


async def _turn(contestant: Contestant, items: Sequence[Any], clients: int | None, rate: float | None, duration: float,
                slo: float | None, seed: int) -> Report:
    async def target(request: int) -> Any:
        return await contestant(items[request % len(items)])

    try:
        if clients is not None:
            return await closed_loop(target, clients=clients, duration=duration, slo=slo, grace=GRACE_CLOSED)
        assert rate is not None
        return await open_loop(target, rate=rate, duration=duration, slo=slo, seed=seed, grace=GRACE_OPEN)
    finally:
        await contestant.close()


async def _warm_up(contestant: Contestant, items: Sequence[Any], clients: int) -> None:
    """Twice alone, then a moment in a crowd. A contestant that cannot even do that raises here, not in every
    request.
    """
    for _ in range(2):
        await contestant(items[0])
    crowd = [asyncio.ensure_future(contestant(items[i % len(items)])) for i in range(clients)]
    await asyncio.wait(crowd, timeout=0.3)
    for one in crowd:
        one.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    await contestant.close()


async def _quiet() -> None:
    import sys

    if "asyncpatterns.live.panel" in sys.modules:
        from ..live.panel import stop_panels

        await stop_panels()


@contextlib.contextmanager
def _frozen_garbage() -> Iterator[None]:
    was_frozen = gc.get_freeze_count() > 0      # by a model that was warmed up, which would thaw with the rest
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        if not was_frozen:
            gc.unfreeze()


class Standing:
    """How one contestant did, over all its turns. Rates are per second, times in seconds (None without an answer)."""

    def __init__(self, turns: Sequence[Report]) -> None:
        self.turns = list(turns)
        self.latencies = sorted(latency for turn in turns for latency in turn.latencies)
        self.errors: Counter[str] = sum((Counter(turn.errors) for turn in turns), Counter())
        self.answered = sum(turn.answered for turn in turns) / len(turns)
        self.offered = sum(turn.offered for turn in turns) / len(turns)
        self.p50, self.p90, self.p99 = (quantile(self.latencies, share) for share in (0.5, 0.9, 0.99))
        sent = len(self.latencies) + self.errors.total()
        self.error_share = self.errors.total() / sent if sent else 0.0
        self.void = next((turn.void for turn in turns if turn.void), "")

    def __repr__(self) -> str:
        errors = f", {number(self.errors.total())} errors" if self.errors else ""
        return f"<{number(self.answered)} answers/s, p50 {seconds(self.p50)}, p99 {seconds(self.p99)}{errors}>"

    def goodput(self, slo: float) -> float:
        return sum(turn.goodput(slo) for turn in self.turns) / len(self.turns)


class RaceResult:
    """The result of a race: `reports` (name → `Standing`), `ratio()`, `table()`, `figure()`; its repr is the
    headline.
    """

    def __init__(self, reports: dict[str, Standing], load: str, slo: float | None = None) -> None:
        self.reports, self.load, self.slo = reports, load, slo

    def ratio(self, name: str, other: str) -> float:
        """How many times the requests of `other` `name` answered."""
        theirs = self.reports[other].answered
        return self.reports[name].answered / theirs if theirs else float("inf")

    @property
    def headline(self) -> str:
        ranked = sorted(self.reports, key=lambda name: self.reports[name].answered)
        last, first = ranked[0], ranked[-1]
        ratio = self.ratio(first, last)
        if ratio < 1.05:
            quick, slow = sorted((first, last), key=lambda name: self.reports[name].p99 or 0)
            return f"{quick} and {slow} answered alike; {self._latencies(quick, slow)}"
        times = f"{ratio:,.0f}" if ratio >= 9.5 else f"{ratio:.1f}"
        return f"{first} answered {times}× the requests of {last}; {self._latencies(first, last)}"

    def _latencies(self, quick: str, slow: str) -> str:
        """The percentiles side by side; where many requests had no answer, that is the finding."""
        p99 = f"p99 {seconds(self.reports[quick].p99)}"
        errors = self.reports[slow].error_share
        if errors > MANY_ERRORS:
            return f"{p99}, while {errors:.0%} of those of {slow} failed"
        return f"{p99} against {seconds(self.reports[slow].p99)}"

    def __repr__(self) -> str:
        void = sorted({standing.void for standing in self.reports.values() if standing.void})
        return f"<race: {'VOID, ' + void[0] + ': ' if void else ''}{self.headline}>"

    def table(self) -> str:
        """A line for each contestant: answers per second, p50, p99, errors."""
        lines = [f"{'':24}{'answers/s':>12}{'p50':>10}{'p99':>10}{'errors':>9}"]
        for name, one in self.reports.items():
            lines.append(f"{name:24}{number(one.answered):>12}{seconds(one.p50):>10}{seconds(one.p99):>10}"
                         f"{number(one.errors.total()):>9}")
        return "\n".join([*lines, f"load: {self.load}, {self._samples} answers measured"])

    @property
    def _samples(self) -> str:
        return number(sum(len(one.latencies) for one in self.reports.values()))

    @property
    def alt(self) -> str:
        facts = "; ".join(f"{name}: {number(one.answered)} answers per second, p50 {seconds(one.p50)}, "
                          f"p99 {seconds(one.p99)}" for name, one in self.reports.items())
        return (
            f"Two charts under the title {self.headline!r}. Bars of answers per second and curves of how many requests "
            f"were answered within which time. {facts}."
        )

    def figure(self) -> Figure:
        """Answers per second, and the share of answers within each time; the title is the finding."""
        fig, (bars, curves) = axes(1, 2, width=9.5, height=3.2)
        fig.suptitle(self.headline, fontsize=12, x=0.01, ha="left", fontweight="bold")
        self._bars(bars)
        self._curves(curves)
        return figure(fig, alt=self.alt)

    def _bars(self, ax: Any) -> None:
        names = list(self.reports)[::-1]
        colours = [OKABE_ITO[index % len(OKABE_ITO)] for index in range(len(names))][::-1]
        rates = [self.reports[name].answered for name in names]
        ax.barh(names, rates, color=colours, height=0.6)
        for place, value in enumerate(rates):
            ax.text(value, place, f"  {number(value)}", va="center", fontsize=10)
        ax.set_xlim(0, max([*rates, 1]) * 1.22)
        ax.set_xlabel(f"answers per second ({self.load})")

    def _curves(self, ax: Any) -> None:
        for index, (name, one) in enumerate(self.reports.items()):
            if one.latencies:
                share = [(place + 1) / len(one.latencies) for place in range(len(one.latencies))]
                ax.plot([1e3 * latency for latency in one.latencies], share, LINES[index % len(LINES)], label=name,
                        color=OKABE_ITO[index % len(OKABE_ITO)], marker=MARKERS[index % len(MARKERS)],
                        markevery=max(len(share) // 6, 1), markersize=5)
        if self.slo:
            ax.axvline(self.slo * 1e3, color="black", linestyle=":", label=f"slo {seconds(self.slo)}")
        ax.set(xscale="log", xlabel="answered within, ms", ylabel="share of answers", ylim=(0, 1.03))
        ax.legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
