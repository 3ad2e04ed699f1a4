"""What the sweep does for moments that are due: versions that nobody gets any more go, and lost exports are sent again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from kinora.errors import NotFound, StaleState
from kinora.model import Failure, Moment, MomentState, Scope
from kinora.object_keys import moment_folder, moment_path, video_key
from kinora.pipeline.exports import newest_job
from kinora.pipeline.moments import send_export
from kinora.services import Services

_MAX_REPAIRS = 3
_STUCK = Failure("stuck", "The export was started several times and never came to an end.")


def sweep_moments(services: Services, limit: int, is_late: Callable[[], bool]) -> int:
    """Look after the moments that are due; returns how many there were."""
    done = 0
    for moment in services.catalog.moments_due(services.clock(), limit):
        if is_late():
            break
        with suppress(StaleState):  # it changes just now: the next run looks again
            _look_after(services, moment)
            done += 1
    return done


def _look_after(services: Services, moment: Moment) -> None:
    if moment.state is MomentState.PENDING:
        _send_again(services, moment)
        return
    kept = {moment.key, video_key(moment.hash, moment_path(moment.id, moment.version))}
    if moment.state is MomentState.REMOVED:
        kept = set()
    for info in services.storage.list(Scope.MEDIA, video_key(moment.hash, moment_folder(moment.id))):
        if info.key not in kept:
            services.storage.delete(Scope.MEDIA, info.key)
    if moment.state is MomentState.REMOVED:
        services.catalog.drop_moment(moment)
    else:
        services.catalog.save_moment(replace(moment, due_at=None))


def _send_again(services: Services, moment: Moment) -> None:
    now = services.clock()
    if moment.repairs >= _MAX_REPAIRS:
        due = now + services.settings.grace_seconds
        services.catalog.save_moment(replace(moment, state=MomentState.FAILED, error=_STUCK, updated_at=now, due_at=due))
        return
    due = now + services.settings.stuck_seconds
    saved = services.catalog.save_moment(replace(moment, repairs=moment.repairs + 1, due_at=due))
    with suppress(NotFound):  # without a job there is nobody to do it
        send_export(services, newest_job(services, moment.hash), saved)
