"""Jobs, their segment rows and the outbox in SQLite: every verb is one transaction of `kinora.database.Database`."""

from __future__ import annotations

import itertools
import json
import math
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace

from kinora.database import Database
from kinora.errors import NotFound, StaleState
from kinora.metadata.cursors import check_limit, decode_cursor, encode_cursor
from kinora.metadata.documents import check_events, counts_document, event_data
from kinora.metadata.sqlite_job_rows import SELECT_JOBS, insert_job, job_of, update_job
from kinora.model import Event, Job, JobState, Page, SegmentId, StageName


class SqliteJobs:
    """`kinora.metadata.base.Jobs` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, job: Job, events: Sequence[Event] = ()) -> tuple[Job, bool]:
        with self._database.write() as connection:
            stored = _find(connection, job.id)
            if stored is not None:
                return stored, False
            created = replace(job, segments_done={})
            insert_job(connection, created)
            _write_events(connection, job.id, events)
            return created, True

    def get(self, job_id: str) -> Job:
        with self._database.read() as connection:
            return _get(connection, job_id)

    def list(
        self, *, content_hash: str | None = None, state: JobState | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Job]:
        place = (math.inf, "") if cursor is None else decode_cursor(cursor)
        conditions = ["(created_at, id) < (?, ?)"]
        values: list[object] = list(place)
        if content_hash is not None:
            conditions.append("hash = ?")
            values.append(content_hash)
        if state is not None:
            conditions.append("state = ?")
            values.append(state.value)
        query = SELECT_JOBS + "WHERE " + " AND ".join(conditions) + " ORDER BY created_at DESC, id DESC LIMIT ?"
        with self._database.read() as connection:
            rows = connection.execute(query, (*values, check_limit(limit) + 1)).fetchall()
        items = tuple(job_of(row) for row in rows[:limit])
        return Page(items, encode_cursor(items[-1].created_at, items[-1].id) if len(rows) > limit else None)

    def change(self, job: Job, events: Sequence[Event] = ()) -> Job:
        with self._database.write() as connection:
            stored = _get(connection, job.id)
            if (stored.version, stored.created_at) != (job.version, job.created_at):
                raise StaleState(f"job {job.id} is at version {stored.version}, not {job.version}")
            changed = replace(job, hash=stored.hash, segments_done=stored.segments_done, version=stored.version + 1)
            update_job(connection, changed)
            _write_events(connection, job.id, events)
            return changed

    def mark_segments(self, job_id: str, stage: StageName, segments: Collection[SegmentId], now: float | None = None) -> Job:
        with self._database.write() as connection:
            job = _get(connection, job_id)
            fresh = _insert_segments(connection, job_id, segments)
            if not fresh:
                return job
            done = {**job.segments_done, stage: job.segments_done.get(stage, 0) + fresh}
            marked = replace(job, segments_done=done, updated_at=max(job.updated_at, now or 0.0))
            connection.execute(
                "UPDATE metadata_jobs SET segments_done = ?, updated_at = ? WHERE id = ?",
                (json.dumps(counts_document(done)), marked.updated_at, job_id),
            )
            return marked

    def segments(self, job_id: str) -> frozenset[SegmentId]:
        query = "SELECT track, n FROM metadata_segments WHERE job_id = ?"
        with self._database.read() as connection:
            return frozenset(SegmentId(*row) for row in connection.execute(query, (job_id,)))

    def delete(self, job_id: str) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM metadata_jobs WHERE id = ?", (job_id,))

    def idle(self, before: float, limit: int = 100) -> tuple[Job, ...]:
        query = SELECT_JOBS + ("WHERE state NOT IN ('ready', 'failed', 'canceled') AND updated_at < ? ORDER BY updated_at, id")
        with self._database.read() as connection:
            unfinished = (job_of(row) for row in connection.execute(query, (before,)))
            return tuple(itertools.islice((job for job in unfinished if not job.is_at_rest), check_limit(limit)))


class SqliteOutbox:
    """`kinora.metadata.base.Outbox`: rows in the order of their transactions, gone once delivered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pending(self, limit: int = 100) -> tuple[tuple[int, str, Event], ...]:
        query = "SELECT position, job_id, id, type, time, data FROM metadata_outbox ORDER BY position LIMIT ?"
        with self._database.read() as connection:
            rows = connection.execute(query, (check_limit(limit),)).fetchall()
        return tuple(
            (position, job_id, Event(event_id, kind, time, json.loads(data)))
            for position, job_id, event_id, kind, time, data in rows
        )

    def delivered(self, positions: Collection[int]) -> None:
        with self._database.write() as connection:
            connection.executemany("DELETE FROM metadata_outbox WHERE position = ?", [(position,) for position in positions])


def _find(connection: sqlite3.Connection, job_id: str) -> Job | None:
    row = connection.execute(SELECT_JOBS + "WHERE id = ?", (job_id,)).fetchone()
    return None if row is None else job_of(row)


def _get(connection: sqlite3.Connection, job_id: str) -> Job:
    job = _find(connection, job_id)
    if job is None:
        raise NotFound(f"no job {job_id}")
    return job


def _insert_segments(connection: sqlite3.Connection, job_id: str, segments: Collection[SegmentId]) -> int:
    """Write the rows that are missing and return how many they were."""
    before = connection.total_changes
    connection.executemany(
        "INSERT INTO metadata_segments (job_id, track, n) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(job_id, segment.track, segment.n) for segment in segments],
    )
    return connection.total_changes - before


def _write_events(connection: sqlite3.Connection, job_id: str, events: Sequence[Event]) -> None:
    check_events(events)
    connection.executemany(
        "INSERT INTO metadata_outbox (job_id, id, type, time, data) VALUES (?, ?, ?, ?, ?)",
        [(job_id, event.id, event.type, event.time, event_data(event)) for event in events],
    )
