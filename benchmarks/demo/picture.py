"""The picture: latency against offered rate, every deployment in one plot, the finding as its title."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .ladder import PATIENCE

if TYPE_CHECKING:
    from .ladder import Ladder, Step

STYLES = {"predict": ("#D55E00", "s"), "compiled": ("#0072B2", "^"), "batched": ("#009E73", "o")}   # Okabe–Ito


def draw(ladder: Ladder, path: Path) -> None:
    """Saves the figure of `ladder` as a PNG, and says in its metadata what it shows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 5.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for contestant in ladder.contestants:
        _draw_one(axes, contestant.key, contestant.title, ladder.steps_of(contestant.key))
    _annotate_collapses(axes, ladder)
    axes.set(xscale="log", yscale="log", xlabel="offered rate (requests/s, open loop, Poisson arrivals)",
             ylabel="latency from the scheduled moment (ms)")
    axes.set_title(ladder.finding(), loc="left", fontsize=12, fontweight="bold")
    axes.set_ylim(top=1e3 * PATIENCE * 3)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(which="major", alpha=0.25)
    figure.legend(frameon=False, loc="outside lower center", ncols=len(ladder.contestants), fontsize=9.5,
                  title=ladder.setup(), title_fontproperties={"size": 8})
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Title": ladder.finding(), "Description": ladder.setup()})


def _draw_one(axes, key: str, title: str, steps: Sequence[Step]) -> None:
    colour, marker = STYLES[key]
    kept = [step for step in steps if not step.collapsed and not step.report.void]
    rates = [step.rate for step in kept]
    axes.plot(rates, [step.report.p50 * 1e3 for step in kept], color=colour, marker=marker, label=f"{title}: p50")
    axes.plot(rates, [step.report.p99 * 1e3 for step in kept], color=colour, marker=marker, linestyle=":",
              markerfacecolor="white", label=f"{title}: p99")
    for step in steps:
        if step.collapsed:
            _draw_collapse(axes, colour, kept[-1] if kept else None, step)


def _draw_collapse(axes, colour: str, last: Step | None, step: Step) -> None:
    """An X at the rate that was too much; where nothing was answered, as high as the clients' patience."""
    height = _height(step)
    if last:
        axes.plot([last.rate, step.rate], [last.report.p50 * 1e3, height], color=colour, linewidth=1, alpha=0.6)
    axes.plot([step.rate], [height], color=colour, marker="X", markersize=11)


def _height(step: Step) -> float:
    return 1e3 * (step.report.p50 if step.report.latencies else PATIENCE)


def _annotate_collapses(axes, ladder: Ladder) -> None:
    """Says beside each X what happened there: to its right, or, at the highest rates, to its left."""
    rates = [step.rate for step in ladder.steps if step.rate]
    for step in ladder.steps:
        if step.collapsed:
            late = step.rate**2 > min(rates) * max(rates) * 4
            axes.annotate(f"collapsed: {step.report.answered:,.0f}/s\nof {step.rate:,.0f}/s answered in time",
                          (step.rate, _height(step)), textcoords="offset points", xytext=(-10 if late else 10, -6),
                          ha="right" if late else "left", fontsize=8.5, color=STYLES[step.key][0])
