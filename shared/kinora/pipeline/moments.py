"""Moments as use cases: making, changing and removing named time ranges; their export is a task of its own.

Called by the API, by the export and by the sweep; imports nothing that encodes. A new range is a new version: the old one is
served until the new one is stored, then the pointer flips. Every change is a compare-and-swap.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from kinora.errors import InvalidInput, NotFound, StaleState
from kinora.media.plan import Plan
from kinora.model import Failure, Job, Moment, MomentState, Scope
from kinora.object_keys import moment_folder, video_key
from kinora.pipeline.exports import newest_job
from kinora.pipeline.plans import load_plan
from kinora.queues.base import QueueName
from kinora.services import Services

_ATTEMPTS = 10


def create_moment(services: Services, content_hash: str, name: str, start: float, end: float) -> Moment:
    """Store a new moment and send its export. Raises NotFound without a plan, InvalidInput for a range outside the media."""
    job = newest_job(services, content_hash)
    check_range(load_plan(services, content_hash), start, end)
    now = services.clock()
    moment = Moment(uuid.uuid4().hex, content_hash, name, start, end, created_at=now, updated_at=now)
    saved = services.catalog.save_moment(_due_when_stuck(services, moment))
    send_export(services, job, saved)
    return saved


def find_moment(services: Services, content_hash: str, identifier: str) -> Moment:
    """Raises NotFound, also for one that was removed."""
    moment = services.catalog.moment(content_hash, identifier)
    if moment is None or moment.state is MomentState.REMOVED:
        raise NotFound(f"no moment {identifier} of {content_hash}")
    return moment


def edit_moment(
    services: Services, content_hash: str, identifier: str, name: str | None, start: float | None, end: float | None
) -> Moment:
    """Change what is not None. Another range, or any range after a failure, is a new version that is exported.

    Raises NotFound, InvalidInput, StaleState.
    """
    job = newest_job(services, content_hash)
    plan = load_plan(services, content_hash)

    def change(moment: Moment) -> Moment | None:
        _refuse_removed(moment)
        wanted = (moment.start if start is None else start, moment.end if end is None else end)
        named = replace(moment, name=moment.name if name is None else name)
        has_range = (start, end) != (None, None)
        if wanted == (moment.start, moment.end) and not (has_range and moment.state is MomentState.FAILED):
            return None if named == moment else named
        check_range(plan, *wanted)
        version = moment.version + 1
        edited = replace(
            named, start=wanted[0], end=wanted[1], version=version, state=MomentState.PENDING, error=None, repairs=0
        )
        return _due_when_stuck(services, edited)

    moment = update_moment(services, content_hash, identifier, change)
    if moment.state is MomentState.PENDING:
        send_export(services, job, moment)
    return moment


def remove_moment(services: Services, content_hash: str, identifier: str) -> None:
    """Remove a moment and its objects; the sweep drops the row after the grace period, when no export can be under way."""

    def change(moment: Moment) -> Moment:
        _refuse_removed(moment)
        due = services.clock() + services.settings.grace_seconds
        return replace(moment, state=MomentState.REMOVED, key="", served=0, due_at=due)

    update_moment(services, content_hash, identifier, change)
    services.storage.delete_prefix(Scope.MEDIA, video_key(content_hash, moment_folder(identifier)))


def fail_export(services: Services, job: Job, task: Mapping[str, object], failure: Failure) -> None:
    """The version that could not be exported has failed; the one that is served stays."""

    def change(moment: Moment) -> Moment | None:
        if moment.state is not MomentState.PENDING or moment.version != task.get("version"):
            return None
        due = services.clock() + services.settings.grace_seconds
        return replace(moment, state=MomentState.FAILED, error=failure, due_at=due)

    try:
        update_moment(services, job.hash, str(task.get("moment")), change)
    except NotFound:
        return


def keep_waiting(services: Services, moment: Moment) -> None:
    """Its export is alive and has sent itself again: the sweep need not look after it for a while."""

    def change(current: Moment) -> Moment | None:
        if current.state is not MomentState.PENDING or current.version != moment.version:
            return None
        return replace(_due_when_stuck(services, current), repairs=0)

    with suppress(NotFound):
        update_moment(services, moment.hash, moment.id, change)


def update_moment(services: Services, content_hash: str, identifier: str, change: Callable[[Moment], Moment | None]) -> Moment:
    """Apply `change` until nobody else got in between; None means nothing to do. Raises NotFound, StaleState."""
    for _ in range(_ATTEMPTS):
        moment = services.catalog.moment(content_hash, identifier)
        if moment is None:
            raise NotFound(f"no moment {identifier} of {content_hash}")
        changed = change(moment)
        if changed is None:
            return moment
        try:
            return services.catalog.save_moment(replace(changed, updated_at=services.clock()))
        except StaleState:
            continue
    raise StaleState(f"moment {identifier} is too contended")


def send_export(services: Services, job: Job, moment: Moment) -> None:
    """Sending it twice is harmless."""
    task = {"task": "moment", "job": job.id, "moment": moment.id, "version": moment.version}
    services.queues.send(QueueName.ENCODE, [task])


def check_range(plan: Plan, start: float, end: float) -> None:
    """Raises InvalidInput unless 0 ≤ start < end ≤ duration (seconds)."""
    if not 0 <= start < end <= plan.probe.duration:
        raise InvalidInput(
            public_message=f"A moment lies between 0 and {plan.probe.duration} seconds, and ends after it starts."
        )


def _due_when_stuck(services: Services, moment: Moment) -> Moment:
    return replace(moment, due_at=services.clock() + services.settings.stuck_seconds)


def _refuse_removed(moment: Moment) -> None:
    if moment.state is MomentState.REMOVED:
        raise NotFound(f"moment {moment.id} was removed")
