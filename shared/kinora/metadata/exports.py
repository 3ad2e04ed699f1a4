"""Exports as both metadata drivers store them: one JSON document each, and what must hold before one is replaced."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from kinora.errors import StaleState
from kinora.metadata.documents import failure_document, failure_of
from kinora.model import Export, ExportState


def export_document(export: Export) -> str:
    return json.dumps(asdict(export) | {"error": failure_document(export.error)}, separators=(",", ":"))


def export_of(document: str) -> Export:
    raw = json.loads(document)
    return Export(**raw | {"state": ExportState(raw["state"]), "error": failure_of(raw["error"])})


def next_export(export: Export, stored: Export | None) -> Export:
    """`export` as it is to be stored in the place of `stored`; raises StaleState if it was made from another."""
    if export.revision != (stored.revision if stored else 0):
        raise StaleState(f"export {export.name} has changed")
    return replace(export, revision=export.revision + 1)
