"""What happens on a schedule: collect what nobody refers to, look after jobs that stand still, tidy moments, exports and uploads."""

from __future__ import annotations

from collections.abc import Callable

from kinora.observability import logger
from kinora.pipeline.collect import collect
from kinora.pipeline.export_sweep import sweep_exports
from kinora.pipeline.inquiry import ask
from kinora.pipeline.moment_sweep import sweep_moments
from kinora.pipeline.upload_sweep import sweep_uploads
from kinora.services import Services

_BATCH = 50
_IDLE_BATCH = 500


def sweep(services: Services, remaining: Callable[[], int]) -> dict[str, object]:
    """One run. Stops early when less than a quarter of its time is left; the next run goes on. Returns what it did."""
    reserve = remaining() // 4
    collected = 0
    while remaining() > reserve and (count := collect(services, limit=_BATCH)):
        collected += count
    repaired = 0
    for job in services.jobs.idle(services.clock() - services.settings.stuck_seconds, _IDLE_BATCH):
        if remaining() <= reserve:
            break
        ask(services, job)
        repaired += 1
    moments = sweep_moments(services, _BATCH, lambda: remaining() <= reserve)
    exports = sweep_exports(services, _BATCH, lambda: remaining() <= reserve)
    uploads = sweep_uploads(services, lambda: remaining() <= reserve)
    report: dict[str, object] = {"collected": collected, "repaired": repaired}
    report |= {"moments": moments, "exports": exports, "uploads": uploads}
    logger.info("sweep", extra=report)
    return report
