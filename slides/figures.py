"""Tables and charts of measured figures. Each is made of a file that a run has written; without the file, none."""

import base64
import html
import itertools
import json
import math
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from asyncpatterns.live.svg import BLUE, FAINT, INK, QUIET, VERMILION, Drawing, number, seconds

from .replay import RECORDINGS

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
PEERS = "## Serving beside its peers"
MANY = 9                # rows of a table in its usual size
PEER_COLUMNS = ("", "64 conn., req/s", "256 conn., req/s", "1,500/s: p50 / p99 ms", "MiB")


def stored(name: str) -> dict[str, Any]:
    """`setup` and `seconds`, as `python -m slides.record calls hops` has written them."""
    return json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))


def call(way: str) -> float:
    """Seconds that one call of the model takes: `predict`, `eager`, or `compiled_N` with N rows."""
    return stored("calls")["seconds"][way]


def calls_table() -> str:
    rows = [("model.predict(row)", 1, call("predict")), ("model(row), eager", 1, call("eager"))] + [
        (f"the compiled function, {size} row{'s'[:size - 1]}", size, call(f"compiled_{size}")) for size in (1, 8, 64)]
    longest = max(math.log10(rows / time) for _, rows, time in rows)
    body = [[f"<code>{name}</code>" if "(" in name else name, seconds(time), number(count / time),
             _bar(math.log10(count / time) / longest)] for name, count, time in rows]
    heads = ("one call", "takes", "rows per second", "<span>log scale</span>")
    return _table(heads, body, bold={4}) + _small(stored("calls")["setup"])


def hop(way: str) -> float:
    """Seconds that a request and its reply take by way of `channel` or `redis`, one after the other."""
    return stored("hops")["seconds"][way]


def hops_table() -> str:
    rows = [("a channel and a future, in this process", hop("channel")), ("two lists in Redis, on this machine",
            hop("redis")), ("for comparison: one compiled call, one row", call("compiled_1")),
            ("for comparison: a row's share of a compiled call of 64", call("compiled_64") / 64)]
    body = [[name, seconds(time), number(1 / time)] for name, time in rows]
    return _table(("one request and its reply, by way of", "takes", "per second"), body, bold={0}) + _small(
        stored("hops")["setup"])


def _bar(share: float) -> str:
    return f'<div class="bar" style="width:{share * 320:.0f}px"></div>'


def peers() -> tuple[list[str], list[list[str]]]:
    """The heads and the rows of the first table of the peers in `benchmarks/README.md`."""
    text = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    lines = itertools.dropwhile(lambda line: line[:1] != "|", text[text.index(PEERS):].splitlines())
    table = itertools.takewhile(lambda line: line[:1] == "|", lines)
    heads, _, *rows = ([cell.strip().strip("*") for cell in line.strip("|").split("|")] for line in table)
    return heads, rows


def peers_table() -> str:
    heads, rows = peers()
    shown = [index for index, head in enumerate(heads) if head in PEER_COLUMNS]
    heads, rows = [heads[index] for index in shown], [[row[index] for index in shown] for row in rows]
    ours = {index for index, row in enumerate(rows) if row[0].startswith("ours")}
    body = [[_code_marked(cell) for cell in row] for row in rows]
    table = _table([html.escape(head) for head in heads], body, ours)
    return (f'<div class="many">{table}</div>' if len(rows) > MANY else table) + _small(
        "The chatbot's model, one-row JSON requests, closed loops and an open one; two cores shared with the load "
        "generator; trust the ratios")


def _code_marked(cell: str) -> str:
    return re.sub(r"`(.+?)`", r"<code>\1</code>", html.escape(cell))


@dataclass(frozen=True)
class Demo:
    """What `make demo` measured. Its picture carries the finding and the setup with it, so it alone is enough."""

    png: bytes
    finding: str
    setup: str
    source: str

    @classmethod
    def of(cls, picture: Path, source: str = "make demo, on this machine") -> "Demo":
        """Raises `FileNotFoundError` or `ValueError` when that is no picture of `make demo`."""
        if not picture.exists():
            raise FileNotFoundError(f"{picture} is not there; make demo writes it, as results/demo.png")
        with Image.open(picture) as image:
            words = getattr(image, "text", {})
        if not {"Title", "Description"} <= set(words):
            raise ValueError(f"{picture} does not say what it shows; expected a picture that make demo has drawn")
        return cls(picture.read_bytes(), " ".join(words["Title"].split()), words["Description"], source)

    @classmethod
    def published(cls) -> "Demo":
        return cls.of(BENCHMARKS / "demo" / "picture.png", "make demo, as published in the README")

    @property
    def factors(self) -> tuple[str, str]:
        """How many times the requests of `model.predict`, and of the compiled function."""
        over_predict, over_compiled = re.findall(r"([\d.,]+) ×", self.finding)
        return over_predict, over_compiled

    def figure(self) -> str:
        alt = html.escape(f"Latency against offered rate, three deployments. {self.finding}. {self.setup}.")
        data = base64.b64encode(self.png).decode()
        return f'<img alt="{alt}" src="data:image/png;base64,{data}">' + _small(f"{self.source}. {self.setup}")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], bold: Set[int] = frozenset()) -> str:
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
    facts = stored("calls")
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

