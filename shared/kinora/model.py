"""The nouns of Kinora as frozen dataclasses: what drivers store and use cases pass around. No behaviour beyond reading.

Times are seconds since the Unix epoch, sizes are bytes, hashes are lower-case hex SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")

UNHASHED = "unhashed"  # stands for the hash of an original that was refused before its bytes were read


class Scope(StrEnum):
    """A storage namespace with its own root or bucket and prefix."""

    SOURCE = "source"
    MEDIA = "media"
    AVATARS = "avatars"
    BLOCKS = "blocks"


class Kind(StrEnum):
    """What a blob is, as far as the pipeline cares; `OTHER` is kept but not processed."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    OTHER = "other"


class BlobState(StrEnum):
    """live → collectable (no reference left) → condemned (being collected, fenced) → its row is gone."""

    LIVE = "live"
    COLLECTABLE = "collectable"
    CONDEMNED = "condemned"


class JobState(StrEnum):
    QUEUED = "queued"
    PREPARING = "preparing"
    PLAYABLE = "playable"
    ENCODING = "encoding"
    READY = "ready"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return self in {JobState.READY, JobState.FAILED, JobState.CANCELED}


class StageName(StrEnum):
    HASH = "hash"
    PROBE = "probe"
    PLAN = "plan"
    IMAGE = "image"
    POSTER = "poster"
    PREVIEW = "preview"
    STORYBOARD = "storyboard"
    WAVEFORM = "waveform"
    SUBTITLES = "subtitles"
    AUDIO = "audio"
    VIDEO = "video"


class StageState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something ended badly: a stable code and a sentence that anyone may read."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Blob:
    """The content behind a hash. `references` is a cache of the number of reference rows."""

    hash: str
    size: int
    media_type: str
    kind: Kind
    created_at: float
    state: BlobState = BlobState.LIVE
    references: int = 0
    changed_at: float = 0.0


class MediaAccess(StrEnum):
    """Who may play a medium: everybody, or who presents a playback token."""

    PUBLIC = "public"
    TOKEN = "token"  # noqa: S105 - the name of a rule, not a credential


@dataclass(frozen=True, slots=True)
class Original:
    """One object of the source scope as Kinora last knew it; `removed` rows stay as tombstones for late events.

    `sequencer` is S3's hexadecimal event order for one key; `version` is S3's object version, if the bucket has them.
    """

    key: str
    hash: str
    size: int
    etag: str
    sequencer: str
    version: str | None = None
    removed: bool = False
    changed_at: float = 0.0


class AttachOutcome(StrEnum):
    APPLIED = "applied"
    DUPLICATE = "duplicate"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Attachment:
    """What an attach or detach did. `previous` is the hash that the key pointed at before, if it was another."""

    outcome: AttachOutcome
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class Derivative:
    """Anything made from a blob by a recipe. `name` is unique per hash (`image/thumb.webp`, `stream`, `poster`)."""

    hash: str
    name: str
    key: str
    recipe: str
    media_type: str
    size: int
    created_at: float
    width: int | None = None
    height: int | None = None
    duration: float | None = None


