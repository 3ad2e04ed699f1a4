"""Somebody else who writes at the worst moment: between what a DynamoDB driver has read and what it then writes.

moto cannot prove races, but a driver that sees its conditions fail at a chosen moment can be proved to try again rightly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pynamodb.connection import Connection

from kinora.errors import AlreadyExists, NotFound, StaleState
from kinora.metadata.dynamodb import DynamoMetadata
from kinora.metadata.dynamodb_catalog import DynamoCatalog
from kinora.metadata.dynamodb_catalog_table import CatalogTable
from kinora.metadata.dynamodb_jobs import DynamoJobs
from kinora.metadata.dynamodb_jobs_table import JobsTable
from kinora.metadata.dynamodb_keys import DynamoContentKeys
from kinora.metadata.dynamodb_limits import DynamoRateLimits
from kinora.metadata.dynamodb_transactions import ATTEMPTS, LONGEST_WAIT, Interference, settled
from kinora.model import BlobState, JobState, SegmentId, StageName
from tests.contract.metadata_records import (
    TABLE_NAMES,
    blob,
    content_key,
    derivative,
    event,
    hash_of,
    job,
    original,
    outbox_rows,
)

_WRITES = {"TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem"}


class InterruptedConnection(Connection):
    """Lets `interrupt` happen before the first write, once."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupt: Callable[[], object] | None = None
        self.writes = 0

    def dispatch(self, operation_name: str, operation_kwargs: dict) -> dict:
        if operation_name in _WRITES:
            self.writes += 1
            interrupt, self.interrupt = self.interrupt, None
            if interrupt is not None:
                interrupt()
        return super().dispatch(operation_name, operation_kwargs)


class InterruptedMetadata:
    """The DynamoDB driver on such a connection."""

    def __init__(self, catalog: str, jobs: str, keys: str) -> None:
        self.connection = InterruptedConnection()
        self.catalog = DynamoCatalog(CatalogTable(self.connection, catalog))
        table = JobsTable(self.connection, jobs)
        self.jobs = DynamoJobs(table)
        self.rate_limits = DynamoRateLimits(table)
        self.content_keys = DynamoContentKeys(self.connection, keys)

    def when_writing(self, interrupt: Callable[[], object]) -> InterruptedMetadata:
        self.connection.interrupt = interrupt
        self.connection.writes = 0
        return self


