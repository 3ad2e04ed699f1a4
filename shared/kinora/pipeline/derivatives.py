"""Storing a derivative: the object first, then its row, so that a row never names what is not there. Called by every stage."""

from __future__ import annotations

from typing import BinaryIO

from kinora.errors import NotFound, StaleState
from kinora.model import Derivative, Job, Scope
from kinora.object_keys import media_type_of
from kinora.pipeline.media_objects import put_media
from kinora.services import Services


def store_derivative(
    services: Services,
    job: Job,
    name: str,
    key: str,
    data: bytes | BinaryIO,
    *,
    width: int | None = None,
    height: int | None = None,
    duration: float | None = None,
) -> None:
    """Store `data` at `key` and record it as the derivative `name` of the job's blob.

    Raises NotFound if the blob was removed meanwhile (the object is then taken back), StaleState while it is being collected.
    """
    stored = put_media(services, job.hash, key, data)
    derivative = Derivative(
        hash=job.hash,
        name=name,
        key=key,
        recipe=job.recipe,
        media_type=media_type_of(key),
        size=stored.size,
        created_at=services.clock(),
        width=width,
        height=height,
        duration=duration,
    )
    try:
        services.catalog.record(derivative)
    except (NotFound, StaleState):  # removed, or being removed, since the object was put
        services.storage.delete(Scope.MEDIA, key)
        raise
