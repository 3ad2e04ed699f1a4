"""The catalog in DynamoDB: every verb reads, decides as the SQLite driver does, and writes one conditional transaction."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import replace

from kinora.errors import StaleState
from kinora.metadata import dynamodb_access, dynamodb_exports, dynamodb_moments, dynamodb_references, dynamodb_sidecars
from kinora.metadata.cursors import check_limit, decode_cursor, encode_cursor
from kinora.metadata.dynamodb_catalog_rows import (
    DUE_EXPORTS,
    DUE_MOMENTS,
    LISTED,
    blob_key,
    blob_of,
    derivative_of,
    derivative_row,
)
from kinora.metadata.dynamodb_catalog_table import CatalogTable
from kinora.metadata.dynamodb_rows import END_OF_TIME, place_key, time_key
from kinora.metadata.dynamodb_transactions import kinora_errors, settled, transaction
from kinora.metadata.exports import export_of
from kinora.metadata.moments import check_blob, moment_of
from kinora.metadata.references import may_be_condemned
from kinora.metadata.sidecars import sidecar_of
from kinora.model import Attachment, Blob, BlobState, Derivative, Export, MediaAccess, Moment, Original, Page, Sidecar


class DynamoCatalog:
    """`kinora.metadata.base.Catalog` on DynamoDB."""

    def __init__(self, table: CatalogTable) -> None:
        self._table = table

    def attach(self, original: Original, blob: Blob) -> Attachment:
        attached = replace(original, hash=blob.hash, removed=False)
        return settled(lambda: dynamodb_references.attach(self._table, attached, blob))

    def detach(self, key: str, sequencer: str, now: float) -> Attachment:
        return settled(lambda: dynamodb_references.detach(self._table, key, sequencer, now))

    def original(self, key: str) -> Original | None:
        with kinora_errors():
            return self._table.original(key)

    def originals(self, content_hash: str) -> tuple[Original, ...]:
        with kinora_errors():
            return self._table.referring(content_hash)

    def blob(self, content_hash: str) -> Blob | None:
        with kinora_errors():
            return self._table.blob(content_hash)

    def blobs(self, *, cursor: str | None = None, limit: int = 50) -> Page[Blob]:
        place = (END_OF_TIME, "") if cursor is None else decode_cursor(cursor)
        model, wanted = self._table.blobs, check_limit(limit) + 1
        with kinora_errors():
            rows = model.listing.query(LISTED, model.gsk < place_key(*place), scan_index_forward=False, limit=wanted)
            found = [blob_of(row) for row in rows]
        items = tuple(found[:limit])
        return Page(items, encode_cursor(items[-1].created_at, items[-1].hash) if len(found) > limit else None)

    def record(self, derivative: Derivative) -> None:
        settled(lambda: self._record(derivative))

    def derivatives(self, content_hash: str) -> tuple[Derivative, ...]:
        with kinora_errors():
            return tuple(derivative_of(row) for row in self._table.derivative_rows(content_hash))

    def access(self, content_hash: str) -> MediaAccess | None:
        with kinora_errors():
            return dynamodb_access.read(self._table, content_hash)

    def set_access(self, content_hash: str, access: MediaAccess | None) -> None:
        settled(lambda: dynamodb_access.save(self._table, content_hash, access))

    def release(self, content_hash: str, now: float) -> tuple[Original, ...]:
        released: list[Original] = []
        while some := settled(lambda: dynamodb_references.release_some(self._table, content_hash, now)):
            released += some
        return tuple(sorted(released, key=lambda original: (original.changed_at, original.key)))

    def collectable(self, before: float, limit: int = 100) -> tuple[Blob, ...]:
        model, most = self._table.blobs, check_limit(limit)
        with kinora_errors():
            condemned = model.due.query(BlobState.CONDEMNED.value, limit=most)
            collectable = model.due.query(BlobState.COLLECTABLE.value, model.dsk < time_key(before), limit=most)
            rows = heapq.merge(condemned, collectable, key=lambda row: str(row.dsk))
            return tuple(blob_of(row) for row in itertools.islice(rows, most))

    def condemn(self, content_hash: str, before: float, now: float) -> Blob | None:
        return settled(lambda: self._condemn(content_hash, before, now))

    def forget(self, content_hash: str) -> None:
        settled(lambda: self._forget(content_hash))

    def save_moment(self, moment: Moment) -> Moment:
        return settled(lambda: dynamodb_moments.save(self._table, moment))

    def moment(self, content_hash: str, identifier: str) -> Moment | None:
        with kinora_errors():
            return self._table.moment(content_hash, identifier)

    def moments(self, content_hash: str) -> tuple[Moment, ...]:
        with kinora_errors():
            found = [moment_of(row.document) for row in self._table.moment_rows(content_hash)]
        return tuple(sorted(found, key=lambda moment: (moment.created_at, moment.id)))

    def moments_due(self, before: float, limit: int = 100) -> tuple[Moment, ...]:
        model = self._table.moments
        with kinora_errors():
            rows = model.due.query(DUE_MOMENTS, model.dsk < time_key(before), limit=check_limit(limit))
            return tuple(moment_of(row.document) for row in rows)

    def drop_moment(self, moment: Moment) -> None:
        settled(lambda: dynamodb_moments.drop(self._table, moment))

    def save_export(self, export: Export) -> Export:
        return settled(lambda: dynamodb_exports.save(self._table, export))

    def export(self, content_hash: str, name: str) -> Export | None:
        with kinora_errors():
            return self._table.export(content_hash, name)

    def exports(self, content_hash: str) -> tuple[Export, ...]:
        with kinora_errors():
            return tuple(export_of(row.document) for row in self._table.export_rows(content_hash))

    def exports_due(self, before: float, limit: int = 100) -> tuple[Export, ...]:
        model = self._table.exports
        with kinora_errors():
            rows = model.due.query(DUE_EXPORTS, model.dsk < time_key(before), limit=check_limit(limit))
            return tuple(export_of(row.document) for row in rows)

    def save_sidecar(self, sidecar: Sidecar) -> Sidecar:
        return settled(lambda: dynamodb_sidecars.save(self._table, sidecar))

    def sidecars(self, content_hash: str) -> tuple[Sidecar, ...]:
        with kinora_errors():
            return tuple(sidecar_of(row.document) for row in self._table.sidecar_rows(content_hash))

    def check(self) -> None:
        with kinora_errors():
            self._table.blob("")

    def _record(self, derivative: Derivative) -> None:
        check_blob(self._table.blob(derivative.hash), derivative.hash)
        model = self._table.blobs
        stands = model.pk.exists() & (model.state != BlobState.CONDEMNED.value)
        with transaction(self._table.connection) as writes:
            writes.condition_check(model, *blob_key(derivative.hash), condition=stands)
            writes.save(derivative_row(self._table.derivatives, derivative))

    def _condemn(self, content_hash: str, before: float, now: float) -> Blob | None:
        blob = self._table.blob(content_hash)
        if blob is None or blob.state is BlobState.CONDEMNED:
            return blob
        if not may_be_condemned(blob, before):
            return None
        condemned = replace(blob, state=BlobState.CONDEMNED, changed_at=now)
        with transaction(self._table.connection) as writes:
            self._table.write_blob(writes, condemned, blob)
        return condemned

    def _forget(self, content_hash: str) -> None:
        """The rows of what the blob has go first, so that a run killed in between leaves a blob that is found again."""
        blob = self._table.blob(content_hash)
        if blob is None:
            return
        if blob.state is not BlobState.CONDEMNED:
            raise StaleState(f"blob {content_hash} is {blob.state}, not condemned")
        with self._table.derivatives.batch_write() as batch:
            for row in self._table.derivative_rows(content_hash):
                batch.delete(row)
        with self._table.moments.batch_write() as moments:
            for moment in self._table.moment_rows(content_hash):
                moments.delete(moment)
        with self._table.exports.batch_write() as exports:
            for export in self._table.export_rows(content_hash):
                exports.delete(export)
        with self._table.sidecars.batch_write() as sidecars:
            for sidecar in self._table.sidecar_rows(content_hash):
                sidecars.delete(sidecar)
        dynamodb_access.drop(self._table, content_hash)
        model = self._table.blobs
        model(*blob_key(content_hash)).delete(condition=model.state == BlobState.CONDEMNED.value)
