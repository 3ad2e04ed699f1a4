"""Seconds, CPU seconds and memory, of this process's children and of calls; and medians of several rounds."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Cost:
    """Wall and CPU seconds (user and system, of this process and its finished children)."""

    wall: float = 0.0
    cpu: float = 0.0


def _cpu() -> float:
    return sum(os.times()[:4])


@contextmanager
def measured() -> Iterator[Cost]:
    cost, wall, cpu = Cost(), time.perf_counter(), _cpu()
    try:
        yield cost
    finally:
        cost.wall, cost.cpu = time.perf_counter() - wall, _cpu() - cpu


def median_cost(rounds: int, work: Callable[[], object]) -> Cost:
    costs = []
    for _ in range(rounds):
        with measured() as cost:
            work()
        costs.append(cost)
    return Cost(statistics.median(one.wall for one in costs), statistics.median(one.cpu for one in costs))


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def peak_megabytes(code: str, *arguments: str) -> float:
    """Peak resident memory of a fresh interpreter that runs `code`."""
    report = "\nimport resource; print('PEAK', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", code + report, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout.rsplit("PEAK", 1)[1]) / 1024


def machine() -> str:
    """What the figures were measured on."""
    model = "unknown processor"
    with Path("/proc/cpuinfo").open() as info:
        model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), model)
    return f"{os.cpu_count()} cores, {model}, Python {sys.version.split()[0]}"


@dataclass
class Report:
    """A Markdown document that grows by tables."""

    parts: list[str] = field(default_factory=list)

    def table(self, title: str, about: str, heads: list[str], rows: list[list[object]]) -> None:
        lines = [f"## {title}", "", about, "", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
        self.parts.append("\n".join(lines))
        sys.stdout.write(self.parts[-1] + "\n\n")
        sys.stdout.flush()


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
