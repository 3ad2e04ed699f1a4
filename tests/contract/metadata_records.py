"""Records for the metadata contract suites: short names in, whole rows out. Times are seconds on a clock that tests hold."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

from kinora.metadata.base import Catalog, ContentKeys, Jobs, Leases, RateLimits
from kinora.metadata.base_webhooks import Webhooks
from kinora.model import Blob, ContentKey, Derivative, Event, Job, JobState, Kind, Original

# The names of the tables in the tests of the DynamoDB driver.
TABLE_NAMES = {"catalog": "the-catalog", "jobs": "the-jobs", "keys": "the-keys"}


class Metadata(Protocol):
    """What a driver offers to the suites."""

    catalog: Catalog
    jobs: Jobs
    content_keys: ContentKeys
    leases: Leases
    webhooks: Webhooks
    rate_limits: RateLimits


def hash_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def original(key: str, content: str, sequencer: str, at: float = 100.0) -> Original:
    return Original(
        key=key,
        hash=hash_of(content),
        size=len(content),
        etag=f"etag-{content}",
        sequencer=sequencer,
        version="v1",
        changed_at=at,
    )


def blob(content: str, at: float = 50.0) -> Blob:
    return Blob(hash=hash_of(content), size=len(content), media_type="image/png", kind=Kind.IMAGE, created_at=at)


def derivative(content: str, name: str) -> Derivative:
    return Derivative(
        hash=hash_of(content),
        name=name,
        key=f"images/{name}",
        recipe="r1",
        media_type="image/webp",
        size=12,
        created_at=60.5,
        width=320,
        height=240,
    )


def job(identity: str, content: str = "a", at: float = 100.0, state: JobState = JobState.QUEUED) -> Job:
    return Job(
        id=identity,
        hash=hash_of(content),
        kind=Kind.VIDEO,
        recipe="v1",
        created_at=at,
        updated_at=at,
        state=state,
        original_key=f"uploads/{content}",
    )


def event(identity: str, **data: object) -> Event:
    return Event(id=identity, type="job.ready", time=1_700_000_000.25, data=data)


def content_key(identity: str, content: str = "a", revision: int = 1) -> ContentKey:
    return ContentKey(
        key_id=identity,
        hash=hash_of(content),
        revision=revision,
        wrapped=b"\x00\xffwrapped" + identity.encode(),
        nonce=b"\x00nonce",
        kek_version="kek-1",
        created_at=100.0,
    )


def outbox_rows(dynamodb: Any, table: str) -> list[dict]:
    """The outbox rows as they are stored, in the order of their keys."""
    items = dynamodb.scan(TableName=table)["Items"]
    return sorted((item for item in items if item.get("kind") == {"S": "event"}), key=lambda item: item["sk"]["S"])
