"""Metrics of one machine: rows in a SQLite file that all processes add to. Built by bootstrap in local mode, read by `/metrics`.

Every sum is kept in the file, so a worker that is killed takes nothing back, and a restart does not begin at zero.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from kinora.database import COUNTS_BUSY_SECONDS, Database, Schema
from kinora.errors import KinoraError
from kinora.metrics.base import METRICS, Metric, Series
from kinora.observability import logger

SCHEMA = Schema(
    room="metrics",
    version=1,
    statements="""
CREATE TABLE IF NOT EXISTS metrics_sums (
    metric TEXT NOT NULL,
    labels TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (metric, labels, bucket)
) WITHOUT ROWID, STRICT;
""",
)
_TOTAL = -1  # in place of a bucket's number: the sum of all values

_Row = tuple[str, str, int]


class SqliteMetrics:
    """`kinora.metrics.base.Metrics` and `MetricsReader`."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA, busy_seconds=COUNTS_BUSY_SECONDS, durable=False)
        self._lock = threading.Lock()
        self._kept: dict[_Row, float] = defaultdict(float)

    def record(self, values: Mapping[Metric, float], **labels: str) -> None:
        self.record_soon(values, **labels)
        self.flush()

    def record_soon(self, values: Mapping[Metric, float], **labels: str) -> None:
        with self._lock:
            for metric, value in values.items():
                for row, amount in _rows(metric, value, labels):
                    self._kept[row] += amount

    def flush(self) -> None:
        """Write what is kept in memory; it stays there if it cannot be written now."""
        with self._lock:
            try:
                self._write()
            except KinoraError as error:
                logger.debug("metrics not written", extra={"reason": str(error)})

    def read(self) -> Mapping[Metric, tuple[Series, ...]]:
        """As in MetricsReader."""
        with self._lock:
            self._write()
        with self._database.read() as connection:
            rows = connection.execute("SELECT metric, labels, bucket, value FROM metrics_sums").fetchall()
        found: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
        for name, labels, bucket, value in rows:
            found[name][labels][bucket] = value
        return {metric: tuple(_series(metric, found[metric.name])) for metric in METRICS if metric.name in found}

    def close(self) -> None:
        self.flush()
        self._database.close()

    def _write(self) -> None:
        if not self._kept:
            return
        with self._database.write() as connection:
            connection.executemany(
                "INSERT INTO metrics_sums VALUES (?, ?, ?, ?)"
                " ON CONFLICT (metric, labels, bucket) DO UPDATE SET value = value + excluded.value",
                [(*row, value) for row, value in self._kept.items()],
            )
        self._kept.clear()


def _rows(metric: Metric, value: float, labels: Mapping[str, str]) -> Iterator[tuple[_Row, float]]:
    encoded = json.dumps([labels[name] for name in metric.labels])
    yield (metric.name, encoded, _TOTAL), value
    if metric.buckets:
        yield (metric.name, encoded, bisect_left(metric.buckets, value)), 1


def _series(metric: Metric, found: Mapping[str, Mapping[int, float]]) -> Iterator[Series]:
    for labels in sorted(found):
        sums = found[labels]
        buckets = range(len(metric.buckets) + 1) if metric.buckets else ()
        yield Series(tuple(json.loads(labels)), sums.get(_TOTAL, 0.0), tuple(sums.get(n, 0.0) for n in buckets))
