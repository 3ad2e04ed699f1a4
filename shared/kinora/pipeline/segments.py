"""The one place through which segments and init segments are stored. Created, never replaced: of several makers one wins."""

from __future__ import annotations

from kinora.errors import AlreadyExists, NotFound
from kinora.model import Scope
from kinora.object_keys import init_path, segment_path, video_key
from kinora.observability import logger
from kinora.pipeline.media_objects import put_media
from kinora.services import Services
from kinora.storage.base import PutMode, Reader


def store_segment(services: Services, content_hash: str, track: str, n: int | None, data: bytes) -> bool:
    """Store segment `n` of `track`, or its init segment if `n` is None; one that exists stays: it is the same bytes.

    False if it existed. Raises NotFound if the blob was removed meanwhile.
    """
    try:
        put_media(services, content_hash, _key(content_hash, track, n), data, PutMode.CREATE)
    except AlreadyExists:
        logger.debug("segment exists", extra={"track": track, "n": n})
        return False
    return True


def is_stored(services: Services, content_hash: str, track: str, n: int | None) -> bool:
    try:
        services.storage.head(Scope.MEDIA, _key(content_hash, track, n))
    except NotFound:
        return False
    return True


def open_segment(services: Services, content_hash: str, track: str, n: int | None) -> Reader:
    """Raises NotFound if it is not stored."""
    return services.storage.open(Scope.MEDIA, _key(content_hash, track, n))


def _key(content_hash: str, track: str, n: int | None) -> str:
    return video_key(content_hash, init_path(track) if n is None else segment_path(track, n))
