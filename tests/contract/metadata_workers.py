"""What the processes of the SQLite metadata tests do; a module of its own, so that spawned processes can import it."""

from __future__ import annotations

import itertools
from pathlib import Path

from kinora.metadata.sqlite import SqliteMetadata
from kinora.model import SegmentId, StageName
from tests.contract.metadata_records import blob, event, job, original


def mark(path: Path, first: int, count: int) -> None:
    """Mark `count` segments from `first` on, in small batches that other processes mark too."""
    metadata = SqliteMetadata(path)
    for n in range(first, first + count, 5):
        metadata.jobs.mark_segments("j1", StageName.VIDEO, [SegmentId("video/r", n + i) for i in range(10)])
    metadata.close()


def create(path: Path, identities: list[str]) -> list[bool]:
    """Which of the jobs this process created."""
    metadata = SqliteMetadata(path)
    created = [metadata.jobs.create(job(identity), [event(identity)])[1] for identity in identities]
    metadata.close()
    return created


def take(path: Path, count: int) -> int:
    """How many of `count` requests passed a limit of 50."""
    metadata = SqliteMetadata(path)
    passed = sum(metadata.rate_limits.take("shared", 50, 60, 1_700_000_000.0).allowed for _ in range(count))
    metadata.close()
    return passed


def attach_for_ever(path: Path) -> None:
    """Say each key on standard output once it is attached."""
    metadata = SqliteMetadata(path)
    for n in itertools.count():
        metadata.catalog.attach(original(f"k{n}", "a", "0A"), blob("a"))
        print(n, flush=True)
