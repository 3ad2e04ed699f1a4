"""Metrics on AWS: one log line in CloudWatch's embedded metric format for each recording, through Powertools.

Built by bootstrap on AWS. CloudWatch makes the metrics from the log; nothing is called and nothing waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from kinora.metrics.base import Metric, Unit

NAMESPACE = "Kinora"
_SUFFIX = {Unit.COUNT: "", Unit.SECONDS: "_seconds", Unit.BYTES: "_bytes"}


class EmbeddedMetrics:
    """`kinora.metrics.base.Metrics`. The labels are dimensions; `installation` is one more, called `service`."""

    def __init__(self, installation: str) -> None:
        self._installation = installation

    def record(self, values: Mapping[Metric, float], **labels: str) -> None:
        """One line for each set of labels: all metrics of a line share their dimensions."""
        lines: dict[tuple[str, ...], dict[Metric, float]] = defaultdict(dict)
        for metric, value in values.items():
            lines[metric.labels][metric] = value
        for names, line in lines.items():
            self._write(line, {name: labels[name] for name in names})

    def record_soon(self, values: Mapping[Metric, float], **labels: str) -> None:
        self.record(values, **labels)

    def _write(self, line: Mapping[Metric, float], labels: Mapping[str, str]) -> None:
        metrics = EphemeralMetrics(namespace=NAMESPACE, service=self._installation)
        for name, text in labels.items():
            metrics.add_dimension(name=name, value=text)
        for metric, value in line.items():
            metrics.add_metric(name=metric.name + _SUFFIX[metric.unit], unit=MetricUnit(metric.unit.value), value=value)
        metrics.flush_metrics()
