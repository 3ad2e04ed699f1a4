"""What the sweep does for exports that are due: those whose task was lost are sent again, and in the end they fail."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from kinora.errors import NotFound, StaleState
from kinora.model import Export, ExportState, Failure
from kinora.pipeline.export_states import look
from kinora.queues.base import QueueName
from kinora.services import Services

_MAX_REPAIRS = 3
_STUCK = Failure("stuck", "The work was started several times and never came to an end.")


def sweep_exports(services: Services, limit: int, is_late: Callable[[], bool]) -> int:
    """Look after the exports that are due; returns how many there were."""
    done = 0
    for export in services.catalog.exports_due(services.clock(), limit):
        if is_late():
            break
        with suppress(StaleState, NotFound):  # it changes just now, or goes with its media
            _look_after(services, export)
            done += 1
    return done


def _look_after(services: Services, export: Export) -> None:
    now = services.clock()
    (seen,) = look(services, export.hash, [export.name])
    if seen.derivative is not None:  # its maker was killed before it could say so
        services.catalog.save_export(replace(export, state=ExportState.READY, error=None, due_at=None, updated_at=now))
    elif export.state is ExportState.READY:  # a revision of the stream, served long enough for older ones to go
        services.catalog.save_export(replace(export, due_at=now + services.settings.stuck_seconds))
        services.queues.send(QueueName(export.queue), [export.task])
    elif export.repairs >= _MAX_REPAIRS:
        services.catalog.save_export(replace(export, state=ExportState.FAILED, error=_STUCK, due_at=None, updated_at=now))
    else:
        due = now + services.settings.stuck_seconds
        services.catalog.save_export(replace(export, repairs=export.repairs + 1, due_at=due))
        services.queues.send(QueueName(export.queue), [export.task])
