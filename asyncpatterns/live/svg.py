"""Small pieces to build an SVG picture that everybody can read.

Every picture has a title and a description, says its numbers as text, and never tells two things apart by colour
alone: the colours are those of Okabe and Ito (2008), which stay distinct for colour-blind eyes, and each goes with a
shape, a fill or a label. Nothing moves by itself, so there is nothing for "reduced motion" to switch off.
A picture holds at most `MAX_SHAPES` shapes: that bounds what one frame costs the kernel and the browser.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from xml.sax.saxutils import escape, quoteattr

MAX_SHAPES = 300
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
INK, QUIET, FAINT, PAPER = "#1a1a1a", "#595959", "#d9d9d9", "#ffffff"
SERIES = ((VERMILION, "square"), (BLUE, "circle"), (GREEN, "triangle"), (PURPLE, "diamond"))


class Drawing:
    """An SVG picture under construction; `str()` of it is the finished text.

    Units are pixels of a picture `width` wide, which scales down with its container. Shapes beyond `MAX_SHAPES` are
    left out and counted in `omitted`, and the picture says so in its description: a truncated picture admits it.
    """

    def __init__(self, width: int, height: int, title: str, description: str = "") -> None:
        self.width, self.height, self.title, self.description = width, height, title, description
        self.omitted = 0
        self._parts: list[str] = []

    @property
    def shapes(self) -> int:
        return len(self._parts)

    def rect(self, x: float, y: float, width: float, height: float, fill: str = "none", **style: object) -> None:
        size = f'width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
        self._add(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{fill}"{_style(style)}/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, stroke: str = INK, **style: object) -> None:
        self._add(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"{_style(style)}/>')

    def polyline(self, points: Iterable[tuple[float, float]], stroke: str = INK, **style: object) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._add(f'<polyline points="{path}" fill="none" stroke="{stroke}"{_style(style)}/>')

    def polygon(self, points: Iterable[tuple[float, float]], fill: str, **style: object) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._add(f'<polygon points="{path}" fill="{fill}"{_style(style)}/>')

    def path(self, data: str, fill: str, **style: object) -> None:
        """Any number of outlines as one shape; nothing if there is none."""
        if data:
            self._add(f'<path d="{data}" fill="{fill}"{_style(style)}/>')

    def text(self, x: float, y: float, words: object, size: float = 12, fill: str = INK, **style: object) -> None:
        self._add(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{fill}"{_style(style)}>'
                  f"{escape(str(words))}</text>")

    def mark(self, shape: str, x: float, y: float, size: float, fill: str) -> None:
        """One data point: `circle`, `square`, `triangle` or `diamond`, `size` pixels across."""
        half = size / 2
        if shape == "circle":
            self._add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{half:.1f}" fill="{fill}"/>')
        elif shape == "square":
            self.rect(x - half, y - half, size, size, fill)
        elif shape == "triangle":
            self.polygon([(x, y - half), (x + half, y + half), (x - half, y + half)], fill)
        elif shape == "diamond":
            self.polygon([(x, y - half), (x + half, y), (x, y + half), (x - half, y)], fill)
        else:
            raise ValueError(f"no shape {shape!r}; there are circle, square, triangle and diamond")

    def numbers(self, y: float, facts: Sequence[tuple[str, str]], x: float = 12) -> None:
        """The row of text that says what the picture shows; it goes into the description for screen readers too."""
        words = "  ·  ".join(f"{name} {value}" for name, value in facts)
        self.description = f"{self.description} {words}".strip()
        self.text(x, y, words, 12.5, INK)

    def parts(self) -> tuple[str, ...]:
        """The finished shapes, to be kept and added to other drawings."""
        return tuple(self._parts)

    def add(self, parts: Iterable[str]) -> None:
        for part in parts:
            self._add(part)

    def _add(self, shape: str) -> None:
        if len(self._parts) < MAX_SHAPES:
            self._parts.append(shape)
        else:
            self.omitted += 1

    def __str__(self) -> str:
        missing = f" {self.omitted} more shapes are left out." if self.omitted else ""
        description = f"{self.description}{missing}"
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
                f'viewBox="0 0 {self.width} {self.height}" role="img" '
                f'aria-label={quoteattr(f"{self.title}. {description}")} '
                f'style="max-width:100%;height:auto;background:{PAPER}" '
                f'font-family="system-ui, sans-serif"><title>{escape(self.title)}</title>'
                f"<desc>{escape(description)}</desc>"
                f'<rect width="{self.width}" height="{self.height}" fill="{PAPER}"/>'
                f'<text x="12" y="21" font-size="15" font-weight="600" fill="{INK}">{escape(self.title)}</text>'
                f"{''.join(self._parts)}</svg>")


def outline(shape: str, x: float, y: float, size: float) -> str:
    """A mark of one of the shapes of `Drawing.mark`, as a piece of a `path`."""
    half = size / 2
    if shape == "circle":
        return f"M{x - half:.1f} {y:.1f}a{half} {half} 0 1 0 {size} 0a{half} {half} 0 1 0 {-size} 0z"
    if shape == "triangle":
        return f"M{x:.1f} {y - half:.1f}l{half} {size}h{-size}z"
    if shape == "diamond":
        return f"M{x:.1f} {y - half:.1f}l{half} {half}l{-half} {half}l{-half} {-half}z"
    if shape == "square":
        return box(x - half, y - half, size, size)
    raise ValueError(f"no shape {shape!r}; there are circle, square, triangle and diamond")


def box(x: float, y: float, width: float, height: float) -> str:
    """The outline of a rectangle, as a piece of a `path`: many boxes of one look are drawn as one shape."""
    return f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h{-width:.1f}z"


def seconds(value: float | None) -> str:
    """A time for people: `4.1 ms`, `850 µs`, `2.3 s`; a dash where there is none."""
    if value is None or value != value:
        return "–"
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        scaled = value * factor
        if abs(scaled) >= 0.9995 or unit == "µs":
            return f"{scaled:.0f} {unit}" if abs(scaled) >= 99.5 else f"{scaled:.3g} {unit}"
    raise AssertionError("unreachable")


def number(value: float | None) -> str:
    """A count or a rate for people: `1,234`, `27`, `3.4`; a dash where there is none."""
    if value is None or value != value:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 9.95 or value == int(value) else f"{value:.1f}"


def shorten(words: str, length: int) -> str:
    return words if len(words) <= length else words[: length - 1] + "…"


def _style(style: dict[str, object]) -> str:
    return "".join([_attribute(name, str(value)) for name, value in style.items()]) if style else ""


@lru_cache(maxsize=1_000)       # a picture says the same few things of hundreds of shapes, ten times a second
def _attribute(name: str, value: str) -> str:
    return f' {name.replace("_", "-")}={quoteattr(value)}'
