"""Deleting what nobody refers to any more: the only place that deletes derivatives. Called by the sweep and by removal.

collectable → condemned (fenced: nothing can attach) → objects → keys → jobs → rows. Killed anywhere, the next run goes on.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from kinora.errors import NotFound
from kinora.model import UNHASHED, Job, JobState, Scope
from kinora.object_keys import image_folder, video_folder
from kinora.observability import logger
from kinora.pipeline.cached_images import forget_cached
from kinora.pipeline.work import update
from kinora.services import Services


def collect(services: Services, *, limit: int = 100) -> int:
    """Collect blobs that have been without a reference for longer than the grace period; returns how many went."""
    before = services.clock() - services.settings.grace_seconds
    collected = 0
    for blob in services.catalog.collectable(before, limit):
        collected += collect_blob(services, blob.hash, before)
    return collected


def collect_blob(services: Services, content_hash: str, before: float) -> bool:
    """Collect one blob if it is still without a reference since before `before`."""
    if services.catalog.condemn(content_hash, before, services.clock()) is None:
        return False
    delete_derivatives(services, content_hash)
    services.catalog.forget(content_hash)
    logger.info("collected", extra={"hash": content_hash})
    return True


def delete_derivatives(services: Services, content_hash: str) -> int:
    """Stop the jobs of a hash, then delete its objects, keys and jobs; returns the number of objects. The caller holds the
    blob condemned, so no new job can begin."""
    jobs = jobs_of(services, content_hash)
    for job in jobs:
        with suppress(NotFound):  # another run collects the same blob and is ahead
            update(services, job.id, _cancel)
    deleted = sum(services.storage.delete_prefix(Scope.MEDIA, folder) for folder in _folders(content_hash))
    deleted += forget_cached(services, content_hash)
    services.content_keys.delete(content_hash)
    for job in jobs:
        services.jobs.delete(job.id)
    return deleted


def is_clean(services: Services, content_hash: str) -> bool:
    """Whether nothing derived from the hash is left in storage."""
    return not any(True for folder in _folders(content_hash) for _ in services.storage.list(Scope.MEDIA, folder))


def jobs_of(services: Services, content_hash: str) -> list[Job]:
    if content_hash == UNHASHED:
        return []
    found: list[Job] = []
    cursor: str | None = None
    while True:
        page = services.jobs.list(content_hash=content_hash, cursor=cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


def _folders(content_hash: str) -> tuple[str, str]:
    return image_folder(content_hash), video_folder(content_hash)


def _cancel(job: Job) -> Job | None:
    return None if job.state.is_final else replace(job, state=JobState.CANCELED)
