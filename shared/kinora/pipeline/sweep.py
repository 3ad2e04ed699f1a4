"""What happens on a schedule: collect what nobody refers to, send again the tasks of jobs that stand still, tidy moments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kinora.model import Failure, Job
from kinora.observability import logger
from kinora.pipeline.collect import collect
from kinora.pipeline.moment_sweep import sweep_moments
from kinora.pipeline.start import send_first_task
from kinora.pipeline.work import fail, update
from kinora.services import Services

MAX_REPAIRS = 3
_BATCH = 50
_STUCK = Failure("stuck", "The work was started several times and never came to an end.")


def sweep(services: Services, remaining: Callable[[], int]) -> dict[str, object]:
    """One run. Stops early when less than a quarter of its time is left; the next run goes on. Returns what it did."""
    reserve = remaining() // 4
    collected = 0
    while remaining() > reserve and (count := collect(services, limit=_BATCH)):
        collected += count
    repaired = 0
    for job in services.jobs.idle(services.clock() - services.settings.stuck_seconds, _BATCH):
        if remaining() <= reserve:
            break
        repair(services, job)
        repaired += 1
    moments = sweep_moments(services, _BATCH, lambda: remaining() <= reserve)
    report: dict[str, object] = {"collected": collected, "repaired": repaired, "moments": moments}
    logger.info("sweep", extra=report)
    return report


def repair(services: Services, job: Job) -> None:
    """Send the tasks of a job that has not moved again, a limited number of times; then it fails as `stuck`."""
    if job.repairs >= MAX_REPAIRS:
        fail(services, job.id, _STUCK)
        return

    def change(current: Job) -> Job | None:
        if current.state.is_final or current.version != job.version:
            return None
        return replace(current, repairs=current.repairs + 1)

    repaired = update(services, job.id, change)
    if repaired.repairs > job.repairs:
        send_first_task(services, repaired, repair=True)
