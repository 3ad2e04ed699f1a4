"""What all rows in DynamoDB have in common: keys, index keys, the way to bind a model to a table, keys that sort by time.

PynamoDB models are declared without a table and bound when the driver is constructed. They never leave the driver.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from pynamodb.attributes import UnicodeAttribute
from pynamodb.connection import Connection, TableConnection
from pynamodb.connection.base import MetaTable
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from kinora.metadata.dynamodb_tables import DUE, LISTING, TABLES

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


class Table:
    """One of TABLES under the name that it has in this installation. All tables share `connection`: a client of its own
    for each model, as PynamoDB makes them, would cost 35 ms each at every cold start."""

    def __init__(self, connection: Connection, schema: str, name: str) -> None:
        self._name = name
        self._shared = TableConnection(name)
        self._shared.connection = connection
        connection.add_meta_table(MetaTable({"TableName": name, **TABLES[schema]}))

    def bound(self, model: type[M]) -> type[M]:
        """`model` for the rows of this table."""
        meta = type("Meta", (), {"table_name": self._name})
        return cast("type[M]", type(model.__name__, (model,), {"Meta": meta, "_connection": self._shared}))


def time_key(seconds: float) -> str:
    """A time as text of fixed length whose order is the order in time, exact for every float of this century."""
    return f"{min(seconds, END_OF_TIME):022.9f}"


def place_key(seconds: float, identity: str) -> str:
    """A key that sorts by time, then by identity."""
    return f"{time_key(seconds)}#{identity}"
