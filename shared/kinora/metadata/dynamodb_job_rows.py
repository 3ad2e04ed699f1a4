"""The rows of the jobs table in DynamoDB as PynamoDB models, made from records and read back into them."""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import MapAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action

from kinora.metadata.documents import (
    counts_document,
    counts_of,
    event_data,
    failure_document,
    failure_of,
    stages_document,
    stages_of,
)
from kinora.metadata.dynamodb_rows import IndexedRow, Row, place_key, time_key
from kinora.model import Event, Job, JobState, Kind, SegmentId

IDLE = "idle"
JOBS = "job#"
SEGMENTS = "segment#"
OUTBOX_SECONDS = 7 * 86_400
LEASE_KEPT_SECONDS = 3600  # after its time has passed


class JobRow(IndexedRow):
    id = UnicodeAttribute()
    hash = UnicodeAttribute()
    kind = UnicodeAttribute()
    recipe = UnicodeAttribute()
    created_at = NumberAttribute()
    updated_at = NumberAttribute()
    state = UnicodeAttribute()
    stages: MapAttribute[str, Any] = MapAttribute()
    segments_planned: MapAttribute[str, Any] = MapAttribute()
    segments_done: MapAttribute[str, Any] = MapAttribute()
    error: MapAttribute[str, Any] = MapAttribute(null=True)
    original_key = UnicodeAttribute()
    playable_at = NumberAttribute(null=True)
    ready_at = NumberAttribute(null=True)
    version = NumberAttribute()
    repairs = NumberAttribute()


class JobOfHashRow(Row):
    """Finds a hash's jobs without an index."""

    id = UnicodeAttribute()


class SegmentRow(Row):
    track = UnicodeAttribute()
    n = NumberAttribute()


class EventRow(Row):
    """An outbox row. The table's stream hands it over once; it goes by itself afterwards."""

    kind = UnicodeAttribute(default="event")
    id = UnicodeAttribute()
    type = UnicodeAttribute()
    time = NumberAttribute()
    data = UnicodeAttribute()
    expires = NumberAttribute()


class LeaseRow(Row):
    owner = UnicodeAttribute()
    until = NumberAttribute()
    expires = NumberAttribute()


class LimitRow(Row):
    """Requests of one client in one window; `total` is `in_newest` and the sum of `earlier`, which holds those of the slices
    before as JSON."""

    newest = NumberAttribute()
    in_newest = NumberAttribute()
    earlier = UnicodeAttribute()
    total = NumberAttribute()
    expires = NumberAttribute()


def job_key(job_id: str) -> tuple[str, str]:
    return f"job#{job_id}", "job"


def listed_under(state: JobState) -> str:
    return f"job#{state.value}"


def job_row(model: type[JobRow], job: Job) -> JobRow:
    partition, sort = job_key(job.id)
    values = _fixed(job) | _changing(job) | {"segments_done": counts_document(job.segments_done)}
    return model(pk=partition, sk=sort, **values)


def job_changes(model: type[JobRow], job: Job) -> list[Action]:
    """What a change writes: everything but what never changes and `segments_done`, which belongs to the segment rows."""
    return [
        getattr(model, name).remove() if value is None else getattr(model, name).set(value)
        for name, value in _changing(job).items()
    ]


def _fixed(job: Job) -> dict[str, Any]:
    return {"id": job.id, "hash": job.hash, "created_at": job.created_at, "gsk": place_key(job.created_at, job.id)}


def _changing(job: Job) -> dict[str, Any]:
    return {
        "gpk": listed_under(job.state),
        "dpk": None if job.state.is_final or job.is_at_rest else IDLE,
        "dsk": None if job.state.is_final or job.is_at_rest else place_key(job.updated_at, job.id),
        "kind": job.kind.value,
        "recipe": job.recipe,
        "updated_at": job.updated_at,
        "state": job.state.value,
        "stages": stages_document(job.stages),
        "segments_planned": counts_document(job.segments_planned),
        "error": failure_document(job.error),
        "original_key": job.original_key,
        "playable_at": job.playable_at,
        "ready_at": job.ready_at,
        "version": job.version,
        "repairs": job.repairs,
    }


def job_of(row: JobRow) -> Job:
    return Job(
        id=row.id,
        hash=row.hash,
        kind=Kind(row.kind),
        recipe=row.recipe,
        created_at=float(row.created_at),
        updated_at=float(row.updated_at),
        state=JobState(row.state),
        stages=stages_of(row.stages.as_dict()),
        segments_planned=counts_of(row.segments_planned.as_dict()),
        segments_done=counts_of(row.segments_done.as_dict()),
        error=failure_of(None if row.error is None else row.error.as_dict()),
        original_key=row.original_key,
        playable_at=None if row.playable_at is None else float(row.playable_at),
        ready_at=None if row.ready_at is None else float(row.ready_at),
        version=int(row.version),
        repairs=int(row.repairs),
    )


def job_of_hash_row(model: type[JobOfHashRow], job: Job) -> JobOfHashRow:
    return model(f"hash#{job.hash}", JOBS + place_key(job.created_at, job.id), id=job.id)


def segments_prefix(job: Job) -> str:
    """Segment rows are told apart by when their job was made, so that what a deletion left behind never counts for the
    next job with the same id."""
    return f"{SEGMENTS}{time_key(job.created_at)}#"


def segment_row(model: type[SegmentRow], job: Job, segment: SegmentId) -> SegmentRow:
    sort_key = f"{segments_prefix(job)}{segment.track}#{segment.n:010d}"
    return model(f"job#{job.id}", sort_key, track=segment.track, n=segment.n)


def segment_of(row: SegmentRow) -> SegmentId:
    return SegmentId(row.track, int(row.n))


def event_row(model: type[EventRow], job: Job, i: int, event: Event) -> EventRow:
    """The `i`th event of the change that made this version of the job. The time tells it from the same event of an earlier
    job with the same id, whose row may still be there."""
    return model(
        f"job#{job.id}",
        f"event#{job.version:010d}#{i}#{time_key(event.time)}",
        id=event.id,
        type=event.type,
        time=event.time,
        data=event_data(event),
        expires=int(event.time) + OUTBOX_SECONDS,
    )


def lease_key(name: str) -> tuple[str, str]:
    return f"lease#{name}", "lease"


def lease_row(model: type[LeaseRow], name: str, owner: str, until: float) -> LeaseRow:
    return model(*lease_key(name), owner=owner, until=until, expires=int(until) + LEASE_KEPT_SECONDS)


def limit_key(name: str, window: int) -> tuple[str, str]:
    return f"limit#{name}#{window}", "limit"
