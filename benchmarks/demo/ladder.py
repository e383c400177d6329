"""The runs, as data: who was driven how, what came back, and what that says in one sentence."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from typing import Any

from asyncpatterns.chatbot import KERAS_FILE, MODEL_DIR
from asyncpatterns.load import Report
from asyncpatterns.serving.processes import batched_arguments, rudimentary_arguments

CLIENTS = 64
PATIENCE = 2.0          # seconds after which a client of an open loop gives up; an error, not an answer


@dataclass(frozen=True)
class Contestant:
    key: str
    title: str
    arguments: tuple[str, ...]      # of a Python process that serves it


CONTESTANTS = (
    Contestant("predict", "REST, model.predict", tuple(rudimentary_arguments(KERAS_FILE))),
    Contestant("compiled", "REST, compiled function", tuple(rudimentary_arguments(MODEL_DIR))),
    Contestant("batched", "batched actor deployment", tuple(batched_arguments(MODEL_DIR, "--server", "uvicorn"))),
)


@dataclass
class Step:
    """One run against one deployment. `rate` is None in a closed loop."""

    key: str
    kind: str                       # "alone", "closed" or "open"
    rate: float | None
    report: Report
    mean_batch: float = 1.0
    checked: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def collapsed(self) -> bool:
        """An open loop is past what the deployment can do when it answers less than 9 of 10 in time.

        Of a void run, whose generator was late too, nothing can be said unless not even half was answered.
        """
        enough = 0.5 if self.report.void else 0.9
        return self.rate is not None and self.report.answered < enough * self.report.offered


@dataclass
class Ladder:
    contestants: tuple[Contestant, ...] = CONTESTANTS
    steps: list[Step] = field(default_factory=list)

    def steps_of(self, key: str, kind: str = "open") -> list[Step]:
        return [step for step in self.steps if step.key == key and step.kind == kind]

    def is_past_its_limit(self, key: str) -> bool:
        """A higher rate would show nothing new: it collapsed, or twice the generator could not keep the schedule."""
        last = self.steps_of(key)[-2:]
        return any(step.collapsed for step in last) or [bool(step.report.void) for step in last] == [True, True]

    def throughput(self, key: str) -> float:
        """Answers per second at 64 closed-loop connections, the best of the interleaved rounds."""
        return max(step.report.answered for step in self.steps_of(key, "closed"))

    def alone(self, key: str) -> float:
        """Median latency in seconds of a request that finds the server idle, the best of the interleaved rounds."""
        return min(step.report.p50 for step in self.steps_of(key, "alone"))

    @property
    def wrong(self) -> list[str]:
        return [f"{step.key}: {text}" for step in self.steps for text in step.wrong]

    def ratios(self) -> dict[str, float]:
        """The three figures that the demo is about, each a ratio of two measurements of the same run."""
        batched = self.throughput("batched")
        return {"batched / predict, requests per second": batched / self.throughput("predict"),
                "batched / compiled, requests per second": batched / self.throughput("compiled"),
                "batched / compiled, p50 of a lone request": self.alone("batched") / self.alone("compiled")}

    def finding(self) -> str:
        over_predict, over_compiled, _ = self.ratios().values()
        return (f"Batching answers {over_predict:,.0f} × the requests of model.predict "
                f"and {over_compiled:.1f} × those of\na compiled function, "
                "from the same model behind the same HTTP server")

    def setup(self) -> str:
        return (f"Chatbot intent model, one-row JSON requests, {os.cpu_count()} cores shared with the load generator; "
                f"ratios at {CLIENTS} closed-loop connections; {platform.system()}, Python {platform.python_version()}")

    def to_json(self) -> dict[str, Any]:
        return {"setup": self.setup(), "ratios": self.ratios(), "steps": [
            {"deployment": step.key, "kind": step.kind, "rate": step.rate, "mean batch size": step.mean_batch,
             "wrong answers": len(step.wrong), **step.report.to_json()} for step in self.steps]}


def table(ladder: Ladder) -> str:
    """One line a run: deployment, offered rate, answered rate, p50, p99, errors, mean batch size."""
    head = f"{'deployment':<26}{'load':>16}{'answered/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'errors':>8}{'batch':>7}"
    lines = [head, "-" * len(head)]
    for kind in ("alone", "closed", "open"):
        for contestant in ladder.contestants:
            lines += [_line(contestant, step) for step in ladder.steps_of(contestant.key, kind)]
        lines.append("")
    lines += [f"{value:8.2f} ×  {name}" for name, value in ladder.ratios().items()]
    return "\n".join(lines)


def _line(contestant: Contestant, step: Step) -> str:
    load = {"alone": "one at a time", "closed": f"{CLIENTS} clients"}.get(step.kind) or f"{step.rate:,.0f}/s offered"
    report = step.report
    errors = sum(report.errors.values())
    note = "  collapsed" if step.collapsed else f"  void: sent {report.lag * 1e3:.0f} ms late" if report.void else ""
    return (f"{contestant.title:<26}{load:>16}{report.answered:>12,.1f}"
            f"{report.p50 * 1e3:>10.2f}{report.p99 * 1e3:>10.2f}{errors:>8,}{step.mean_batch:>7.1f}{note}")
