"""Seconds, CPU seconds and memory: of calls in this process, and of commands; and medians of several rounds."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LAUNCH = """
import os, subprocess, sys
started = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(started.pid, 0)
started.returncode = os.waitstatus_to_exitcode(status)
print(used.ru_maxrss)
sys.exit(started.returncode)
"""


@dataclass
class Cost:
    """Wall and CPU seconds (user and system)."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """What happens inside, with its threads and its finished children."""
    cost, wall, cpu = Cost(), time.perf_counter(), _cpu()
    try:
        yield cost
    finally:
        cost.wall, cost.cpu = time.perf_counter() - wall, _cpu() - cpu


def cost_of(command: Sequence[str]) -> Cost:
    """Of a command and the children that it has waited for; its own words are shown only if it fails. Raises RuntimeError."""
    with measured() as cost:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
        )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout[-400:]}")
    return cost


def peak_megabytes(command: Sequence[str]) -> float:
    """Peak of resident memory; started by a small process, because a child's peak is never below that of its parent."""
    done = subprocess.run([sys.executable, "-S", "-c", _LAUNCH, *command], stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout) / (2**20 if sys.platform == "darwin" else 2**10)


def median_cost(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(one, name) for one in costs) for name in ("wall", "cpu")))


def cost_of_call(rounds: int, work: Callable[[], object]) -> Cost:
    costs = []
    for _ in range(rounds):
        with measured() as cost:
            work()
        costs.append(cost)
    return median_cost(costs)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    return sorted(values)[max(0, -int(-len(values) * share // 1) - 1)]


def machine() -> str:
    """What the figures were measured on."""
    model = "unknown processor"
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {model}, {gigabytes:.0f} GB of memory, {sys.platform}, Python {sys.version.split()[0]}"


def _cpu() -> float:
    return sum(os.times()[:4])
