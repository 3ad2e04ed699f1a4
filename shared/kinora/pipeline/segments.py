"""The one place through which segments and init segments are stored and read. Created, never replaced: of several makers one wins.

Segments of an encrypted stream are encrypted here, and stored in every revision of it that players may have; init segments stay
clear, as the playlists say. Whoever stores looks afterwards whether the revisions are still the same.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

from kinora.content_keys import decrypt_segment, encrypt_segment, segment_iv
from kinora.errors import AlreadyExists, NotFound, StaleState
from kinora.model import ContentKey, Scope
from kinora.object_keys import init_path, revision_path, segment_path, video_key
from kinora.observability import logger
from kinora.pipeline.media_objects import put_media
from kinora.pipeline.revisions import revisions_of
from kinora.pipeline.segment_keys import content_key, plain_key, stored_key
from kinora.services import Services
from kinora.storage.base import PutMode

_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A revision to store segments in; `key` is None for the clear one."""

    revision: int
    key: ContentKey | None

    @property
    def identity(self) -> tuple[int, str]:
        """The same for the same revision under the same key, however that is wrapped."""
        return self.revision, self.key.key_id if self.key else ""


def place_of(services: Services, content_hash: str, revision: int) -> Place:
    """Has the revision's key made if it has none yet."""
    return Place(revision, content_key(services, content_hash, revision) if revision else None)


def store_segment(services: Services, content_hash: str, track: str, n: int | None, data: bytes) -> bool:
    """Store segment `n` of `track`, or its init segment if `n` is None, which comes clear; one that exists stays: it is the same
    bytes. False if it existed everywhere. Raises NotFound if the blob was removed meanwhile."""
    done: dict[tuple[int, str], bool] = {}
    for _ in range(_ATTEMPTS):
        live = [place_of(services, content_hash, revision) for revision in revisions_of(services, content_hash).live]
        missing = [place for place in live if place.identity not in done]
        if not missing:
            _take_back(services, content_hash, track, n, done, {place.identity for place in live})
            return any(done.values())
        for place in missing:
            done[place.identity] = store_at(services, content_hash, place, track, n, data)
    raise StaleState(f"the revisions of {content_hash} change all the time")


def store_at(services: Services, content_hash: str, place: Place, track: str, n: int | None, data: bytes) -> bool:
    """Store it in one revision; False if it existed."""
    if place.key is not None and n is not None:
        iv = segment_iv(place.key.key_id, track, n)
        data = encrypt_segment(plain_key(services, place.key), iv, data)
    try:
        put_media(services, content_hash, stored_at(content_hash, place.revision, track, n), data, PutMode.CREATE)
    except AlreadyExists:
        logger.debug("segment exists", extra={"track": track, "n": n, "revision": place.revision})
        return False
    return True


def is_stored(services: Services, content_hash: str, track: str, n: int | None) -> bool:
    """Whether every revision that is live has it."""
    live = revisions_of(services, content_hash).live
    return all(is_stored_at(services, content_hash, revision, track, n) for revision in live)


def is_stored_at(services: Services, content_hash: str, revision: int, track: str, n: int | None) -> bool:
    try:
        services.storage.head(Scope.MEDIA, stored_at(content_hash, revision, track, n))
    except NotFound:
        return False
    return True


def open_segment(services: Services, content_hash: str, track: str, n: int | None) -> BinaryIO:
    """It in the clear, from any revision that has it. Raises NotFound if it is not stored, ContentKeyDamaged."""
    revisions = revisions_of(services, content_hash)
    for revision in sorted({*revisions.live, revisions.served}, reverse=True):
        try:
            return open_at(services, content_hash, revision, track, n)
        except NotFound:
            continue
    raise NotFound(f"segment {n} of {track} of {content_hash} is not stored")


def open_at(services: Services, content_hash: str, revision: int, track: str, n: int | None) -> BinaryIO:
    """It in the clear, from one revision; encrypted ones are held in memory. Raises NotFound, ContentKeyDamaged."""
    key = stored_at(content_hash, revision, track, n)
    if revision == 0 or n is None:
        return services.storage.open(Scope.MEDIA, key)
    content = stored_key(services, content_hash, revision)
    if content is None:
        raise NotFound(f"revision {revision} of {content_hash} has no content key")
    with services.storage.open(Scope.MEDIA, key) as reader:
        encrypted = reader.read()
    return io.BytesIO(decrypt_segment(plain_key(services, content), segment_iv(content.key_id, track, n), encrypted))


def stored_at(content_hash: str, revision: int, track: str, n: int | None) -> str:
    """Its key in the media scope."""
    return video_key(content_hash, revision_path(revision, init_path(track) if n is None else segment_path(track, n)))


def _take_back(
    services: Services,
    content_hash: str,
    track: str,
    n: int | None,
    done: dict[tuple[int, str], bool],
    live: set[tuple[int, str]],
) -> None:
    """What was stored in a revision that has ended meanwhile: nobody would look for it there, or it would be in the clear."""
    for (revision, key_id), is_fresh in done.items():
        if is_fresh and (revision, key_id) not in live:
            services.storage.delete(Scope.MEDIA, stored_at(content_hash, revision, track, n))
