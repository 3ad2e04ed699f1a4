"""What Kinora counts and measures: the table of all metrics with their labels, and the protocol of who keeps them.

Used by the API and by use cases. docs/metrics.md says what each number means; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LONG_SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)


class Unit(StrEnum):
    COUNT = "Count"
    SECONDS = "Seconds"
    BYTES = "Bytes"


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table. A counter only grows; one with `buckets` (upper bounds) is a histogram.

    `labels` are all that the metric is told apart by. Each has a few dozen values at most: a route's template, never a path.
    """

    name: str
    unit: Unit
    about: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


REQUESTS = Metric("http_requests", Unit.COUNT, "Requests answered.", ("method", "route", "status"))
REQUEST_SECONDS = Metric(
    "http_request", Unit.SECONDS, "Time from a request to the end of its answer.", ("method", "route"), _SECONDS
)
RESPONSE_BYTES = Metric("http_response", Unit.BYTES, "Bytes of answers' bodies.", ("method", "route"))
RATE_LIMITED = Metric("rate_limited_requests", Unit.COUNT, "Requests refused by a rate limit.", ("class",))
CACHE = Metric(
    "cache_lookups", Unit.COUNT, "Things asked for that were there (hit) or had to be made (miss).", ("cache", "result")
)
ON_DEMAND = Metric("on_demand", Unit.COUNT, "Things that somebody waited for: made, pending or failed.", ("cache", "result"))
TASKS = Metric("tasks", Unit.COUNT, "Queue messages and requests performed.", ("task", "outcome"))
TASK_SECONDS = Metric("task", Unit.SECONDS, "Time that they took.", ("task",), _LONG_SECONDS)
TASK_CPU_SECONDS = Metric("task_cpu", Unit.SECONDS, "Processor time that they took: what encoding costs.", ("task",))
JOBS = Metric("jobs", Unit.COUNT, "Jobs that became playable or came to an end.", ("kind", "state"))

METRICS = (
    *(REQUESTS, REQUEST_SECONDS, RESPONSE_BYTES, RATE_LIMITED, CACHE, ON_DEMAND),
    *(TASKS, TASK_SECONDS, TASK_CPU_SECONDS, JOBS),
)


class Metrics(Protocol):
    """Neither verb raises: numbers are not worth a failed request. Each metric takes those of `labels` that it has."""

    def record(self, values: Mapping[Metric, float], **labels: str) -> None:
        """Add to counters and histograms at once, so that a process that is killed afterwards has lost nothing."""

    def record_soon(self, values: Mapping[Metric, float], **labels: str) -> None:
        """As `record`, but the driver may keep the values in memory until somebody reads."""


class NoMetrics:
    """Metrics that nobody keeps."""

    def record(self, values: Mapping[Metric, float], **labels: str) -> None:
        pass

    def record_soon(self, values: Mapping[Metric, float], **labels: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Series:
    """The state of one metric for one set of label values. `counts` has one entry more than the metric has buckets."""

    labels: tuple[str, ...]
    total: float
    counts: tuple[float, ...] = ()


class MetricsReader(Protocol):
    """Optional ability of a local driver."""

    def read(self) -> Mapping[Metric, tuple[Series, ...]]:
        """Everything recorded by any process since the data folder was made, ordered by labels. Raises Unavailable."""
