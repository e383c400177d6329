"""Users at human pace: think times, bursts, people who leave. Every answer is checked against the script.

The whole schedule is drawn from a seed before the run (open loop): nobody waits for an answer before the next word is
due, and latency counts from the moment a turn was scheduled. So what the driver itself is late counts, too.
"""

import asyncio
import heapq
import math
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

from asyncpatterns import go

from .chat import Chat
from .conversation import Answer
from .humans import Case
from .scripts import Library, Said, script

SPREAD: Final = 0.7
"""Standard deviation of the logarithm of a think time: most are short, a few are long."""
BURST: Final = (0.1, 0.8)
"""Seconds between the words of somebody who does not wait for the answer."""
EXAMPLES: Final = 10


class Moment(NamedTuple):
    at: float
    user: str
    said: Said


class Population:
    """`users` people who talk for `duration` seconds, `think` seconds between two words of one of them in the median.

    `burst` is how often somebody goes on without waiting, `leave` how often somebody goes away after a turn, in the
    middle of a matter or not; `vip` the share of VIPs. The same seed and library give the same schedule. Scripts begin
    with a clean slate, so two populations in one chat need different names.
    """

    def __init__(
        self,
        users: int,
        library: Library,
        *,
        seed: int = 0,
        duration: float = 60.0,
        think: float = 8.0,
        burst: float = 0.1,
        leave: float = 0.02,
        vip: float = 0.05,
        name: str = "user",
    ) -> None:
        self.users, self.duration, self.name = users, duration, name
        self._library, self._think, self._burst, self._leave, self._vip = library, think, burst, leave, vip
        self.moments = list(heapq.merge(*(self._days_of(number, Random(f"{seed}/{number}")) for number in range(users)),
                                        key=lambda moment: moment.at))

    def __repr__(self) -> str:
        return f"<Population of {self.users:,}, {len(self.moments):,} moments in {self.duration:g} s>"

    def _days_of(self, number: int, rng: Random) -> Iterator[Moment]:
        name = f"{'vip-' if rng.random() < self._vip else ''}{self.name}-{number}"
        at = rng.random() * min(self._think, self.duration)
        for said in script(self._library, rng):
            if at >= self.duration:
                return
            yield Moment(at, name, said)
            if rng.random() < self._leave:
                return
            in_a_burst = rng.random() < self._burst
            at += rng.uniform(*BURST) if in_a_burst else rng.lognormvariate(math.log(self._think), SPREAD)

    @property
    def names(self) -> list[str]:
        """Everybody who says anything, sorted."""
        return sorted({moment.user for moment in self.moments})

    async def talk(self, chat: Chat) -> "PopulationReport":
        """Play the schedule once, and wait for the last answer. The humans' part is played, too: somebody takes what
        comes to the desk, and gives each conversation back at the moment that its script says."""
        colleague, report = go(chat.humans.work(_take)), PopulationReport()
        try:
            await self._play(chat, report)
        finally:
            colleague.cancel()
        return report

    async def _play(self, chat: Chat, report: "PopulationReport") -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        under_way: set[asyncio.Task[None]] = set()
        for moment in self.moments:
            due = start + moment.at
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            report.lags.append(loop.time() - due)
            task = go(self._turn(chat, moment, due, report))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        while under_way:
            await asyncio.wait(under_way)
        report.seconds = loop.time() - start

    async def _turn(self, chat: Chat, moment: Moment, due: float, report: "PopulationReport") -> None:
        if moment.said.by == "human":       # as a task like the others, or a late driver would have it overtake them
            chat.answer_as_human(moment.user, moment.said.text, done=True)
            return
        answer = await chat.say(moment.user, moment.said.text)
        report.add(moment, answer, asyncio.get_running_loop().time() - due)


class PopulationReport:
    """What became of the turns: how many were answered right, wrongly, or with an apology, and how soon (seconds)."""

    def __init__(self) -> None:
        self.right = self.wrong = self.apologies = 0
        self.examples: list[tuple[Moment, Answer]] = []     # of wrong answers
        self.acts: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.lags: list[float] = []
        self.seconds = 0.0

    def add(self, moment: Moment, answer: Answer, latency: float) -> None:
        self.latencies.append(latency)
        self.acts.update(answer.acts)
        if answer.acts == ("apology",):
            self.apologies += 1
        elif is_right(moment.said, answer):
            self.right += 1
        else:
            self.wrong += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append((moment, answer))

    @property
    def turns(self) -> int:
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        return self.turns / self.seconds if self.seconds else 0.0

    def latency(self, share: float) -> float:
        """The quantile of the turns' latencies, counted from the moment each was scheduled."""
        return _quantile(self.latencies, share)

    @property
    def lag(self) -> float:
        """How late the driver itself was, at its 0.99 quantile. It is in the latencies."""
        return _quantile(self.lags, 0.99)

    def __repr__(self) -> str:
        return (f"<{self.turns:,} turns, {self.per_second:,.0f}/s: {self.right:,} right, {self.wrong:,} wrong, "
                f"{self.apologies:,} apologies; p50 {self.latency(0.5) * 1e3:.1f} ms, "
                f"p99 {self.latency(0.99) * 1e3:.1f} ms>")


async def _take(case: Case) -> None:
    """The script says when it is settled."""


def is_right(said: Said, answer: Answer) -> bool:
    """The acts that were expected, in words that name what they must."""
    return answer.acts == said.acts and all(piece in answer.text for piece in said.contains)


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[max(math.ceil(len(values) * share) - 1, 0)] if values else math.nan
