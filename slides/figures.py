"""Tables and charts of measured figures. Each is made of a file that a run has written; without the file, none."""

import base64
import html
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asyncpatterns.live.svg import BLUE, FAINT, INK, QUIET, VERMILION, Drawing, number, seconds

from .replay import RECORDINGS

DEMO = Path(__file__).parent.parent / "benchmarks" / "demo"
PEERS = (      # requests/s at 64 connections, p99 there in ms, p50 / p99 in ms at 1,500/s open loop, memory in MiB
    ("Flask, model.predict", 23, 3_115, "–", 453),
    ("FastAPI + uvicorn, compiled function", 1_218, 261, "2,367 / 5,036", 584),
    ("Ray Serve 2.60, @serve.batch", 371, 323, "collapses", 1_507),
    ("BentoML 1.4, 2 workers", 1_011, 438, "collapses", 1_074),
    ("LitServe 0.2", 1_594, 67, "487 / 706", 730),
    ("PyTriton 0.7, Triton's server", 3_192, 29, "9.0 / 59", 610),
    ("Mosec 0.9, front in Rust, 1 TF thread", 10_280, 9.0, "6.7 / 14.3", 541),
    ("this sketch behind FastAPI", 5_821, 27, "1.3 / 3.4", 584),
    ("this sketch behind bare asyncio", 11_282, 8.8, "1.7 / 5.3", 356),
)


def calls() -> dict[str, Any]:
    return json.loads((RECORDINGS / "calls.json").read_text(encoding="utf-8"))


def calls_table() -> str:
    took = calls()["seconds"]
    rows = [("model.predict(row)", 1, took["predict"]), ("model(row), eager", 1, took["eager"]),
            ("the compiled function, 1 row", 1, took["compiled_1"]),
            ("the compiled function, 8 rows", 8, took["compiled_8"]),
            ("the compiled function, 64 rows", 64, took["compiled_64"])]
    longest = max(math.log10(rows / time) for _, rows, time in rows)
    body = [[f"<code>{name}</code>" if "(" in name else name, seconds(time), number(count / time),
             _bar(math.log10(count / time) / longest)] for name, count, time in rows]
    return _table(("one call", "takes", "rows per second", "log scale"), body, bold={4}) + _small(calls()["setup"])


def _bar(share: float) -> str:
    return f'<div class="bar" style="width:{share * 320:.0f}px"></div>'


def peers_table() -> str:
    body = [[html.escape(name), number(rate), number(p99), both, number(memory)]
            for name, rate, p99, both, memory in PEERS]
    heads = ("one-row JSON requests", "requests/s", "p99, ms", "at 1,500/s: p50 / p99", "MiB")
    return _table(heads, body, bold={7, 8}) + _small(
        "Closed loop, 64 connections, and open loop at 1,500/s; the same small transformer, TensorFlow 2.21 on CPU; "
        "two cores shared with the load generator. Trust the ratios.")


def demo_figure() -> str:
    """The picture of `make demo` and its setup, as stored in the repository."""
    picture, results = DEMO / "picture.png", DEMO / "results.json"
    if not (picture.exists() and results.exists()):
        return "<p>Run <code>make demo</code>: its picture belongs here.</p>"
    facts = json.loads(results.read_text(encoding="utf-8"))
    alt = "Latency against offered rate, three deployments. " + "; ".join(
        f"{name}: {value:.1f} times" for name, value in facts["ratios"].items())
    data = base64.b64encode(picture.read_bytes()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">' + _small(facts["setup"])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], bold: set[int] = frozenset()) -> str:
    head = "".join(f"<th{_align(place)}>{name}</th>" for place, name in enumerate(heads))
    body = "".join(f'<tr{" class=ours" if index in bold else ""}>'
                   + "".join(f"<td{_align(place)}>{cell}</td>" for place, cell in enumerate(row)) + "</tr>"
                   for index, row in enumerate(rows))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _align(place: int) -> str:
    return ' style="text-align:right"' if place else ""


def _small(words: str) -> str:
    return f'<p class="small">{html.escape(words)}</p>'


# --- T(n) ---

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 356, 70, 700, 40, 310


def cost_picture() -> str:
    """One call of n rows: measured points, their line b + a·n, and what the same rows cost one at a time."""
    facts = calls()
    points = {int(name.split("_")[1]): time * 1e3 for name, time in facts["seconds"].items() if "compiled" in name}
    base, each = fit(points)
    most, top = max(points), max(points.values()) * 2.2
    d = Drawing(WIDTH, HEIGHT, facts["setup"], f"T(n) = {base:.2f} ms + {each:.3f} ms times n. " + ", ".join(
        f"{n} rows: {time:.2f} ms" for n, time in sorted(points.items())))

    def place(n: float, time: float) -> tuple[float, float]:
        return LEFT + n / most * (RIGHT - LEFT), BOTTOM - time / top * (BOTTOM - TOP)

    _frame(d, most, top, place)
    alone = top / points[1]
    d.polyline([place(0, 0), place(alone, top)], VERMILION, stroke_width=3, stroke_dasharray="8 5")
    d.text(place(alone, top)[0] + 10, TOP + 14, "the same rows, a call for each", 16, VERMILION, font_weight="600")
    d.polyline([place(0, base), place(most, base + each * most)], BLUE, stroke_width=3)
    for n, time in sorted(points.items()):
        d.mark("circle", *place(n, time), 11, BLUE)
    d.text(place(most, 0)[0] + 12, place(most, points[most])[1] + 4, "one call", 16, BLUE, font_weight="600")
    d.text(place(most * 0.42, 0)[0], BOTTOM - 26, f"T(n) = {base:.2f} ms + {each:.3f} ms · n", 19, INK,
           font_weight="600")
    d.text(place(most, 0)[0] + 12, place(most, points[most])[1] + 24, f"{points[most]:.1f} ms", 15, BLUE)
    return str(d)


def fit(points: dict[int, float]) -> tuple[float, float]:
    """(b, a) of T(n) = b + a·n by least squares of the relative error, so that one row counts as much as many."""
    weights = {n: 1 / time**2 for n, time in points.items()}
    total = sum(weights.values())
    mean_n = sum(weights[n] * n for n in points) / total
    mean_t = sum(weights[n] * time for n, time in points.items()) / total
    each = (sum(weights[n] * (n - mean_n) * (time - mean_t) for n, time in points.items())
            / sum(weights[n] * (n - mean_n) ** 2 for n in points))
    return mean_t - each * mean_n, each


def _frame(d: Drawing, most: int, top: float, place: Any) -> None:
    d.line(LEFT, BOTTOM, RIGHT, BOTTOM, QUIET)
    for n in (1, 8, 16, 32, 48, 64):
        d.text(place(n, 0)[0], BOTTOM + 20, f"{n}", 14, QUIET, text_anchor="middle")
    d.text(RIGHT + 14, BOTTOM + 20, "rows in the call", 14, QUIET)
    step = 10 ** math.floor(math.log10(top / 2))
    step *= 2 if top / step > 8 else 1
    for tick in range(int(top / step) + 1):
        y = place(0, tick * step)[1]
        d.line(LEFT, y, RIGHT, y, FAINT)
        d.text(LEFT - 8, y + 5, f"{tick * step:g} ms", 14, QUIET, text_anchor="end")

