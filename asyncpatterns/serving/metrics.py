"""What `/metrics` says, in Prometheus' text format (version 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from asyncpatterns.batching.statistics import Quantiles, Statistics

if TYPE_CHECKING:
    from .app import ServingApp

COUNTERS = {"admitted": "Requests let in.", "answered": "Requests answered.", "failed": "Requests the model failed on.",
            "expired": "Requests not started in time.", "cancelled": "Requests whose client left.",
            "rejected": "Requests refused because too much was waiting.", "batches": "Batches run.",
            "padding": "Rows added to reach allowed batch sizes."}
GAUGES = {"waiting": "Requests that wait.", "running": "Requests in a batch that runs.",
          "limit": "Rows that the next batch may have.", "room": "Rows that may wait."}
SUMMARIES = {"queue_delay": "Seconds from arrival to start, of recent requests.",
             "service_time": "Seconds of one call of the model, of recent calls."}
QUANTILES = {"0.5": "p50", "0.9": "p90", "0.99": "p99", "1": "max"}


def prometheus(app: ServingApp) -> str:
    """Every count of every batcher of `app`'s deployment; a batch's mean size is answered / batches."""
    deployment = app.deployment
    batchers = {_labels(model=deployment.name, version=str(deployment.version), signature=signature):
                batcher.statistics() for signature, batcher in deployment.batchers.items()}
    lines = [*_family("http_answers_total", "counter", "Answers by HTTP status."),
             *(f'asyncpatterns_http_answers_total{{status="{status}"}} {count}'
               for status, count in sorted(app.answers.items()))]
    for names, kind, suffix in ((COUNTERS, "counter", "_total"), (GAUGES, "gauge", "")):
        for name, text in names.items():
            lines += _family(name + suffix, kind, text)
            lines += [f"asyncpatterns_{name}{suffix}{{{labels}}} {_number(getattr(statistics, name))}"
                      for labels, statistics in batchers.items()]
    lines += _family("batch_rows", "histogram", "Rows of a batch, padding not counted.")
    for labels, statistics in batchers.items():
        lines += _sizes(labels, statistics)
    for name, text in SUMMARIES.items():
        lines += _family(f"{name}_seconds", "gauge", text)
        for labels, statistics in batchers.items():
            lines += _quantiles(name, labels, getattr(statistics, name))
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP asyncpatterns_{name} {text}", f"# TYPE asyncpatterns_{name} {kind}"]


def _sizes(labels: str, statistics: Statistics) -> Iterator[str]:
    total = rows = 0
    for size, count in statistics.sizes.items():
        total, rows = total + count, rows + size * count
        yield f'asyncpatterns_batch_rows_bucket{{{labels},le="{size}"}} {total}'
    yield f'asyncpatterns_batch_rows_bucket{{{labels},le="+Inf"}} {total}'
    yield f"asyncpatterns_batch_rows_sum{{{labels}}} {rows}"
    yield f"asyncpatterns_batch_rows_count{{{labels}}} {total}"


def _quantiles(name: str, labels: str, values: Quantiles) -> Iterator[str]:
    for quantile, attribute in QUANTILES.items():
        yield f'asyncpatterns_{name}_seconds{{{labels},quantile="{quantile}"}} {getattr(values, attribute):.6g}'


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else f"{value:g}" if isinstance(value, float) else str(value)


def _labels(**labels: str) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
