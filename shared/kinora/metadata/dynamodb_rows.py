"""What all rows in DynamoDB have in common: keys, index keys, the way to bind a model to a table, keys that sort by time.

PynamoDB models are declared without a table and bound when the driver is constructed. They never leave the driver.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from kinora.metadata.dynamodb_tables import DUE, LISTING

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
END_OF_TIME = 999_999_999_999.0

M = TypeVar("M", bound=Model)


class ListingIndex(GlobalSecondaryIndex[Any]):
    """Rows that are listed newest first."""

    class Meta:
        index_name = LISTING
        projection = AllProjection()

    gpk = UnicodeAttribute(hash_key=True)
    gsk = UnicodeAttribute(range_key=True)


class DueIndex(GlobalSecondaryIndex[Any]):
    """Rows that wait for the sweep, oldest change first; a row without `dpk` is not in it."""

    class Meta:
        index_name = DUE
        projection = AllProjection()

    dpk = UnicodeAttribute(hash_key=True)
    dsk = UnicodeAttribute(range_key=True)


class Row(Model):
    """Any row."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class IndexedRow(Row):
    """A row that the indexes hold."""

    gpk = UnicodeAttribute()
    gsk = UnicodeAttribute()
    dpk = UnicodeAttribute(null=True)
    dsk = UnicodeAttribute(null=True)
    listing = ListingIndex()
    due = DueIndex()


def bound(model: type[M], table: str, endpoint: str) -> type[M]:
    """`model` for the rows of `table`."""
    meta = {
        "table_name": table,
        "host": endpoint or None,
        "connect_timeout_seconds": CONNECT_SECONDS,
        "read_timeout_seconds": READ_SECONDS,
    }
    return cast("type[M]", type(model.__name__, (model,), {"Meta": type("Meta", (), meta)}))


def time_key(seconds: float) -> str:
    """A time as text of fixed length whose order is the order in time, exact for every float of this century."""
    return f"{min(seconds, END_OF_TIME):022.9f}"


def place_key(seconds: float, identity: str) -> str:
    """A key that sorts by time, then by identity."""
    return f"{time_key(seconds)}#{identity}"
