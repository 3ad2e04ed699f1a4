"""What clients ask to have beside the stream: moments, subtitles handed in, files exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kinora.model.work import Failure


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
