"""Writing moments in DynamoDB: a row of the catalog each, under its blob, replaced only by who knows its revision."""

from __future__ import annotations

from kinora.metadata.dynamodb_catalog_rows import blob_key, moment_key, moment_row
from kinora.metadata.dynamodb_catalog_table import CatalogTable
from kinora.metadata.dynamodb_transactions import transaction
from kinora.metadata.moments import check_blob, next_moment
from kinora.model import BlobState, Moment


def save(table: CatalogTable, moment: Moment) -> Moment:
    saved = next_moment(moment, table.moment(moment.hash, moment.id))
    row = moment_row(table.moments, saved)
    if moment.revision:
        row.save(condition=table.moments.revision == moment.revision)
        return saved
    check_blob(table.blob(moment.hash), moment.hash)
    blobs = table.blobs
    stands = blobs.pk.exists() & (blobs.state != BlobState.CONDEMNED.value)
    with transaction(table.connection) as writes:
        writes.condition_check(blobs, *blob_key(moment.hash), condition=stands)
        writes.save(row, condition=table.moments.pk.does_not_exist())
    return saved


def drop(table: CatalogTable, moment: Moment) -> None:
    stored = table.moment(moment.hash, moment.id)
    if stored is None:
        return
    next_moment(moment, stored)
    row = table.moments(*moment_key(moment.hash, moment.id))
    row.delete(condition=table.moments.revision == moment.revision)
