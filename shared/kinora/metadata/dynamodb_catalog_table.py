"""The catalog's table in DynamoDB: consistent reads of its rows, and writes that hold only if nothing has changed since."""

from __future__ import annotations

from collections.abc import Sequence

from pynamodb.connection import Connection
from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from kinora.metadata.dynamodb_catalog_rows import (
    DERIVATIVES,
    EXPORTS,
    MOMENTS,
    REFERENCES,
    SIDECARS,
    AccessRow,
    BlobRow,
    DerivativeRow,
    ExportRow,
    MomentRow,
    OriginalRow,
    ReferenceRow,
    SidecarRow,
    blob_key,
    blob_of,
    blob_row,
    export_key,
    moment_key,
    original_key,
    original_of,
    original_row,
    reference_key,
    reference_row,
    sidecar_key,
)
from kinora.metadata.dynamodb_rows import Table
from kinora.metadata.dynamodb_webhook_rows import DeliveryRow, WebhookRow
from kinora.metadata.exports import export_of
from kinora.metadata.moments import moment_of
from kinora.metadata.references import lost
from kinora.metadata.sequencers import sortable
from kinora.metadata.sidecars import sidecar_of
from kinora.model import Blob, Export, Moment, Original, Sidecar


class CatalogTable:
    """The models bound to the table `name`, and what is done with single rows."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        table = Table(connection, "catalog", name)
        self.blobs = table.bound(BlobRow)
        self.originals = table.bound(OriginalRow)
        self.references = table.bound(ReferenceRow)
        self.derivatives = table.bound(DerivativeRow)
        self.moments = table.bound(MomentRow)
        self.exports = table.bound(ExportRow)
        self.sidecars = table.bound(SidecarRow)
        self.webhooks = table.bound(WebhookRow)
        self.deliveries = table.bound(DeliveryRow)
        self.access = table.bound(AccessRow)

    def original(self, key: str) -> Original | None:
        try:
            return original_of(self.originals.get(*original_key(key), consistent_read=True))
        except self.originals.DoesNotExist:
            return None

    def blob(self, content_hash: str) -> Blob | None:
        try:
            return blob_of(self.blobs.get(*blob_key(content_hash), consistent_read=True))
        except self.blobs.DoesNotExist:
            return None

    def referring(self, content_hash: str, limit: int | None = None) -> tuple[Original, ...]:
        """Every original (or some `limit` of them) that refers to the hash, oldest first."""
        rows = self.references.query(
            f"blob#{content_hash}", self.references.sk.startswith(REFERENCES), consistent_read=True, limit=limit
        )
        return tuple(sorted((original_of(row) for row in rows), key=lambda original: (original.changed_at, original.key)))

    def derivative_rows(self, content_hash: str) -> list[DerivativeRow]:
        condition = self.derivatives.sk.startswith(DERIVATIVES)
        return list(self.derivatives.query(f"blob#{content_hash}", condition, consistent_read=True))

    def moment(self, content_hash: str, identifier: str) -> Moment | None:
        try:
            return moment_of(self.moments.get(*moment_key(content_hash, identifier), consistent_read=True).document)
        except self.moments.DoesNotExist:
            return None

    def moment_rows(self, content_hash: str) -> list[MomentRow]:
        condition = self.moments.sk.startswith(MOMENTS)
        return list(self.moments.query(f"blob#{content_hash}", condition, consistent_read=True))

    def export(self, content_hash: str, name: str) -> Export | None:
        try:
            return export_of(self.exports.get(*export_key(content_hash, name), consistent_read=True).document)
        except self.exports.DoesNotExist:
            return None

    def export_rows(self, content_hash: str) -> list[ExportRow]:
        condition = self.exports.sk.startswith(EXPORTS)
        return list(self.exports.query(f"blob#{content_hash}", condition, consistent_read=True))

    def sidecar(self, content_hash: str, identifier: str) -> Sidecar | None:
        try:
            return sidecar_of(self.sidecars.get(*sidecar_key(content_hash, identifier), consistent_read=True).document)
        except self.sidecars.DoesNotExist:
            return None

    def sidecar_rows(self, content_hash: str) -> list[SidecarRow]:
        condition = self.sidecars.sk.startswith(SIDECARS)
        return list(self.sidecars.query(f"blob#{content_hash}", condition, consistent_read=True))

    def write_original(self, writes: TransactWrite, original: Original, stored: Original | None) -> None:
        """Replace `stored`. The row stands for its reference too: both change only together."""
        model = self.originals
        unchanged = (
            model.pk.does_not_exist()
            if stored is None
            else (model.order == sortable(stored.sequencer)) & (model.removed == stored.removed)
        )
        writes.save(original_row(model, original), condition=unchanged)

    def write_reference(self, writes: TransactWrite, original: Original) -> None:
        writes.save(reference_row(self.references, original))

    def write_blob(self, writes: TransactWrite, blob: Blob, stored: Blob | None) -> None:
        """Replace `stored`."""
        writes.save(blob_row(self.blobs, blob), condition=self._is_unchanged(stored))

    def drop_reference(self, writes: TransactWrite, stored: Original | None, now: float) -> str | None:
        """Take away the reference of a live original and return the hash that lost it; None if there was none."""
        if stored is None or stored.removed:
            return None
        self.drop_references(writes, stored.hash, [stored], now)
        return stored.hash

    def drop_references(self, writes: TransactWrite, content_hash: str, stored: Sequence[Original], now: float) -> None:
        """Take away the references of live originals to one hash."""
        for original in stored:
            row = self.references(*reference_key(content_hash, original.key))
            writes.delete(row, condition=self.references.pk.exists())
        blob = self.blob(content_hash)
        if blob is not None:
            self.write_blob(writes, lost(blob, len(stored), now), blob)

    def _is_unchanged(self, stored: Blob | None) -> Condition:
        model = self.blobs
        if stored is None:
            return model.pk.does_not_exist()
        unchanged: Condition = (
            (model.state == stored.state.value)
            & (model.references == stored.references)
            & (model.changed_at == stored.changed_at)
        )
        return unchanged
