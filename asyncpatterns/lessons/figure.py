"""A Matplotlib figure together with the words for those who cannot see it. Drawn after a run, never during one."""

import base64
import io
from html import escape
from typing import Any

OKABE_ITO = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("s", "o", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", "-", "--", "-.")


class Figure:
    """Shows a Matplotlib figure in a cell, with alt text. Make one with `figure(fig, alt=...)`."""

    def __init__(self, fig: Any, alt: str) -> None:
        if not alt.strip():
            raise ValueError("alt= says in a sentence or two what the figure shows")
        self.fig, self.alt = fig, alt.strip()

    def __repr__(self) -> str:
        return f"<Figure: {self.alt}>"

    def _repr_html_(self) -> str:
        png = io.BytesIO()
        self.fig.savefig(png, format="png", dpi=110, bbox_inches="tight")
        data = base64.b64encode(png.getvalue()).decode()
        return f'<img style="max-width:100%" alt="{escape(self.alt, quote=True)}" src="data:image/png;base64,{data}">'

    def savefig(self, path: Any, **options: Any) -> None:
        self.fig.savefig(path, **{"bbox_inches": "tight", **options})


def figure(fig: Any, alt: str) -> Figure:
    """The figure as the last expression of a cell: an image with `alt` text. Keeps pyplot from showing it twice."""
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)
    return Figure(fig, alt)


def axes(rows: int = 1, columns: int = 1, width: float = 8.5, height: float = 3.4) -> tuple[Any, Any]:
    """A figure and its axes without pyplot, which keeps every figure alive; grids light, nothing to the top and
    right, colours that everybody can tell apart.
    """
    from matplotlib.figure import Figure as Canvas

    fig = Canvas(figsize=(width, height), layout="constrained")
    grid = fig.subplots(rows, columns, squeeze=False)
    for ax in grid.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25)
        ax.set_prop_cycle(color=OKABE_ITO)
    return fig, grid[0, 0] if rows == columns == 1 else list(grid.flat)
