"""What is left when all work is over: everything that must not depend on how often and in which order things happened."""

from __future__ import annotations

import hashlib
from typing import Any

from kinora.model import Job, Scope
from kinora.services import Services


def outcome(services: Services) -> dict[str, Any]:
    """Objects with their hashes and rows without their times, through the drivers' own verbs."""
    blobs = services.catalog.blobs(limit=1000).items
    jobs = services.jobs.list(limit=1000).items
    return {
        "objects": {
            f"{scope}/{info.key}": _digest(services, scope, info.key)
            for scope in (Scope.SOURCE, Scope.MEDIA)
            for info in services.storage.list(scope)
        },
        "blobs": {one.hash: (one.size, one.media_type, one.kind, one.state, one.references) for one in blobs},
        "originals": {one.key: (one.hash, one.size) for blob in blobs for one in services.catalog.originals(blob.hash)},
        "derivatives": {
            (one.hash, one.name): (one.key, one.recipe, one.media_type, one.size, one.width, one.height, one.duration)
            for blob in blobs
            for one in services.catalog.derivatives(blob.hash)
        },
        "jobs": {job.id: _job(services, job) for job in jobs},
    }


def _job(services: Services, job: Job) -> tuple[object, ...]:
    counts = (dict(job.segments_planned), dict(job.segments_done))
    return (job.hash, job.kind, job.recipe, job.state, dict(job.stages), *counts, job.error, services.jobs.segments(job.id))


def _digest(services: Services, scope: Scope, key: str) -> str:
    with services.storage.open(scope, key) as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
