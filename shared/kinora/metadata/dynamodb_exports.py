"""Writing exports in DynamoDB: a row of the catalog each, under its blob, replaced only by who knows its revision."""

from __future__ import annotations

from kinora.metadata.dynamodb_catalog_rows import blob_key, export_row
from kinora.metadata.dynamodb_catalog_table import CatalogTable
from kinora.metadata.dynamodb_transactions import transaction
from kinora.metadata.exports import next_export
from kinora.metadata.moments import check_blob
from kinora.model import BlobState, Export


def save(table: CatalogTable, export: Export) -> Export:
    saved = next_export(export, table.export(export.hash, export.name))
    row = export_row(table.exports, saved)
    if export.revision:
        row.save(condition=table.exports.revision == export.revision)
        return saved
    check_blob(table.blob(export.hash), export.hash)
    blobs = table.blobs
    stands = blobs.pk.exists() & (blobs.state != BlobState.CONDEMNED.value)
    with transaction(table.connection) as writes:
        writes.condition_check(blobs, *blob_key(export.hash), condition=stands)
        writes.save(row, condition=table.exports.pk.does_not_exist())
    return saved
