"""The SQLite metadata driver keeps the contract, also with many threads and processes, over forks and after kills."""

from __future__ import annotations

import multiprocessing
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from kinora.errors import NotFound, StaleState
from kinora.metadata.sqlite import SqliteMetadata
from kinora.model import AttachOutcome, BlobState, JobState, SegmentId, StageName
from tests.contract import metadata_workers
from tests.contract.metadata_access_suite import AccessSuite
from tests.contract.metadata_exports_suite import ExportsSuite
from tests.contract.metadata_jobs_suite import ContentKeysSuite, JobsSuite, LeasesSuite
from tests.contract.metadata_moments_suite import MomentsSuite
from tests.contract.metadata_records import blob, event, hash_of, job, original
from tests.contract.metadata_sidecars_suite import SidecarsSuite
from tests.contract.metadata_suite import CatalogSuite
from tests.contract.rate_limits_suite import NOW, RateLimitsSuite
from tests.contract.webhooks_suite import WebhooksSuite

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "kinora.db"


@pytest.fixture
def metadata(path: Path) -> Iterator[SqliteMetadata]:
    driver = SqliteMetadata(path)
    yield driver
    driver.close()


class TestCatalog(CatalogSuite):
    pass


class TestMoments(MomentsSuite):
    pass


class TestExports(ExportsSuite):
    pass


class TestSidecars(SidecarsSuite):
    pass


class TestAccess(AccessSuite):
    pass


class TestJobs(JobsSuite):
    pass


class TestContentKeys(ContentKeysSuite):
    pass


class TestWebhooks(WebhooksSuite):
    pass


class TestLeases(LeasesSuite):
    pass


class TestRateLimits(RateLimitsSuite):
    pass


def at_once(count: int, act: Callable[[int], object]) -> list[object]:
    """Run `act(0)` to `act(count - 1)` in threads that start together."""
    barrier = threading.Barrier(count)

    def run(n: int) -> object:
        barrier.wait()
        return act(n)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def check_references(metadata: SqliteMetadata) -> None:
    """Every count is the number of rows, and states follow from counts."""
    for found in metadata.catalog.blobs(limit=1000).items:
        assert found.references == len(metadata.catalog.originals(found.hash))
        assert (found.state is BlobState.LIVE) == (found.references > 0)


def test_of_many_at_once_one_gets_the_lease(metadata: SqliteMetadata) -> None:
    won = at_once(8, lambda n: metadata.leases.acquire("a", f"owner-{n}", until=160.0, now=100.0))
    assert sorted(won) == [False] * 7 + [True]


def test_of_requests_at_once_no_more_pass_than_the_limit(path: Path, metadata: SqliteMetadata) -> None:
    passed = at_once(8, lambda _: sum(metadata.rate_limits.take("a", 20, 60, NOW).allowed for _ in range(10)))
    assert sum(passed) == 20
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert sum(pool.starmap(metadata_workers.take, [(path, 20)] * 4)) == 50


class TestOutbox:
    def test_events_come_in_the_order_of_their_transactions(self, metadata: SqliteMetadata) -> None:
        first, _ = metadata.jobs.create(job("j1"), [event("e1"), event("e2", text="é", nested={"a": [1, None]})])
        metadata.jobs.create(job("j2"), [event("e3")])
        metadata.jobs.create(job("j2"), [event("never")])
        metadata.jobs.change(first, [event("e4")])
        with pytest.raises(StaleState):
            metadata.jobs.change(first, [event("never")])
        pending = metadata.outbox.pending()
        assert [(job_id, found.id) for _, job_id, found in pending] == [
            ("j1", "e1"),
            ("j1", "e2"),
            ("j2", "e3"),
            ("j1", "e4"),
        ]
        assert pending[1][2] == event("e2", text="é", nested={"a": [1, None]})
        assert metadata.outbox.pending(limit=1) == pending[:1]

    def test_delivered_events_are_gone_and_others_outlive_their_job(self, metadata: SqliteMetadata) -> None:
        metadata.jobs.create(job("j1"), [event("e1"), event("e2"), event("e3")])
        metadata.jobs.delete("j1")
        positions = [position for position, _, _ in metadata.outbox.pending()]
        metadata.outbox.delivered([positions[0], positions[2], 10**6])
        metadata.outbox.delivered([])
        assert [found.id for _, _, found in metadata.outbox.pending()] == ["e2"]
        metadata.outbox.delivered(positions)
        metadata.jobs.create(job("j1"), [event("e4")])
        (only,) = metadata.outbox.pending()
        assert only[0] > max(positions)


