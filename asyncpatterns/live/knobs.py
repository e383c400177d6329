"""Sliders for the options of a batcher that may change while it runs, and for the load it is under."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

Knob = tuple[Any, Callable[[Any], None]]


def look(description: str) -> dict[str, Any]:
    return {"description": description, "continuous_update": False, "style": {"description_width": "130px"},
            "layout": ipywidgets.Layout(width="520px")}


def rate_knob(rate: float, most: float, use: Callable[[float], None]) -> Knob:
    """Requests a second, on a logarithmic scale from 1 to `most`."""
    slider = ipywidgets.FloatLogSlider(value=rate, min=0, max=math.log10(most), step=0.05, readout_format=",.0f",
                                       **look("requests/s"))
    return slider, lambda value: use(float(value))


def size_knob(batchers: Sequence[Any], most: int) -> Knob:
    value = min(batchers[0].max_batch_size, most)
    slider = ipywidgets.IntSlider(value=value, min=1, max=most, **look("max_batch_size"))
    return slider, lambda value: assign(batchers, "max_batch_size", value)


def linger_knob(batchers: Sequence[Any]) -> Knob:
    slider = ipywidgets.FloatSlider(value=batchers[0].linger * 1e3, min=0, max=50, step=0.5, **look("linger, ms"))
    return slider, lambda value: assign(batchers, "linger", value / 1e3)


def slo_knob(slo: float | None, use: Callable[[float | None], None]) -> Knob:
    slider = ipywidgets.IntSlider(value=round((slo or 0) * 1e3), min=0, max=500, step=5, **look("slo, ms (0: none)"))
    return slider, lambda milliseconds: use(milliseconds / 1e3 or None)


def assign(batchers: Sequence[Any], option: str, value: Any) -> None:
    for batcher in batchers:
        setattr(batcher, option, value)
