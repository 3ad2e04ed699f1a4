"""The jobs table in DynamoDB: consistent reads of its rows, and listings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from pynamodb.connection import Connection
from pynamodb.transactions import TransactWrite

from kinora.errors import NotFound
from kinora.metadata.documents import check_events
from kinora.metadata.dynamodb_job_rows import (
    JOBS,
    EventRow,
    JobOfHashRow,
    JobRow,
    LeaseRow,
    LimitRow,
    SegmentRow,
    event_row,
    job_key,
    job_of,
    listed_under,
)
from kinora.metadata.dynamodb_rows import Table
from kinora.model import Event, Job, JobState

_READ_AT_ONCE = 100


class JobsTable:
    """The models bound to the table `name`, and how their rows are found."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        table = Table(connection, "jobs", name)
        self.jobs = table.bound(JobRow)
        self.jobs_of_hash = table.bound(JobOfHashRow)
        self.segments = table.bound(SegmentRow)
        self.leases = table.bound(LeaseRow)
        self.events = table.bound(EventRow)
        self.limits = table.bound(LimitRow)

    def find(self, job_id: str) -> Job | None:
        try:
            return job_of(self.jobs.get(*job_key(job_id), consistent_read=True))
        except self.jobs.DoesNotExist:
            return None

    def get(self, job_id: str) -> Job:
        job = self.find(job_id)
        if job is None:
            raise NotFound(f"no job {job_id}")
        return job

    def newest(self, states: Sequence[JobState], before: str, count: int) -> list[Job]:
        """The `count` newest jobs in any of `states` that come after the place `before`.

        The states are read in the order in which jobs pass through them, so a job that moves on meanwhile is seen, and
        where it is seen twice its later state counts.
        """
        found: dict[str, Job] = {}
        for state in states:
            rows = self.jobs.listing.query(listed_under(state), self.jobs.gsk < before, scan_index_forward=False, limit=count)
            found |= {row.id: job_of(row) for row in rows}
        return sorted(found.values(), key=lambda job: (job.created_at, job.id), reverse=True)[:count]

    def newest_of(self, content_hash: str, before: str) -> Iterator[Job]:
        """The jobs of a hash after the place `before`, newest first, read as far as they are consumed."""
        model = self.jobs_of_hash
        condition = model.sk.between(JOBS, JOBS + before)
        rows = model.query(f"hash#{content_hash}", condition, consistent_read=True, scan_index_forward=False)
        for place in iter(lambda: list(itertools.islice(rows, _READ_AT_ONCE)), []):
            keys = [job_key(row.id) for row in place if row.sk != JOBS + before]
            jobs = {row.id: job_of(row) for row in self.jobs.batch_get(keys, consistent_read=True)}
            yield from (jobs[row.id] for row in place if row.id in jobs)

    def segment_rows(self, job_id: str, prefix: str) -> list[SegmentRow]:
        return list(self.segments.query(f"job#{job_id}", self.segments.sk.startswith(prefix), consistent_read=True))

    def missing(self, rows: Sequence[SegmentRow]) -> list[SegmentRow]:
        """Those of `rows` that are not stored."""
        keys = [(row.pk, row.sk) for row in rows]
        stored = {row.sk for row in self.segments.batch_get(keys, consistent_read=True)}
        return [row for row in rows if row.sk not in stored]

    def write_events(self, writes: TransactWrite, job: Job, events: Sequence[Event]) -> None:
        """Put the events of the change that made this version of the job into the outbox."""
        check_events(events)
        for i, event in enumerate(events):
            writes.save(event_row(self.events, job, i, event))
