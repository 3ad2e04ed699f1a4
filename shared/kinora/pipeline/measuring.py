"""How long a task took and how it ended, for whoever watches. Used where messages and requests are performed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kinora.metrics.base import TASK_CPU_SECONDS, TASK_SECONDS, TASKS
from kinora.services import Services


@dataclass(slots=True)
class Ending:
    """How a task ended: `raised` unless somebody says otherwise before the block is left."""

    outcome: str = "raised"


@contextmanager
def measured(services: Services, task: str) -> Iterator[Ending]:
    """Record the block as one run of `task`, which is one of a few names. A process that is killed in it records nothing."""
    ending = Ending()
    begun, cpu_begun = time.monotonic(), time.process_time()
    try:
        yield ending
    finally:
        values = {TASKS: 1, TASK_SECONDS: time.monotonic() - begun, TASK_CPU_SECONDS: time.process_time() - cpu_begun}
        services.metrics.record(values, task=task, outcome=ending.outcome)
