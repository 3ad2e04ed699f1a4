"""Storing what is derived. Every object of the media scope that belongs to a hash is put here, so that nothing outlives it.

Collecting condemns the blob first and deletes its objects then. So whoever puts an object and finds the blob gone or condemned
afterwards takes the object back: whatever the order was, it does not stay.
"""

from __future__ import annotations

from typing import BinaryIO

from kinora.errors import NotFound
from kinora.model import BlobState, Scope
from kinora.services import Services
from kinora.storage.base import ObjectInfo, PutMode


def put_media(
    services: Services, content_hash: str, key: str, data: bytes | BinaryIO, mode: PutMode = PutMode.OVERWRITE
) -> ObjectInfo:
    """Store `data` at `key` for the blob. Raises NotFound if the blob was removed meanwhile, AlreadyExists as the driver does."""
    stored = services.storage.put(Scope.MEDIA, key, data, mode)
    blob = services.catalog.blob(content_hash)
    if blob is None or blob.state is BlobState.CONDEMNED:
        services.storage.delete(Scope.MEDIA, key)
        raise NotFound(f"{content_hash} was removed while {key} was made")
    return stored
