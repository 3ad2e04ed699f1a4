"""Finding and opening the bytes behind a hash: any original that still holds them will do."""

from __future__ import annotations

from kinora.errors import NotFound, OriginalGone, PreconditionFailed
from kinora.model import Job, Original, Scope
from kinora.services import Services
from kinora.storage.base import Reader


def open_original(services: Services, job: Job) -> Reader:
    """Open an original whose content is `job.hash`, pinned to exactly those bytes. Raises OriginalGone if none is left.

    One that was attached while others were tried in vain counts, too: its upload saw a job under way and left it to go on.
    """
    gone: set[Original] = set()
    while untried := [original for original in _candidates(services, job) if original not in gone]:
        for original in untried:
            try:
                return services.storage.open(Scope.SOURCE, original.key, etag=original.etag)
            except (NotFound, PreconditionFailed):
                gone.add(original)
    raise OriginalGone(f"no original holds {job.hash} any more")


def _candidates(services: Services, job: Job) -> list[Original]:
    """The job's own original first."""
    return sorted(services.catalog.originals(job.hash), key=lambda original: original.key != job.original_key)
