"""The runs as a table and as a picture. Of several rounds each figure is the best: noise only ever makes it worse."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .contestants import CONTESTANTS
from .loads import Result

CLOSED, OPEN = (64, 256), (500, 1500)
OURS = "ours"
Runs = dict[str, dict[str, Any]]        # key -> {"memory": [...], "results": [...], "failed": "why"}


def setup() -> str:
    return (f"Chatbot intent model, one-row JSON requests, {os.cpu_count()} cores shared with the load generator; "
            f"{platform.system()}, Python {platform.python_version()}")


def save(runs: Runs, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"setup": setup(), "peers": runs}, indent=1))


def best(run: dict[str, Any], load: tuple[str, int]) -> Result | None:
    """The round with the most answers, and among open loops, which answer alike, the lowest p99."""
    found = [Result(**{**each, "load": tuple(each["load"])}) for each in run.get("results", ())
             if tuple(each["load"]) == load]
    sound = [each for each in found if not each.void] or found
    if load[0] == "open":
        return min(sound, key=lambda each: (-round(each.answered / load[1], 1), each.p99), default=None)
    return max(sound, key=lambda each: each.answered, default=None)


def table(runs: Runs) -> str:
    head = ["", *(text for count in CLOSED for text in (f"{count} conn., req/s", "p99 ms")),
            *(f"{rate:,}/s: p50 / p99 ms" for rate in OPEN), "MiB"]
    lines = [_line(head), _line(["---"] * len(head))]
    for key in ordered(runs):
        lines.append(_line([CONTESTANTS[key].title, *_cells(runs[key])]))
    return "\n".join(lines)


def ordered(runs: Runs) -> list[str]:
    return [key for key in CONTESTANTS if key in runs]


def _cells(run: dict[str, Any]) -> Iterable[str]:
    if "failed" in run:
        return [f"did not serve: {run['failed'].splitlines()[0][:60]}"]
    cells = []
    for count in CLOSED:
        result = best(run, ("closed", count))
        cells += [f"{result.answered:,.0f}{_errors(result)}", f"{result.p99 * 1e3:,.1f}"] if result else ["–", "–"]
    for rate in OPEN:
        cells.append(_open_cell(best(run, ("open", rate)), rate))
    return [*cells, f"{min(run['memory']):,.0f}" if run.get("memory") else "–"]


def _open_cell(result: Result | None, rate: int) -> str:
    if result is None:
        return "–"
    if result.answered < 0.9 * rate:
        return f"collapses ({result.answered:,.0f}/s)"
    return f"{result.p50 * 1e3:,.1f} / {result.p99 * 1e3:,.1f}{' (void)' if result.void else ''}"


def _errors(result: Result) -> str:
    return f" ({result.errors:,} errors)" if result.errors else ""


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def ahead(runs: Runs) -> list[str]:
    """A sentence for each figure in which a peer is not behind ours."""
    if OURS not in runs:
        return []
    return [text for key in ordered(runs) if key not in (OURS, "uvicorn") and "failed" not in runs[key]
            for text in _not_behind(CONTESTANTS[key].title, runs[key], runs[OURS])]


def _not_behind(title: str, theirs: dict[str, Any], ours: dict[str, Any]) -> Iterable[str]:
    for load in [("closed", count) for count in CLOSED] + [("open", rate) for rate in OPEN]:
        they, we = best(theirs, load), best(ours, load)
        if they is None or we is None:
            continue
        name = f"{load[1]} connections" if load[0] == "closed" else f"{load[1]:,}/s"
        if they.answered >= we.answered and load[0] == "closed":
            yield f"{title}: {they.answered / we.answered:.2f} × our requests/s at {name}"
        for label, theirs_s, ours_s in (("p50", they.p50, we.p50), ("p99", they.p99, we.p99)):
            counts = they.answered > 0.9 * load[1] if load[0] == "open" else label == "p99"
            if theirs_s <= ours_s and counts:
                yield f"{title}: {theirs_s / ours_s:.2f} × our {label} at {name}"
    if theirs.get("memory") and min(theirs["memory"]) <= min(ours["memory"]):
        yield f"{title}: {min(theirs['memory']) / min(ours['memory']):.2f} × our memory"


def draw(runs: Runs, path: Path) -> None:
    """Requests a second at both numbers of connections, as bars, ours in its own colour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    keys = [key for key in ordered(runs) if best(runs[key], ("closed", 64))]
    figure = Figure(figsize=(9.6, 0.8 + 0.62 * len(keys)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for offset, count, hatch in ((0.2, 64, ""), (-0.2, 256, "//")):
        _bars(axes, runs, keys, count, offset, hatch)
    axes.set_yticks(range(len(keys)), [CONTESTANTS[key].title.replace("`", "") for key in keys])
    axes.set_xlabel("requests per second, closed loop; plain: 64 connections, hatched: 256")
    axes.set_title("One model, one-row requests: what each server answers", loc="left", fontweight="bold")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(setup(), fontsize=8, color="#555555", x=0.01, ha="left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Description": setup()})


def _bars(axes: Any, runs: Runs, keys: list[str], count: int, offset: float, hatch: str) -> None:
    for row, key in enumerate(keys):
        result = best(runs[key], ("closed", count))
        if result is None:
            continue
        colour = "#009E73" if key in (OURS, "uvicorn") else "#0072B2"
        axes.barh(row + offset, result.answered, height=0.36, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        axes.annotate(f"{result.answered:,.0f}", (result.answered, row + offset), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=8)
