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
    return open_content(services, job.hash, first=job.original_key)


def open_content(services: Services, content_hash: str, *, first: str = "") -> Reader:
    """As `open_original`, for work that has no job; the original with the key `first` is tried first."""
    gone: set[Original] = set()
    while untried := [original for original in _candidates(services, content_hash, first) if original not in gone]:
        for original in untried:
            try:
                return services.storage.open(Scope.SOURCE, original.key, etag=original.etag)
            except (NotFound, PreconditionFailed):
                gone.add(original)
    raise OriginalGone(f"no original holds {content_hash} any more")


def _candidates(services: Services, content_hash: str, first: str) -> list[Original]:
    return sorted(services.catalog.originals(content_hash), key=lambda original: original.key != first)
