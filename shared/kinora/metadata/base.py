"""The metadata protocols: what Kinora knows about content, work and keys (DESIGN §4).

Every state change is conditional and atomic; anything counted is counted by rows, counters are caches changed in the same
transaction. Drivers raise Kinora's errors only. tests/contract/metadata_suite.py and metadata_jobs_suite.py
state the behaviour, docs/metadata.md the rows and conditions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from kinora.metadata.windows import Quota
from kinora.model import (
    Attachment,
    Blob,
    ContentKey,
    Derivative,
    Event,
    Export,
    Job,
    JobState,
    MediaAccess,
    Moment,
    Original,
    Page,
    SegmentId,
    Sidecar,
    StageName,
)


class Catalog(Protocol):
    """Blobs, originals, references, derivatives, moments, exports, sidecars."""

    def attach(self, original: Original, blob: Blob) -> Attachment:
        """Let `original.key` refer to `blob`, in one transaction: original row, reference row, the blob's count.

        STALE if the stored sequencer for the key is newer, DUPLICATE if it is equal: nothing changes then. APPLIED
        creates the blob if it is missing, makes a collectable blob live again, and takes the reference from the hash
        that the key referred to before (`previous`), which becomes collectable with its last reference. Raises
        StaleState (retryable) while the blob is condemned. The time of the change is `original.changed_at`; of `blob`
        only what describes the content is read, and only if it is new. `sequencer` is hexadecimal, else InvalidInput.
        """

    def detach(self, key: str, sequencer: str, now: float) -> Attachment:
        """The object at `key` is gone: leave a tombstone with `sequencer`, drop the reference row; the last reference
        gone makes the blob collectable. STALE or DUPLICATE as in `attach`; `previous` is the hash detached."""

    def original(self, key: str) -> Original | None:
        """The row of `key`, tombstones included."""

    def originals(self, content_hash: str) -> tuple[Original, ...]:
        """Every original that refers to the hash now (no tombstones), oldest first."""

    def blob(self, content_hash: str) -> Blob | None: ...

    def blobs(self, *, cursor: str | None = None, limit: int = 50) -> Page[Blob]:
        """All blobs, newest first."""

    def record(self, derivative: Derivative) -> None:
        """Create or replace the row `(hash, name)`. Raises NotFound if the blob is unknown (collected meanwhile) and
        StaleState while it is condemned."""

    def derivatives(self, content_hash: str) -> tuple[Derivative, ...]:
        """Ordered by name."""

    def access(self, content_hash: str) -> MediaAccess | None:
        """Who may play the medium; None if nothing was set for it, and the setting KINORA_STREAM_ACCESS decides."""

    def set_access(self, content_hash: str, access: MediaAccess | None) -> None:
        """The last one set holds until the blob is forgotten. Raises NotFound if the blob is unknown and StaleState while it
        is condemned."""

    def release(self, content_hash: str, now: float) -> tuple[Original, ...]:
        """Detach every original that refers to the hash (the objects themselves stay) and return them as they were; the
        blob is collectable afterwards. A tombstone keeps the sequencer it had, so that a replayed event changes nothing."""

    def collectable(self, before: float, limit: int = 100) -> tuple[Blob, ...]:
        """Blobs that became collectable before `before`, or are condemned, oldest first."""

    def condemn(self, content_hash: str, before: float, now: float) -> Blob | None:
        """collectable (since before `before`, and no reference row left) → condemned. Returns the blob if it is condemned
        now, by this call or an earlier one; None if it is live, too young or unknown."""

    def forget(self, content_hash: str) -> None:
        """Delete a condemned blob's rows, those of derivatives, moments, exports and sidecars first. Not condemned: StaleState.
        Unknown: nothing."""

    def save_moment(self, moment: Moment) -> Moment:
        """Store a moment if the stored revision is `moment.revision` (0: none is stored); returns it with its new revision.

        Raises StaleState otherwise, also for a moment that was dropped. A new one raises NotFound if the blob is unknown and
        StaleState while it is condemned.
        """

    def moment(self, content_hash: str, identifier: str) -> Moment | None: ...

    def moments(self, content_hash: str) -> tuple[Moment, ...]:
        """Oldest first, removed ones included."""

    def moments_due(self, before: float, limit: int = 100) -> tuple[Moment, ...]:
        """Moments with `due_at` before `before`, the longest overdue first."""

    def drop_moment(self, moment: Moment) -> None:
        """Delete the row if its revision is `moment.revision`, else StaleState. Unknown: nothing."""

    def save_export(self, export: Export) -> Export:
        """Store an export if the stored revision of `(hash, name)` is `export.revision`; as `save_moment` in everything."""

    def export(self, content_hash: str, name: str) -> Export | None: ...

    def exports(self, content_hash: str) -> tuple[Export, ...]:
        """Ordered by name."""

    def exports_due(self, before: float, limit: int = 100) -> tuple[Export, ...]:
        """Exports with `due_at` before `before`, the longest overdue first."""

    def save_sidecar(self, sidecar: Sidecar) -> Sidecar:
        """Store a sidecar if the stored revision is `sidecar.revision` (0: none is stored), and the blob is neither unknown
        (NotFound) nor condemned (StaleState); returns it with its new revision. Raises StaleState otherwise."""

    def sidecars(self, content_hash: str) -> tuple[Sidecar, ...]:
        """Ordered by id, removed ones included."""

    def check(self) -> None:
        """Raise Unavailable unless the store answers."""


class Jobs(Protocol):
    """Jobs, their segment rows and the outbox of events."""

    def create(self, job: Job, events: Sequence[Event] = ()) -> tuple[Job, bool]:
        """Store the job unless one with its id exists, and `events` with it; returns the stored job and whether this call
        created it. `segments_done` starts empty."""

    def get(self, job_id: str) -> Job:
        """Raises NotFound."""

    def list(
        self, *, content_hash: str | None = None, state: JobState | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Job]:
        """Newest first. Raises InvalidInput for a cursor that no listing returned or a limit below 1, as `Catalog.blobs`
        does."""

    def change(self, job: Job, events: Sequence[Event] = ()) -> Job:
        """Replace the stored job by `job` if the stored version is `job.version`, and write `events` to the outbox in the
        same transaction. Returns the job with its new version. `segments_done`, `hash` and `created_at` are not written.
        Raises StaleState, NotFound, and InvalidInput for event data that is not JSON-compatible or over 90 events."""

    def mark_segments(self, job_id: str, stage: StageName, segments: Collection[SegmentId], now: float | None = None) -> Job:
        """Write one row per segment; only new rows move `segments_done[stage]` and, if `now` is given, `updated_at`.
        Returns the job as it is afterwards. Does not change `version`. Raises NotFound."""

    def segments(self, job_id: str) -> frozenset[SegmentId]:
        """Every segment marked for the job; none for an unknown one."""

    def delete(self, job_id: str) -> None:
        """Delete the job and its segment rows; unknown is no error. Outbox rows not yet delivered stay."""

    def idle(self, before: float, limit: int = 100) -> tuple[Job, ...]:
        """Jobs that are neither final nor at rest and were last updated before `before`, oldest first."""


class ContentKeys(Protocol):
    """Wrapped content keys. Only the key-serving and preparing functions may read them."""

    def create(self, key: ContentKey) -> None:
        """Store a key; raises AlreadyExists for the same key id or the same (hash, revision)."""

    def get(self, key_id: str) -> ContentKey:
        """Raises NotFound."""

    def list(self, content_hash: str) -> tuple[ContentKey, ...]:
        """Ordered by revision."""

    def all(self) -> Iterator[ContentKey]:
        """Every key, in no order that means anything; those made meanwhile may be among them. For the command line."""

    def rewrap(self, key: ContentKey, expected_kek_version: str) -> None:
        """Replace the wrapping if the stored KEK version is the expected one; raises StaleState, NotFound."""

    def delete(self, content_hash: str) -> int:
        """Delete every key of the hash and return how many there were."""


class Leases(Protocol):
    """Claims on a name that end by themselves, so that of several who would do the same work one does it."""

    def acquire(self, name: str, owner: str, until: float, now: float) -> bool:
        """Let `owner` hold `name` until the time `until` if at `now` nobody else holds it; whether `owner` holds it then."""

    def release(self, name: str, owner: str) -> None:
        """Give `name` back. One that `owner` does not hold, or no longer, stays as it is."""


class RateLimits(Protocol):
    """How many requests a client makes in a sliding window."""

    def take(self, name: str, limit: int, window: int, now: float) -> Quota:
        """Count one request of `name` if fewer than `limit` (1 or more) were counted in the last `window` seconds.

        Of requests at the same time, from whatever process, no more than `limit` are let through. One that is refused is not
        counted, so that waiting for `Quota.reset` is enough. Another window is another count. Raises Unavailable, StaleState.
        """


class Outbox(Protocol):
    """Optional ability of a local driver: the outbox rows that DynamoDB would hand over by its stream."""

    def pending(self, limit: int = 100) -> tuple[tuple[int, str, Event], ...]:
        """`(position, job id, event)` of undelivered events in the order in which they were committed."""

    def delivered(self, positions: Collection[int]) -> None: ...
