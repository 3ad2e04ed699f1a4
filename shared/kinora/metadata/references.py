"""What gaining and losing references does to a blob: pure decisions that both drivers write conditionally."""

from __future__ import annotations

from dataclasses import replace

from kinora.errors import StaleState
from kinora.model import Blob, BlobState, Original


def first_seen(blob: Blob, now: float) -> Blob:
    """The row of a blob that is new here and has its first reference."""
    return replace(blob, state=BlobState.LIVE, references=1, changed_at=now)


def gained(stored: Blob, now: float) -> Blob:
    """`stored` with one reference more; raises StaleState while it is condemned, since its derivatives are going."""
    if stored.state is BlobState.CONDEMNED:
        raise StaleState(f"blob {stored.hash} is being collected")
    changed_at = stored.changed_at if stored.state is BlobState.LIVE else now
    return replace(stored, state=BlobState.LIVE, references=stored.references + 1, changed_at=changed_at)


def lost(stored: Blob, count: int, now: float) -> Blob:
    """`stored` with `count` references fewer; without any left it is collectable from `now` on."""
    references = stored.references - count
    if references > 0:
        return replace(stored, references=references)
    return replace(stored, state=BlobState.COLLECTABLE, references=0, changed_at=now)


def may_be_condemned(stored: Blob, before: float) -> bool:
    """Whether the blob has been collectable since before `before`."""
    return stored.state is BlobState.COLLECTABLE and stored.references == 0 and stored.changed_at < before


def never_seen(key: str, sequencer: str, now: float) -> Original:
    """The tombstone of a key whose removal is the first that Kinora hears of it."""
    return Original(key=key, hash="", size=0, etag="", sequencer=sequencer, removed=True, changed_at=now)
