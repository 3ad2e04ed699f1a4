"""Writing sidecars in DynamoDB: a row of the catalog each, under its blob, replaced only by who knows its revision."""

from __future__ import annotations

from kinora.metadata.dynamodb_catalog_rows import blob_key, sidecar_row
from kinora.metadata.dynamodb_catalog_table import CatalogTable
from kinora.metadata.dynamodb_transactions import transaction
from kinora.metadata.moments import check_blob
from kinora.metadata.sidecars import next_sidecar
from kinora.model import BlobState, Sidecar


def save(table: CatalogTable, sidecar: Sidecar) -> Sidecar:
    check_blob(table.blob(sidecar.hash), sidecar.hash)
    saved = next_sidecar(sidecar, table.sidecar(sidecar.hash, sidecar.id))
    blobs, rows = table.blobs, table.sidecars
    stands = blobs.pk.exists() & (blobs.state != BlobState.CONDEMNED.value)
    is_known = rows.revision == sidecar.revision if sidecar.revision else rows.pk.does_not_exist()
    with transaction(table.connection) as writes:
        writes.condition_check(blobs, *blob_key(sidecar.hash), condition=stands)
        writes.save(sidecar_row(rows, saved), condition=is_known)
    return saved
