"""The row of a job in SQLite, read into a record and written from one inside the caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from kinora.metadata.documents import (
    counts_document,
    counts_of,
    failure_document,
    failure_of,
    stages_document,
    stages_of,
)
from kinora.model import Job, JobState, Kind

SELECT_JOBS = (
    "SELECT id, hash, kind, recipe, created_at, updated_at, state, stages, segments_planned, segments_done, error,"
    " original_key, playable_at, ready_at, version, repairs FROM metadata_jobs "
)


def job_of(row: Iterable[Any]) -> Job:
    """The record of a row of SELECT_JOBS."""
    job_id, content_hash, kind, recipe, created_at, updated_at, state, stages, planned, done, error, *rest = row
    return Job(
        job_id,
        content_hash,
        Kind(kind),
        recipe,
        created_at,
        updated_at,
        JobState(state),
        stages_of(json.loads(stages)),
        counts_of(json.loads(planned)),
        counts_of(json.loads(done)),
        failure_of(None if error is None else json.loads(error)),
        *rest,
    )


def insert_job(connection: sqlite3.Connection, job: Job) -> None:
    connection.execute(
        "INSERT INTO metadata_jobs (id, hash, kind, recipe, created_at, updated_at, state, stages, segments_planned,"
        " segments_done, error, original_key, playable_at, ready_at, version, repairs)"
        " VALUES (:id, :hash, :kind, :recipe, :created_at, :updated_at, :state, :stages, :segments_planned,"
        " :segments_done, :error, :original_key, :playable_at, :ready_at, :version, :repairs)",
        _values(job),
    )


def update_job(connection: sqlite3.Connection, job: Job) -> None:
    """Write everything that a change may move; `segments_done` belongs to the segment rows."""
    connection.execute(
        "UPDATE metadata_jobs SET kind = :kind, recipe = :recipe, updated_at = :updated_at, state = :state,"
        " stages = :stages, segments_planned = :segments_planned, error = :error, original_key = :original_key,"
        " playable_at = :playable_at, ready_at = :ready_at, version = :version, repairs = :repairs WHERE id = :id",
        _values(job),
    )


def _values(job: Job) -> dict[str, object]:
    error = failure_document(job.error)
    return {
        "id": job.id,
        "hash": job.hash,
        "kind": job.kind.value,
        "recipe": job.recipe,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "state": job.state.value,
        "stages": json.dumps(stages_document(job.stages)),
        "segments_planned": json.dumps(counts_document(job.segments_planned)),
        "segments_done": json.dumps(counts_document(job.segments_done)),
        "error": None if error is None else json.dumps(error),
        "original_key": job.original_key,
        "playable_at": job.playable_at,
        "ready_at": job.ready_at,
        "version": job.version,
        "repairs": job.repairs,
    }
