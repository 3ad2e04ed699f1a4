"""Metrics and queues in Prometheus' text format 0.0.4, for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from kinora.metrics.base import Metric, Series, Unit
from kinora.queues.base import QueueBacklog

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Sample = tuple[str, Sequence[tuple[str, str]], float]


def exposed_name(metric: Metric) -> str:
    """The name of the family: `kinora_`, the unit in full, and `_total` for what only grows."""
    unit = "" if metric.unit is Unit.COUNT else f"_{metric.unit.value.lower()}"
    return f"kinora_{metric.name}{unit}" + ("" if metric.buckets else "_total")


def exposition(metrics: Mapping[Metric, Sequence[Series]], queues: Iterable[QueueBacklog]) -> str:
    lines: list[str] = []
    for metric, found in metrics.items():
        name = exposed_name(metric)
        kind = "histogram" if metric.buckets else "counter"
        samples = (sample for one in found for sample in _samples(metric, name, one))
        lines += _family(name, kind, metric.about, samples)
    waiting = list(queues)
    depths = (
        ("kinora_queue_messages", [("queue", one.queue), ("state", state)], count)
        for one in waiting
        for state, count in zip(
            ("visible", "in_flight", "delayed"), (one.depth.visible, one.depth.in_flight, one.depth.delayed), strict=True
        )
    )
    lines += _family("kinora_queue_messages", "gauge", "Messages in a queue; in a dead-letter queue: given up.", depths)
    ages = (("kinora_queue_oldest_seconds", [("queue", one.queue)], one.oldest_seconds) for one in waiting)
    lines += _family("kinora_queue_oldest_seconds", "gauge", "Age of a queue's oldest message.", ages)
    return "\n".join(lines) + "\n"


def _samples(metric: Metric, name: str, series: Series) -> Iterator[_Sample]:
    labels = list(zip(metric.labels, series.labels, strict=True))
    if not metric.buckets:
        yield name, labels, series.total
        return
    bounds = [*(f"{bound:g}" for bound in metric.buckets), "+Inf"]
    for bound, count in zip(bounds, accumulate(series.counts), strict=True):
        yield f"{name}_bucket", [*labels, ("le", bound)], count
    yield f"{name}_sum", labels, series.total
    yield f"{name}_count", labels, sum(series.counts)


def _family(name: str, kind: str, about: str, samples: Iterable[_Sample]) -> Iterator[str]:
    yield f"# HELP {name} {_escaped(about)}"
    yield f"# TYPE {name} {kind}"
    for sample, labels, value in samples:
        written = ",".join(f'{label}="{_escaped(text, quoted=True)}"' for label, text in labels)
        yield f"{sample}{{{written}}} {value:.17g}"


def _escaped(text: str, *, quoted: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quoted else text
