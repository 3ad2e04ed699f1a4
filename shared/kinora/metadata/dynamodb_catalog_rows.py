"""The catalog's rows in DynamoDB as PynamoDB models, made from records and read back into them."""

from __future__ import annotations

import hashlib
from typing import Any

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from kinora.metadata.dynamodb_rows import DueIndex, IndexedRow, Row, place_key
from kinora.metadata.exports import export_document
from kinora.metadata.moments import moment_document
from kinora.metadata.sequencers import sortable
from kinora.metadata.sidecars import sidecar_document
from kinora.model import Blob, BlobState, Derivative, Export, Kind, Moment, Original, Sidecar

LISTED = "blob"
REFERENCES = "reference#"
DERIVATIVES = "derivative#"
MOMENTS = "moment#"
DUE_MOMENTS = "moment"
EXPORTS = "export#"
DUE_EXPORTS = "export"
SIDECARS = "sidecar#"


class BlobRow(IndexedRow):
    hash = UnicodeAttribute()
    size = NumberAttribute()
    media_type = UnicodeAttribute()
    kind = UnicodeAttribute()
    created_at = NumberAttribute()
    state = UnicodeAttribute()
    references = NumberAttribute()
    changed_at = NumberAttribute()


class _KeyedRow(Row):
    """What the original's own row and its reference row both say."""

    key = UnicodeAttribute()
    hash = UnicodeAttribute()
    size = NumberAttribute()
    etag = UnicodeAttribute()
    sequencer = UnicodeAttribute()
    version = UnicodeAttribute(null=True)
    removed = BooleanAttribute()
    changed_at = NumberAttribute()


class OriginalRow(_KeyedRow):
    """`order` is the sequencer in the form that compares."""

    order = UnicodeAttribute()


class ReferenceRow(_KeyedRow):
    """A copy of the original, so that one query finds everything that refers to a hash."""


class DerivativeRow(Row):
    hash = UnicodeAttribute()
    name = UnicodeAttribute()
    key = UnicodeAttribute()
    recipe = UnicodeAttribute()
    media_type = UnicodeAttribute()
    size = NumberAttribute()
    created_at = NumberAttribute()
    width = NumberAttribute(null=True)
    height = NumberAttribute(null=True)
    duration = NumberAttribute(null=True)


class _DueRow(Row):
    dpk = UnicodeAttribute(null=True)
    dsk = UnicodeAttribute(null=True)
    revision = NumberAttribute()
    document = UnicodeAttribute()
    due = DueIndex()


class MomentRow(_DueRow):
    """A moment as a document."""


class ExportRow(_DueRow):
    """An export as a document."""


class AccessRow(Row):
    access = UnicodeAttribute()


class SidecarRow(Row):
    revision = NumberAttribute()
    document = UnicodeAttribute()


def original_key(key: str) -> tuple[str, str]:
    return f"original#{key}", "original"


def blob_key(content_hash: str) -> tuple[str, str]:
    return f"blob#{content_hash}", "blob"


def reference_key(content_hash: str, key: str) -> tuple[str, str]:
    """The original's key is hashed, since a sort key holds no more than 1,024 bytes."""
    return f"blob#{content_hash}", REFERENCES + hashlib.sha256(key.encode()).hexdigest()


def original_values(original: Original) -> dict[str, Any]:
    return {
        "key": original.key,
        "hash": original.hash,
        "size": original.size,
        "etag": original.etag,
        "sequencer": original.sequencer,
        "version": original.version,
        "removed": original.removed,
        "changed_at": original.changed_at,
    }


def original_row(model: type[OriginalRow], original: Original) -> OriginalRow:
    return model(*original_key(original.key), order=sortable(original.sequencer), **original_values(original))


def reference_row(model: type[ReferenceRow], original: Original) -> ReferenceRow:
    return model(*reference_key(original.hash, original.key), **original_values(original))


def original_of(row: OriginalRow | ReferenceRow) -> Original:
    return Original(
        key=row.key,
        hash=row.hash,
        size=int(row.size),
        etag=row.etag,
        sequencer=row.sequencer,
        version=row.version,
        removed=row.removed,
        changed_at=float(row.changed_at),
    )


def blob_row(model: type[BlobRow], blob: Blob) -> BlobRow:
    waits = blob.state is not BlobState.LIVE
    return model(
        *blob_key(blob.hash),
        gpk=LISTED,
        gsk=place_key(blob.created_at, blob.hash),
        dpk=blob.state.value if waits else None,
        dsk=place_key(blob.changed_at, blob.hash) if waits else None,
        hash=blob.hash,
        size=blob.size,
        media_type=blob.media_type,
        kind=blob.kind.value,
        created_at=blob.created_at,
        state=blob.state.value,
        references=blob.references,
        changed_at=blob.changed_at,
    )


def blob_of(row: BlobRow) -> Blob:
    return Blob(
        hash=row.hash,
        size=int(row.size),
        media_type=row.media_type,
        kind=Kind(row.kind),
        created_at=float(row.created_at),
        state=BlobState(row.state),
        references=int(row.references),
        changed_at=float(row.changed_at),
    )


def moment_key(content_hash: str, identifier: str) -> tuple[str, str]:
    return f"blob#{content_hash}", MOMENTS + identifier


def moment_row(model: type[MomentRow], moment: Moment) -> MomentRow:
    is_due = moment.due_at is not None
    return model(
        *moment_key(moment.hash, moment.id),
        dpk=DUE_MOMENTS if is_due else None,
        dsk=place_key(moment.due_at or 0.0, moment.id) if is_due else None,
        revision=moment.revision,
        document=moment_document(moment),
    )


def export_key(content_hash: str, name: str) -> tuple[str, str]:
    return f"blob#{content_hash}", EXPORTS + name


def export_row(model: type[ExportRow], export: Export) -> ExportRow:
    is_due = export.due_at is not None
    return model(
        *export_key(export.hash, export.name),
        dpk=DUE_EXPORTS if is_due else None,
        dsk=place_key(export.due_at or 0.0, f"{export.hash}#{export.name}") if is_due else None,
        revision=export.revision,
        document=export_document(export),
    )


def sidecar_key(content_hash: str, identifier: str) -> tuple[str, str]:
    return f"blob#{content_hash}", SIDECARS + identifier


def sidecar_row(model: type[SidecarRow], sidecar: Sidecar) -> SidecarRow:
    key = sidecar_key(sidecar.hash, sidecar.id)
    return model(*key, revision=sidecar.revision, document=sidecar_document(sidecar))


def derivative_row(model: type[DerivativeRow], derivative: Derivative) -> DerivativeRow:
    return model(
        f"blob#{derivative.hash}",
        DERIVATIVES + derivative.name,
        hash=derivative.hash,
        name=derivative.name,
        key=derivative.key,
        recipe=derivative.recipe,
        media_type=derivative.media_type,
        size=derivative.size,
        created_at=derivative.created_at,
        width=derivative.width,
        height=derivative.height,
        duration=derivative.duration,
    )


def derivative_of(row: DerivativeRow) -> Derivative:
    return Derivative(
        hash=row.hash,
        name=row.name,
        key=row.key,
        recipe=row.recipe,
        media_type=row.media_type,
        size=int(row.size),
        created_at=float(row.created_at),
        width=None if row.width is None else int(row.width),
        height=None if row.height is None else int(row.height),
        duration=None if row.duration is None else float(row.duration),
    )
