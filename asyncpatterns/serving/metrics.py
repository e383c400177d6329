"""What `/metrics` says, in Prometheus' text format."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .deployment import Deployment

COUNTERS = ("admitted", "answered", "failed", "expired", "cancelled", "rejected", "batches", "padding")
GAUGES = ("waiting", "running")


def prometheus(deployment: Deployment) -> str:
    """Every count of every batcher of `deployment`; a batch's mean size is answered / batches."""
    lines = []
    for names, kind, suffix in ((COUNTERS, "counter", "_total"), (GAUGES, "gauge", "")):
        for name in names:
            metric = f"asyncpatterns_{name}{suffix}"
            lines.append(f"# TYPE {metric} {kind}")
            lines += [f"{metric}{{{_labels(deployment, signature)}}} {getattr(batcher.statistics(), name)}"
                      for signature, batcher in deployment.batchers.items()]
    return "\n".join(lines) + "\n"


def _labels(deployment: Deployment, signature: str) -> str:
    return f'model="{deployment.name}",version="{deployment.model.version}",signature="{signature}"'