class TestThreads:
    def test_counts_are_exact_after_a_storm_of_attaches_and_detaches(self, metadata: SqliteMetadata) -> None:
        def act(n: int) -> None:
            dice = random.Random(n)
            for _ in range(30):
                key, content = f"k{dice.randrange(8)}", "abc"[dice.randrange(3)]
                sequencer, now = f"{dice.randrange(1, 4096):04X}", dice.random()
                move = dice.randrange(4)
                if move < 2:
                    metadata.catalog.attach(original(key, content, sequencer, at=now), blob(content))
                elif move == 2:
                    metadata.catalog.detach(key, sequencer, now)
                else:
                    metadata.catalog.release(hash_of(content), now)

        at_once(16, act)
        assert metadata.catalog.blobs().items
        check_references(metadata)

    def test_one_event_delivered_many_times_applies_once(self, metadata: SqliteMetadata) -> None:
        outcomes = at_once(12, lambda _: metadata.catalog.attach(original("k", "a", "0A"), blob("a")).outcome)
        assert sorted(map(str, outcomes)) == ["applied"] + ["duplicate"] * 11
        outcomes = at_once(12, lambda _: metadata.catalog.detach("k", "0B", 5.0))
        assert [found.previous for found in outcomes if found.outcome is AttachOutcome.APPLIED] == [hash_of("a")]
        check_references(metadata)

    def test_nobody_attaches_to_what_is_condemned(self, metadata: SqliteMetadata) -> None:
        for turn in range(10):
            metadata.catalog.attach(original("first", str(turn), f"{turn:02X}A"), blob(str(turn)))
            metadata.catalog.detach("first", f"{turn:02X}B", 1.0)

            def act(n: int, content: str = str(turn)) -> object:
                if n == 0:
                    return metadata.catalog.condemn(hash_of(content), 2.0, 3.0)
                try:
                    return metadata.catalog.attach(original(f"{content}-{n}", content, "0A", at=3.0), blob(content))
                except StaleState:
                    return None

            condemned, *attached = at_once(6, act)
            assert all(attached) if condemned is None else not any(attached)
            found = metadata.catalog.blob(hash_of(str(turn)))
            assert found.references == len(metadata.catalog.originals(found.hash)) == sum(map(bool, attached))

    def test_changes_and_marks_lose_nothing_to_each_other(self, metadata: SqliteMetadata) -> None:
        metadata.jobs.create(job("j1"))

        def act(n: int) -> None:
            for turn in range(15):
                metadata.jobs.mark_segments(
                    "j1", StageName.VIDEO, [SegmentId("video/r", turn * 8 + n), SegmentId("video/r", 0)]
                )
                while True:
                    current = metadata.jobs.get("j1")
                    try:
                        metadata.jobs.change(replace(current, repairs=current.repairs + 1), [event(f"{n}-{turn}")])
                        break
                    except StaleState:
                        continue

        at_once(8, act)
        final = metadata.jobs.get("j1")
        assert (final.repairs, final.version) == (120, 120)
        assert final.segments_done == {StageName.VIDEO: 120}
        assert len(metadata.jobs.segments("j1")) == 120
        assert len(metadata.outbox.pending(limit=1000)) == 120

    def test_of_many_changes_to_one_version_one_wins(self, metadata: SqliteMetadata) -> None:
        current, _ = metadata.jobs.create(job("j1"))

        def act(n: int) -> bool:
            try:
                metadata.jobs.change(replace(current, repairs=n + 1), [event(str(n))])
            except StaleState:
                return False
            return True

        winners = at_once(12, act)
        assert winners.count(True) == 1
        assert metadata.jobs.get("j1").repairs == winners.index(True) + 1
        assert [found.id for _, _, found in metadata.outbox.pending()] == [str(winners.index(True))]

    def test_a_deleted_job_takes_no_marks(self, metadata: SqliteMetadata) -> None:
        metadata.jobs.create(job("j1"))

        def act(n: int) -> None:
            if n == 0:
                metadata.jobs.delete("j1")
                return
            try:
                metadata.jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", n)])
            except NotFound:
                return

        at_once(6, act)
        assert metadata.jobs.segments("j1") == frozenset()
        metadata.jobs.create(job("j1"))
        assert metadata.jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", 1)]).segments_done == {
            StageName.VIDEO: 1
        }