class InterferenceSuite:
    """Each test reads, is overtaken, and has to come out right."""

    def test_attach_overtaken_by_attach(self, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        interrupted.when_writing(lambda: metadata.catalog.attach(original("k2", "a", "0A"), blob("a")))
        interrupted.catalog.attach(original("k1", "a", "0A"), blob("a"))
        assert interrupted.connection.writes == 2
        assert metadata.catalog.blob(hash_of("a")).references == len(metadata.catalog.originals(hash_of("a"))) == 2

    def test_attach_overtaken_by_a_newer_event_for_its_key(
        self, metadata: DynamoMetadata, interrupted: InterruptedMetadata
    ) -> None:
        interrupted.when_writing(lambda: metadata.catalog.detach("k1", "0B", 200.0))
        assert interrupted.catalog.attach(original("k1", "a", "0A"), blob("a")).outcome == "stale"
        assert metadata.catalog.original("k1").removed
        assert metadata.catalog.blob(hash_of("a")) is None

    def test_attach_overtaken_by_condemn(self, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        metadata.catalog.attach(original("k1", "a", "0A"), blob("a"))
        metadata.catalog.detach("k1", "0B", 1.0)
        interrupted.when_writing(lambda: metadata.catalog.condemn(hash_of("a"), 2.0, 3.0))
        with pytest.raises(StaleState):
            interrupted.catalog.attach(original("k2", "a", "0A"), blob("a"))
        assert metadata.catalog.original("k2") is None
        assert metadata.catalog.blob(hash_of("a")).references == 0

    def test_detach_of_the_last_overtaken_by_attach(self, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        metadata.catalog.attach(original("k1", "a", "0A"), blob("a"))
        interrupted.when_writing(lambda: metadata.catalog.attach(original("k2", "a", "0A"), blob("a")))
        interrupted.catalog.detach("k1", "0B", 200.0)
        found = metadata.catalog.blob(hash_of("a"))
        assert (found.state, found.references) == (BlobState.LIVE, 1)

    def test_condemn_overtaken_by_attach(self, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        metadata.catalog.attach(original("k1", "a", "0A"), blob("a"))
        metadata.catalog.detach("k1", "0B", 1.0)
        interrupted.when_writing(lambda: metadata.catalog.attach(original("k2", "a", "0A"), blob("a")))
        assert interrupted.catalog.condemn(hash_of("a"), 2.0, 3.0) is None
        assert metadata.catalog.blob(hash_of("a")).state is BlobState.LIVE

    def test_release_overtaken_by_attach(self, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        metadata.catalog.attach(original("k1", "a", "0A"), blob("a"))
        interrupted.when_writing(lambda: metadata.catalog.attach(original("k2", "a", "0A"), blob("a")))
        assert [found.key for found in interrupted.catalog.release(hash_of("a"), 200.0)] == ["k1", "k2"]
        found = metadata.catalog.blob(hash_of("a"))
        assert (found.state, found.references) == (BlobState.COLLECTABLE, 0)

    def test_record_overtaken_by_condemn(self, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        metadata.catalog.attach(original("k1", "a", "0A"), blob("a"))
        metadata.catalog.detach("k1", "0B", 1.0)
        interrupted.when_writing(lambda: metadata.catalog.condemn(hash_of("a"), 2.0, 3.0))
        with pytest.raises(StaleState):
            interrupted.catalog.record(derivative("a", "thumb"))
        assert metadata.catalog.derivatives(hash_of("a")) == ()

    def test_forget_overtaken_by_forget(self, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        metadata.catalog.attach(original("k1", "a", "0A"), blob("a"))
        metadata.catalog.detach("k1", "0B", 1.0)
        metadata.catalog.condemn(hash_of("a"), 2.0, 3.0)
        interrupted.when_writing(lambda: metadata.catalog.forget(hash_of("a")))
        interrupted.catalog.forget(hash_of("a"))
        assert metadata.catalog.blob(hash_of("a")) is None

    def test_create_overtaken_by_create(self, tables: Any, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        interrupted.when_writing(lambda: metadata.jobs.create(job("j1", at=50.0), [event("first")]))
        assert interrupted.jobs.create(job("j1"), [event("second")]) == (job("j1", at=50.0), False)
        assert [row["id"]["S"] for row in outbox_rows(tables, TABLE_NAMES["jobs"])] == ["first"]
        assert len(metadata.jobs.list(content_hash=hash_of("a")).items) == 1

    def test_change_overtaken_by_change(self, tables: Any, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        created, _ = metadata.jobs.create(job("j1"))
        interrupted.when_writing(lambda: metadata.jobs.change(replace(created, state=JobState.READY)))
        with pytest.raises(StaleState):
            interrupted.jobs.change(replace(created, state=JobState.FAILED), [event("never")])
        assert metadata.jobs.get("j1").state is JobState.READY
        assert outbox_rows(tables, TABLE_NAMES["jobs"]) == []

    def test_change_and_marks_meanwhile_both_stand(self, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        created, _ = metadata.jobs.create(job("j1"))
        some = [SegmentId("video/r", n) for n in range(5)]
        interrupted.when_writing(lambda: metadata.jobs.mark_segments("j1", StageName.VIDEO, some))
        interrupted.jobs.change(replace(created, state=JobState.ENCODING))
        interrupted.when_writing(lambda: metadata.jobs.change(replace(metadata.jobs.get("j1"), repairs=1)))
        interrupted.jobs.mark_segments("j1", StageName.AUDIO, [SegmentId("audio/t", 0)])
        found = metadata.jobs.get("j1")
        assert (found.state, found.repairs, found.version) == (JobState.ENCODING, 1, 2)
        assert found.segments_done == {StageName.VIDEO: 5, StageName.AUDIO: 1}

    def test_marks_overtaken_by_the_same_marks(self, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        metadata.jobs.create(job("j1"))
        some = [SegmentId("video/r", n) for n in range(8)]
        interrupted.when_writing(lambda: metadata.jobs.mark_segments("j1", StageName.VIDEO, some[2:5]))
        assert interrupted.jobs.mark_segments("j1", StageName.VIDEO, some).segments_done == {StageName.VIDEO: 8}

    def test_marks_overtaken_by_delete(self, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        metadata.jobs.create(job("j1"))
        interrupted.when_writing(lambda: metadata.jobs.delete("j1"))
        with pytest.raises(NotFound):
            interrupted.jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", 0)])
        metadata.jobs.create(job("j1"))
        assert metadata.jobs.segments("j1") == frozenset()

    def test_segments_that_a_killed_deletion_left_do_not_count_for_the_next_job(
        self, metadata: DynamoMetadata, tables: Any
    ) -> None:
        metadata.jobs.create(job("j1", at=100.0))
        metadata.jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", n) for n in range(3)])
        tables.delete_item(TableName=TABLE_NAMES["jobs"], Key={"pk": {"S": "job#j1"}, "sk": {"S": "job"}})
        metadata.jobs.create(job("j1", at=200.0))
        assert metadata.jobs.segments("j1") == frozenset()
        assert metadata.jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", 0)]).segments_done == {
            StageName.VIDEO: 1
        }

    def test_keys_overtaken(self, metadata: DynamoMetadata, interrupted: InterruptedMetadata) -> None:
        keys = metadata.content_keys
        interrupted.when_writing(lambda: keys.create(content_key("k1")))
        with pytest.raises(AlreadyExists):
            interrupted.content_keys.create(content_key("k2"))
        interrupted.when_writing(lambda: keys.rewrap(replace(content_key("k1"), kek_version="kek-2"), "kek-1"))
        with pytest.raises(StaleState):
            interrupted.content_keys.rewrap(replace(content_key("k1"), kek_version="kek-3"), "kek-1")
        assert keys.get("k1").kek_version == "kek-2"

    def test_endless_interference_ends(self) -> None:
        pauses: list[float] = []

        def attempt() -> None:
            raise Interference

        with pytest.raises(StaleState):
            settled(attempt, pauses.append)
        assert len(pauses) == ATTEMPTS
        assert all(0 <= pause <= LONGEST_WAIT for pause in pauses)
