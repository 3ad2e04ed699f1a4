"""Who may play a medium, in DynamoDB: a row of the catalog under its blob, where something was set for it."""

from __future__ import annotations

from kinora.metadata.dynamodb_catalog_rows import blob_key
from kinora.metadata.dynamodb_catalog_table import CatalogTable
from kinora.metadata.dynamodb_transactions import transaction
from kinora.metadata.moments import check_blob
from kinora.model import BlobState, MediaAccess

_PLACE = "access"


def read(table: CatalogTable, content_hash: str) -> MediaAccess | None:
    try:
        return MediaAccess(table.access.get(f"blob#{content_hash}", _PLACE, consistent_read=True).access)
    except table.access.DoesNotExist:
        return None


def save(table: CatalogTable, content_hash: str, access: MediaAccess | None) -> None:
    check_blob(table.blob(content_hash), content_hash)
    blobs = table.blobs
    stands = blobs.pk.exists() & (blobs.state != BlobState.CONDEMNED.value)
    with transaction(table.connection) as writes:
        writes.condition_check(blobs, *blob_key(content_hash), condition=stands)
        if access is None:
            writes.delete(table.access(f"blob#{content_hash}", _PLACE))
        else:
            writes.save(table.access(f"blob#{content_hash}", _PLACE, access=access.value))


def drop(table: CatalogTable, content_hash: str) -> None:
    """Of a blob that is being forgotten."""
    table.access(f"blob#{content_hash}", _PLACE).delete()
