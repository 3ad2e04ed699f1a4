"""Jobs, their segment rows and the outbox in DynamoDB: every verb reads, decides and writes one conditional transaction."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

from kinora.errors import StaleState
from kinora.metadata.cursors import check_limit, decode_cursor, encode_cursor
from kinora.metadata.dynamodb_job_rows import (
    IDLE,
    SEGMENTS,
    job_changes,
    job_key,
    job_of,
    job_of_hash_row,
    job_row,
    segment_of,
    segment_row,
    segments_prefix,
)
from kinora.metadata.dynamodb_jobs_table import JobsTable
from kinora.metadata.dynamodb_rows import END_OF_TIME, place_key, time_key
from kinora.metadata.dynamodb_transactions import kinora_errors, settled, transaction
from kinora.model import Event, Job, JobState, Page, SegmentId, StageName

MARKED_AT_ONCE = 90  # and the job: below the 100 rows of a transaction


class DynamoJobs:
    """`kinora.metadata.base.Jobs` on DynamoDB."""

    def __init__(self, table: JobsTable) -> None:
        self._table = table

    def create(self, job: Job, events: Sequence[Event] = ()) -> tuple[Job, bool]:
        return settled(lambda: self._create(replace(job, segments_done={}), events))

    def get(self, job_id: str) -> Job:
        with kinora_errors():
            return self._table.get(job_id)

    def list(
        self, *, content_hash: str | None = None, state: JobState | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Job]:
        place = (END_OF_TIME, "") if cursor is None else decode_cursor(cursor)
        wanted, before = check_limit(limit) + 1, place_key(*place)
        with kinora_errors():
            if content_hash is None:
                found = self._table.newest(tuple(JobState) if state is None else (state,), before, wanted)
            else:
                jobs = self._table.newest_of(content_hash, before)
                found = list(itertools.islice((job for job in jobs if state in {None, job.state}), wanted))
        items = tuple(found[:limit])
        return Page(items, encode_cursor(items[-1].created_at, items[-1].id) if len(found) > limit else None)

    def change(self, job: Job, events: Sequence[Event] = ()) -> Job:
        return settled(lambda: self._change(job, events))

    def mark_segments(self, job_id: str, stage: StageName, segments: Collection[SegmentId], now: float | None = None) -> Job:
        job = self.get(job_id)
        wanted = sorted(set(segments), key=lambda segment: (segment.track, segment.n))
        for start in range(0, len(wanted), MARKED_AT_ONCE):
            job = settled(partial(self._mark, job_id, stage, wanted[start : start + MARKED_AT_ONCE], now))
        return job

    def segments(self, job_id: str) -> frozenset[SegmentId]:
        with kinora_errors():
            job = self._table.find(job_id)
            rows = [] if job is None else self._table.segment_rows(job_id, segments_prefix(job))
            return frozenset(segment_of(row) for row in rows)

    def delete(self, job_id: str) -> None:
        settled(lambda: self._delete(job_id))

    def idle(self, before: float, limit: int = 100) -> tuple[Job, ...]:
        model = self._table.jobs
        with kinora_errors():
            rows = model.due.query(IDLE, model.dsk < time_key(before), limit=check_limit(limit))
            return tuple(job_of(row) for row in rows)

    def _create(self, job: Job, events: Sequence[Event]) -> tuple[Job, bool]:
        stored = self._table.find(job.id)
        if stored is not None:
            return stored, False
        with transaction(self._table.connection) as writes:
            writes.save(job_row(self._table.jobs, job), condition=self._table.jobs.pk.does_not_exist())
            writes.save(job_of_hash_row(self._table.jobs_of_hash, job))
            self._table.write_events(writes, job, events)
        return job, True

    def _change(self, job: Job, events: Sequence[Event]) -> Job:
        stored = self._table.get(job.id)
        if (stored.version, stored.created_at) != (job.version, job.created_at):
            raise StaleState(f"job {job.id} is at version {stored.version}, not {job.version}")
        model = self._table.jobs
        changed = replace(job, hash=stored.hash, segments_done=stored.segments_done, version=stored.version + 1)
        unchanged = (model.version == stored.version) & (model.created_at == stored.created_at)
        with transaction(self._table.connection) as writes:
            writes.update(model(*job_key(job.id)), job_changes(model, changed), condition=unchanged)
            self._table.write_events(writes, changed, events)
        return changed

    def _mark(self, job_id: str, stage: StageName, segments: Sequence[SegmentId], now: float | None) -> Job:
        job = self._table.get(job_id)
        fresh = self._table.missing([segment_row(self._table.segments, job, segment) for segment in segments])
        if not fresh:
            return job
        model = self._table.jobs
        done, counted = model.segments_done[stage.value], job.segments_done.get(stage)
        actions = [done.set((done | 0) + len(fresh))]
        unchanged = model.created_at == job.created_at
        marked = replace(job, segments_done={**job.segments_done, stage: (counted or 0) + len(fresh)})
        if job.is_at_rest:  # its last segment makes it idle again, so of two who mark at once the second counts both
            unchanged &= (model.version == job.version) & (done.does_not_exist() if counted is None else done == counted)
            actions += [] if marked.is_at_rest else [model.dpk.set(IDLE)]
        updated_at = max(now or 0.0, job.updated_at)
        if updated_at > job.updated_at or marked.is_at_rest is not job.is_at_rest:
            actions += [model.updated_at.set(updated_at), model.dsk.set(place_key(updated_at, job.id))]
        with transaction(self._table.connection) as writes:
            writes.update(model(*job_key(job_id)), actions, condition=unchanged)
            for row in fresh:
                writes.save(row, condition=self._table.segments.pk.does_not_exist())
        return self._table.get(job_id)

    def _delete(self, job_id: str) -> None:
        """The job goes first: what is left of its segments when this is killed counts for no later job."""
        job = self._table.find(job_id)
        if job is not None:
            model = self._table.jobs
            with transaction(self._table.connection) as writes:
                writes.delete(model(*job_key(job_id)), condition=model.created_at == job.created_at)
                writes.delete(job_of_hash_row(self._table.jobs_of_hash, job))
        with self._table.segments.batch_write() as batch:
            for row in self._table.segment_rows(job_id, SEGMENTS):
                batch.delete(row)
