"""Moments as both metadata drivers store them: one JSON document each, and what must hold before one is replaced."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from kinora.errors import NotFound, StaleState
from kinora.metadata.documents import failure_document, failure_of
from kinora.model import Blob, BlobState, Moment, MomentState


def moment_document(moment: Moment) -> str:
    return json.dumps(asdict(moment) | {"error": failure_document(moment.error)}, separators=(",", ":"))


def moment_of(document: str) -> Moment:
    raw = json.loads(document)
    return Moment(**raw | {"state": MomentState(raw["state"]), "error": failure_of(raw["error"])})


def next_moment(moment: Moment, stored: Moment | None) -> Moment:
    """`moment` as it is to be stored in the place of `stored`; raises StaleState if it was made from another."""
    if moment.revision != (stored.revision if stored else 0):
        raise StaleState(f"moment {moment.id} has changed")
    return replace(moment, revision=moment.revision + 1)


def check_blob(blob: Blob | None, content_hash: str) -> None:
    """Raise NotFound or StaleState unless something new may belong to the blob."""
    if blob is None:
        raise NotFound(f"no blob {content_hash}")
    if blob.state is BlobState.CONDEMNED:
        raise StaleState(f"blob {content_hash} is being collected")