class MomentState(StrEnum):
    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Moment:
    """A named time range of a video or audio blob, exported as MP4; `start` and `end` in seconds.

    A new range is a new `version`, to which `state` and `error` belong. `key` is the object that viewers get meanwhile, of the
    version `served`; 0 and empty if there is none yet. `revision` grows with every change and is the condition of the next
    one; 0 is not stored yet. At `due_at` the sweep looks after it; `repairs` counts how often it sent the task again.
    """

    id: str
    hash: str
    name: str
    start: float
    end: float
    created_at: float
    updated_at: float
    version: int = 1
    state: MomentState = MomentState.PENDING
    served: int = 0
    key: str = ""
    error: Failure | None = None
    due_at: float | None = None
    revision: int = 0
    repairs: int = 0


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Subtitles that came beside a video or audio blob: as a file next to an original, or by the API; `id` is unique per hash.

    `track` is where they are stored as WebVTT (`subtitles/en_…`), never used twice. `language` is BCP 47 or `und`; `role` is
    `captions`, for those who hear nothing, or empty. `source` is the key of the file (empty: the API) and `etag` the state
    of it that was read. Removed ones stay as tombstones. `revision` grows with every change and is the condition of the
    next one; 0 is not stored yet.
    """

    id: str
    hash: str
    track: str
    language: str
    title: str
    default: bool
    forced: bool
    role: str
    updated_at: float
    source: str = ""
    etag: str = ""
    removed: bool = False
    revision: int = 0


class ExportState(StrEnum):
    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Export:
    """A derivative that is made on request. That it is there says its own row; this one, why it is not.

    `name` is the derivative's; `task`, sent to `queue`, has it made, and again after a failure under a new `version`.
    `due_at`, `revision` and `repairs` are as in a Moment.
    """

    hash: str
    name: str
    queue: str
    task: Mapping[str, object]
    created_at: float
    updated_at: float
    version: int = 1
    state: ExportState = ExportState.PENDING
    error: Failure | None = None
    due_at: float | None = None
    revision: int = 0
    repairs: int = 0


@dataclass(frozen=True, slots=True)
class Stage:
    state: StageState = StageState.PENDING
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """All work for one blob under one recipe.

    `version` grows with every change and is the condition of the next one. `segments_planned` and `segments_done`
    are per stage (`audio`, `video`); `segments_done` is a cache of the segment rows and only `Jobs.mark_segments` moves it.
    `repairs` counts how often the job's tasks were lost and sent again with nothing done in between.
    """

    id: str
    hash: str
    kind: Kind
    recipe: str
    created_at: float
    updated_at: float
    state: JobState = JobState.QUEUED
    stages: Mapping[StageName, Stage] = field(default_factory=dict)
    segments_planned: Mapping[StageName, int] = field(default_factory=dict)
    segments_done: Mapping[StageName, int] = field(default_factory=dict)
    error: Failure | None = None
    original_key: str = ""
    playable_at: float | None = None
    ready_at: float | None = None
    version: int = 0
    repairs: int = 0

    @property
    def is_at_rest(self) -> bool:
        """Playable, with nothing left to do but segments that are made when somebody asks for them."""
        segments = {self.stages.get(name, Stage()).state for name in self.segments_planned}
        others = {stage.state for name, stage in self.stages.items() if name not in self.segments_planned}
        has_all = all(self.segments_done.get(name, 0) >= planned for name, planned in self.segments_planned.items())
        is_waiting = StageState.PENDING in segments and StageState.RUNNING not in segments and not has_all
        return self.state is JobState.PLAYABLE and is_waiting and not others & {StageState.PENDING, StageState.RUNNING}

    @property
    def progress(self) -> float:
        """Segments done ÷ segments planned, from 0 to 1; a job without segments is 1 when ready, else 0."""
        planned = sum(self.segments_planned.values())
        if planned == 0:
            return 1.0 if self.state is JobState.READY else 0.0
        return sum(self.segments_done.values()) / planned


@dataclass(frozen=True, slots=True)
class SegmentId:
    """One segment of one track; `track` is `video/{rendition}` or `audio/{track}`."""

    track: str
    n: int


@dataclass(frozen=True, slots=True)
class ContentKey:
    """A wrapped content key. The plain key never leaves the process that unwraps it."""

    key_id: str
    hash: str
    revision: int
    wrapped: bytes
    nonce: bytes
    kek_version: str
    created_at: float
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened and is committed, for subscribers. `data` is JSON-compatible."""

    id: str
    type: str
    time: float
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """One signing secret of a webhook. It follows from `salt` and the installation's webhook key, and is not stored.

    It is valid until `expires_at`, which the newest one does not have.
    """

    salt: str
    created_at: float
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint that is told of events. `events` are the types it hears of; none means all.

    `error` says why it was disabled by itself. `secrets` are those that may still be valid, the newest first. `revision` grows
    with every change and is the condition of the next one; 0 is not stored yet.
    """

    id: str
    url: str
    created_at: float
    updated_at: float
    events: tuple[str, ...] = ()
    description: str = ""
    enabled: bool = True
    error: Failure | None = None
    secrets: tuple[WebhookSecret, ...] = ()
    revision: int = 0


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One request to an endpoint: when it began, how many seconds it took, the status that came back or why none did."""

    at: float
    seconds: float
    status: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook. `id` is the event's, and what receivers know duplicates by; `body` is what is sent.

    It is tried since `started_at`, `tries` times so far, and next at `due_at`. `attempts` counts all attempts, also those before
    it was sent again on request; `history` holds the latest of them. `revision` is as in a Webhook.
    """

    id: str
    webhook: str
    type: str
    body: str
    created_at: float
    started_at: float
    due_at: float
    state: DeliveryState = DeliveryState.PENDING
    error: str = ""
    attempts: int = 0
    tries: int = 0
    history: tuple[DeliveryAttempt, ...] = ()
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing; `cursor` is opaque and None on the last page."""

    items: tuple[T, ...]
    cursor: str | None = None