class TestProcesses:
    def test_a_new_file_is_made_by_all_at_once_and_each_job_has_one_creator(self, path: Path, metadata: SqliteMetadata) -> None:
        identities = [f"j{n}" for n in range(20)]
        with multiprocessing.get_context("spawn").Pool(4) as pool:
            created = pool.starmap(metadata_workers.create, [(path, identities)] * 4)
        assert [sum(winners) for winners in zip(*created, strict=True)] == [1] * 20
        assert sorted(found.id for _, _, found in metadata.outbox.pending()) == sorted(identities)
        metadata.jobs.create(job("j1"))
        with multiprocessing.get_context("spawn").Pool(4) as pool:
            pool.starmap(metadata_workers.mark, [(path, first, 100) for first in (0, 0, 50, 95)])
        assert metadata.jobs.get("j1").segments_done == {StageName.VIDEO: 200}
        assert metadata.jobs.segments("j1") == {SegmentId("video/r", n) for n in range(200)}

    def test_what_was_acknowledged_survives_kill_9(self, path: Path, metadata: SqliteMetadata) -> None:
        code = f"from pathlib import Path; from tests.contract.metadata_workers import *; attach_for_ever(Path({str(path)!r}))"
        worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        with worker:
            acknowledged = [int(worker.stdout.readline()) for _ in range(50)]
            worker.kill()
            acknowledged += [int(line) for line in worker.stdout]
        found = metadata.catalog.originals(hash_of("a"))
        assert len(acknowledged) <= len(found) <= len(acknowledged) + 1
        check_references(metadata)

    def test_a_fork_uses_connections_of_its_own(self, metadata: SqliteMetadata) -> None:
        metadata.jobs.create(job("parent"))
        child = multiprocessing.get_context("fork").Process(target=metadata.jobs.create, args=(job("child"),))
        child.start()
        child.join(30)
        assert child.exitcode == 0
        assert metadata.jobs.get("child") == job("child")
        metadata.jobs.create(job("later"))
        assert {found.id for found in metadata.jobs.list().items} == {"parent", "child", "later"}


class TestFile:
    def test_constructing_touches_nothing(self, path: Path) -> None:
        SqliteMetadata(path)
        assert not path.parent.exists()

    def test_everything_is_there_after_closing_and_opening(self, path: Path, metadata: SqliteMetadata) -> None:
        stored, _ = metadata.jobs.create(job("j1", state=JobState.READY))
        metadata.close()
        assert metadata.jobs.get("j1") == stored
        other = SqliteMetadata(path)
        assert other.jobs.get("j1") == stored
        other.close()

    def test_importing_the_driver_does_not_import_aws(self) -> None:
        code = "import sys, kinora.metadata.sqlite; assert not {'boto3', 'botocore', 'pynamodb'} & set(sys.modules)"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
