"""The catalog in SQLite: every verb is one transaction of `kinora.database.Database`."""

from __future__ import annotations

import math
from dataclasses import replace

from kinora.database import Database
from kinora.errors import StaleState
from kinora.metadata.cursors import check_limit, decode_cursor, encode_cursor
from kinora.metadata.exports import export_of, next_export
from kinora.metadata.moments import check_blob, moment_of, next_moment
from kinora.metadata.references import first_seen, gained, may_be_condemned, never_seen
from kinora.metadata.sequencers import outcome
from kinora.metadata.sidecars import next_sidecar, sidecar_of
from kinora.metadata.sqlite_catalog_rows import (
    SELECT_BLOBS,
    SELECT_DERIVATIVES,
    blob_of,
    drop_reference,
    read_access,
    read_blob,
    read_export,
    read_moment,
    read_original,
    read_referring,
    read_sidecar,
    save_access,
    save_blob,
    save_derivative,
    save_export,
    save_moment,
    save_original,
    save_sidecar,
)
from kinora.model import (
    Attachment,
    AttachOutcome,
    Blob,
    BlobState,
    Derivative,
    Export,
    MediaAccess,
    Moment,
    Original,
    Page,
    Sidecar,
)


class SqliteCatalog:
    """`kinora.metadata.base.Catalog` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def attach(self, original: Original, blob: Blob) -> Attachment:
        with self._database.write() as connection:
            stored = read_original(connection, original.key)
            verdict = outcome(stored, original.sequencer)
            if verdict is not AttachOutcome.APPLIED:
                return Attachment(verdict)
            save_original(connection, replace(original, hash=blob.hash, removed=False))
            if stored is not None and not stored.removed and stored.hash == blob.hash:
                return Attachment(verdict)
            known = read_blob(connection, blob.hash)
            now = original.changed_at
            save_blob(connection, first_seen(blob, now) if known is None else gained(known, now))
            previous = drop_reference(connection, stored, now)
            connection.execute("INSERT INTO metadata_references (hash, key) VALUES (?, ?)", (blob.hash, original.key))
            return Attachment(verdict, previous)

    def detach(self, key: str, sequencer: str, now: float) -> Attachment:
        with self._database.write() as connection:
            stored = read_original(connection, key)
            verdict = outcome(stored, sequencer)
            if verdict is not AttachOutcome.APPLIED:
                return Attachment(verdict)
            previous = drop_reference(connection, stored, now)
            known = stored or never_seen(key, sequencer, now)
            save_original(connection, replace(known, sequencer=sequencer, removed=True, changed_at=now))
            return Attachment(verdict, previous)

    def original(self, key: str) -> Original | None:
        with self._database.read() as connection:
            return read_original(connection, key)

    def originals(self, content_hash: str) -> tuple[Original, ...]:
        with self._database.read() as connection:
            return read_referring(connection, content_hash)

    def blob(self, content_hash: str) -> Blob | None:
        with self._database.read() as connection:
            return read_blob(connection, content_hash)

    def blobs(self, *, cursor: str | None = None, limit: int = 50) -> Page[Blob]:
        place = (math.inf, "") if cursor is None else decode_cursor(cursor)
        query = SELECT_BLOBS + "WHERE (created_at, hash) < (?, ?) ORDER BY created_at DESC, hash DESC LIMIT ?"
        with self._database.read() as connection:
            rows = connection.execute(query, (*place, check_limit(limit) + 1)).fetchall()
        items = tuple(blob_of(row) for row in rows[:limit])
        return Page(items, encode_cursor(items[-1].created_at, items[-1].hash) if len(rows) > limit else None)

    def record(self, derivative: Derivative) -> None:
        with self._database.write() as connection:
            check_blob(read_blob(connection, derivative.hash), derivative.hash)
            save_derivative(connection, derivative)

    def derivatives(self, content_hash: str) -> tuple[Derivative, ...]:
        with self._database.read() as connection:
            rows = connection.execute(SELECT_DERIVATIVES + "WHERE hash = ? ORDER BY name", (content_hash,)).fetchall()
        return tuple(Derivative(*row) for row in rows)

    def access(self, content_hash: str) -> MediaAccess | None:
        with self._database.read() as connection:
            return read_access(connection, content_hash)

    def set_access(self, content_hash: str, access: MediaAccess | None) -> None:
        with self._database.write() as connection:
            check_blob(read_blob(connection, content_hash), content_hash)
            save_access(connection, content_hash, access)

    def release(self, content_hash: str, now: float) -> tuple[Original, ...]:
        with self._database.write() as connection:
            released = read_referring(connection, content_hash)
            for original in released:
                drop_reference(connection, original, now)
                save_original(connection, replace(original, removed=True, changed_at=now))
            return released

    def collectable(self, before: float, limit: int = 100) -> tuple[Blob, ...]:
        query = SELECT_BLOBS + (
            "WHERE state IN ('collectable', 'condemned') AND (changed_at < ? OR state = 'condemned')"
            " ORDER BY changed_at, hash LIMIT ?"
        )
        with self._database.read() as connection:
            rows = connection.execute(query, (before, check_limit(limit))).fetchall()
        return tuple(blob_of(row) for row in rows)

    def condemn(self, content_hash: str, before: float, now: float) -> Blob | None:
        with self._database.write() as connection:
            blob = read_blob(connection, content_hash)
            if blob is None or blob.state is BlobState.CONDEMNED:
                return blob
            if not may_be_condemned(blob, before):
                return None
            condemned = replace(blob, state=BlobState.CONDEMNED, changed_at=now)
            save_blob(connection, condemned)
            return condemned

    def forget(self, content_hash: str) -> None:
        with self._database.write() as connection:
            blob = read_blob(connection, content_hash)
            if blob is None:
                return
            if blob.state is not BlobState.CONDEMNED:
                raise StaleState(f"blob {content_hash} is {blob.state}, not condemned")
            save_access(connection, content_hash, None)
            connection.execute("DELETE FROM metadata_exports WHERE hash = ?", (content_hash,))
            connection.execute("DELETE FROM metadata_moments WHERE hash = ?", (content_hash,))
            connection.execute("DELETE FROM metadata_sidecars WHERE hash = ?", (content_hash,))
            connection.execute("DELETE FROM metadata_derivatives WHERE hash = ?", (content_hash,))
            connection.execute("DELETE FROM metadata_blobs WHERE hash = ?", (content_hash,))

    def save_moment(self, moment: Moment) -> Moment:
        with self._database.write() as connection:
            saved = next_moment(moment, read_moment(connection, moment.hash, moment.id))
            if moment.revision == 0:
                check_blob(read_blob(connection, moment.hash), moment.hash)
            save_moment(connection, saved)
            return saved

    def moment(self, content_hash: str, identifier: str) -> Moment | None:
        with self._database.read() as connection:
            return read_moment(connection, content_hash, identifier)

    def moments(self, content_hash: str) -> tuple[Moment, ...]:
        query = "SELECT document FROM metadata_moments WHERE hash = ? ORDER BY created_at, id"
        with self._database.read() as connection:
            return tuple(moment_of(row[0]) for row in connection.execute(query, (content_hash,)))

    def moments_due(self, before: float, limit: int = 100) -> tuple[Moment, ...]:
        query = "SELECT document FROM metadata_moments WHERE due_at < ? ORDER BY due_at LIMIT ?"
        with self._database.read() as connection:
            return tuple(moment_of(row[0]) for row in connection.execute(query, (before, check_limit(limit))))

    def drop_moment(self, moment: Moment) -> None:
        with self._database.write() as connection:
            stored = read_moment(connection, moment.hash, moment.id)
            if stored is not None:
                next_moment(moment, stored)
                connection.execute("DELETE FROM metadata_moments WHERE hash = ? AND id = ?", (moment.hash, moment.id))

    def save_export(self, export: Export) -> Export:
        with self._database.write() as connection:
            saved = next_export(export, read_export(connection, export.hash, export.name))
            if export.revision == 0:
                check_blob(read_blob(connection, export.hash), export.hash)
            save_export(connection, saved)
            return saved

    def export(self, content_hash: str, name: str) -> Export | None:
        with self._database.read() as connection:
            return read_export(connection, content_hash, name)

    def exports(self, content_hash: str) -> tuple[Export, ...]:
        query = "SELECT document FROM metadata_exports WHERE hash = ? ORDER BY name"
        with self._database.read() as connection:
            return tuple(export_of(row[0]) for row in connection.execute(query, (content_hash,)))

    def exports_due(self, before: float, limit: int = 100) -> tuple[Export, ...]:
        query = "SELECT document FROM metadata_exports WHERE due_at < ? ORDER BY due_at LIMIT ?"
        with self._database.read() as connection:
            return tuple(export_of(row[0]) for row in connection.execute(query, (before, check_limit(limit))))

    def save_sidecar(self, sidecar: Sidecar) -> Sidecar:
        with self._database.write() as connection:
            check_blob(read_blob(connection, sidecar.hash), sidecar.hash)
            saved = next_sidecar(sidecar, read_sidecar(connection, sidecar.hash, sidecar.id))
            save_sidecar(connection, saved)
            return saved

    def sidecars(self, content_hash: str) -> tuple[Sidecar, ...]:
        query = "SELECT document FROM metadata_sidecars WHERE hash = ? ORDER BY id"
        with self._database.read() as connection:
            return tuple(sidecar_of(row[0]) for row in connection.execute(query, (content_hash,)))

    def check(self) -> None:
        with self._database.read() as connection:
            connection.execute("SELECT 1 FROM metadata_blobs LIMIT 1").fetchone()
