"""Removing media on request: everything derived from a hash, and its originals too if that is asked for."""

from __future__ import annotations

from kinora.errors import NotFound
from kinora.model import Original, Scope
from kinora.pipeline.collect import collect_blob, is_clean
from kinora.pipeline.encryption_requests import forget_mark
from kinora.services import Services


def remove_media(services: Services, content_hash: str, *, originals: bool) -> dict[str, object]:
    """Delete every derivative, job and key of a hash now; with `originals` also the objects that hold the content.

    Without `originals` the objects stay in the source scope, and the same event again does not bring the derivatives back;
    a new upload does. Returns what was done; `complete` is False when something is left, and calling again goes on.
    Raises NotFound.
    """
    if services.catalog.blob(content_hash) is None:
        raise NotFound(f"no blob {content_hash}")
    found = services.catalog.originals(content_hash) if originals else ()
    # The objects first: whoever is killed in between leaves rows by which the next call finds the rest.
    deleted = [original.key for original in found if _delete_original(services, original)]
    released = services.catalog.release(content_hash, services.clock())
    kept = [original.key for original in released if original.key not in deleted]
    collected = collect_blob(services, content_hash, float("inf"))
    complete = collected and is_clean(services, content_hash)
    return {"hash": content_hash, "complete": complete, "originals_deleted": deleted, "originals_kept": kept}


def _delete_original(services: Services, original: Original) -> bool:
    """Delete the object unless it was replaced by other content meanwhile."""
    try:
        if services.storage.head(Scope.SOURCE, original.key).etag != original.etag:
            return False
    except NotFound:
        return True
    services.storage.delete(Scope.SOURCE, original.key)
    forget_mark(services, original.key)
    return True
