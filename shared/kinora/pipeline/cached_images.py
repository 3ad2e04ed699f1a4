"""The cache of pictures made on demand: found by what they are made of, never by looking at the original; gone with its medium.

Used by the API, which decodes nothing, and by the functions that make the pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kinora.errors import NotFound
from kinora.image_options import RECIPE, ImageOptions, processing_hash
from kinora.model import Derivative, Scope
from kinora.object_keys import CACHE_FOLDER, cached_image_key, media_type_of
from kinora.pipeline.leases import lease
from kinora.pipeline.media_objects import put_media
from kinora.services import Services

if TYPE_CHECKING:
    from kinora.media.image import Picture


def cache_key(content_hash: str, options: ImageOptions) -> str:
    return cached_image_key(processing_hash(content_hash, options), options.format)


def is_cached(services: Services, key: str) -> bool:
    try:
        services.storage.head(Scope.MEDIA, key)
    except NotFound:
        return False
    return True


def make_once(services: Services, content_hash: str, options: ImageOptions, make: Callable[[], Picture]) -> bool:
    """Make and store the picture unless it is there. False if somebody else is making it.

    Raises what `make` raises, NotFound or StaleState if the medium is removed meanwhile.
    """
    key = cache_key(content_hash, options)
    with lease(services, f"picture#{key}") as is_held:
        if not is_held:
            return False
        if not is_cached(services, key):
            _store(services, content_hash, key, make())
    return True


def forget_cached(services: Services, content_hash: str) -> int:
    """Delete the objects of all cached pictures of a medium, which is condemned; returns how many rows named one."""
    rows = [one for one in services.catalog.derivatives(content_hash) if is_cache_row(one)]
    for one in rows:
        services.storage.delete(Scope.MEDIA, one.key)
    return len(rows)


def is_cache_row(derivative: Derivative) -> bool:
    return derivative.key.startswith(CACHE_FOLDER)


def _store(services: Services, content_hash: str, key: str, picture: Picture) -> None:
    """The row first, unlike other derivatives: no folder tells whose the object is, so what no row names would stay for ever.
    A row without its object is harmless: nobody finds pictures by rows."""
    row = Derivative(
        hash=content_hash,
        name=key,
        key=key,
        recipe=f"image-{RECIPE}",
        media_type=media_type_of(key),
        size=len(picture.data),
        created_at=services.clock(),
        width=picture.width,
        height=picture.height,
    )
    services.catalog.record(row)
    put_media(services, content_hash, key, picture.data)
