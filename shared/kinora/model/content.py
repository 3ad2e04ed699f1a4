"""Content and who refers to it: scopes, blobs, originals and their references, derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
