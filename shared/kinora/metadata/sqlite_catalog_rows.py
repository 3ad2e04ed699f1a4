"""Rows of the catalog's SQLite tables, read into records and written from them inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, replace
from typing import Any

from kinora.metadata.exports import export_document, export_of
from kinora.metadata.moments import moment_document, moment_of
from kinora.metadata.references import lost
from kinora.metadata.sidecars import sidecar_document, sidecar_of
from kinora.model import Blob, BlobState, Derivative, Export, Kind, MediaAccess, Moment, Original, Sidecar

SELECT_BLOBS = "SELECT hash, size, media_type, kind, created_at, state, reference_count, changed_at FROM metadata_blobs "
SELECT_ORIGINALS = "SELECT key, hash, size, etag, sequencer, version, removed, changed_at FROM metadata_originals "
SELECT_DERIVATIVES = (
    "SELECT hash, name, key, recipe, media_type, size, created_at, width, height, duration FROM metadata_derivatives "
)
REFERRING = "WHERE key IN (SELECT key FROM metadata_references WHERE hash = ?) ORDER BY changed_at, key"


def read_original(connection: sqlite3.Connection, key: str) -> Original | None:
    row = connection.execute(SELECT_ORIGINALS + "WHERE key = ?", (key,)).fetchone()
    return None if row is None else original_of(row)


def read_referring(connection: sqlite3.Connection, content_hash: str) -> tuple[Original, ...]:
    return tuple(original_of(row) for row in connection.execute(SELECT_ORIGINALS + REFERRING, (content_hash,)))


def read_blob(connection: sqlite3.Connection, content_hash: str) -> Blob | None:
    row = connection.execute(SELECT_BLOBS + "WHERE hash = ?", (content_hash,)).fetchone()
    return None if row is None else blob_of(row)


def original_of(row: Iterable[Any]) -> Original:
    original = Original(*row)
    return replace(original, removed=bool(original.removed))


def blob_of(row: Iterable[Any]) -> Blob:
    content_hash, size, media_type, kind, created_at, state, references, changed_at = row
    return Blob(content_hash, size, media_type, Kind(kind), created_at, BlobState(state), references, changed_at)


def read_access(connection: sqlite3.Connection, content_hash: str) -> MediaAccess | None:
    row = connection.execute("SELECT access FROM metadata_access WHERE hash = ?", (content_hash,)).fetchone()
    return None if row is None else MediaAccess(row[0])


def save_access(connection: sqlite3.Connection, content_hash: str, access: MediaAccess | None) -> None:
    if access is None:
        connection.execute("DELETE FROM metadata_access WHERE hash = ?", (content_hash,))
    else:
        connection.execute("REPLACE INTO metadata_access (hash, access) VALUES (?, ?)", (content_hash, access.value))


def save_original(connection: sqlite3.Connection, original: Original) -> None:
    """Create or replace the row of its key (REPLACE would delete first and trip over the reference)."""
    connection.execute(
        "INSERT INTO metadata_originals (key, hash, size, etag, sequencer, version, removed, changed_at)"
        " VALUES (?,?,?,?,?,?,?,?)"
        " ON CONFLICT (key) DO UPDATE SET (hash, size, etag, sequencer, version, removed, changed_at) ="
        " (excluded.hash, excluded.size, excluded.etag, excluded.sequencer, excluded.version, excluded.removed,"
        " excluded.changed_at)",
        astuple(original),
    )


def save_blob(connection: sqlite3.Connection, blob: Blob) -> None:
    """Create the row, or change what can change: state, count and time of change."""
    connection.execute(
        "INSERT INTO metadata_blobs (hash, size, media_type, kind, created_at, state, reference_count, changed_at)"
        " VALUES (?,?,?,?,?,?,?,?)"
        " ON CONFLICT (hash) DO UPDATE SET (state, reference_count, changed_at) ="
        " (excluded.state, excluded.reference_count, excluded.changed_at)",
        astuple(blob),
    )


def save_derivative(connection: sqlite3.Connection, derivative: Derivative) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO metadata_derivatives"
        " (hash, name, key, recipe, media_type, size, created_at, width, height, duration) VALUES (?,?,?,?,?,?,?,?,?,?)",
        astuple(derivative),
    )


def read_moment(connection: sqlite3.Connection, content_hash: str, identifier: str) -> Moment | None:
    query = "SELECT document FROM metadata_moments WHERE hash = ? AND id = ?"
    row = connection.execute(query, (content_hash, identifier)).fetchone()
    return None if row is None else moment_of(row[0])


def save_moment(connection: sqlite3.Connection, moment: Moment) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO metadata_moments (hash, id, created_at, due_at, document) VALUES (?,?,?,?,?)",
        (moment.hash, moment.id, moment.created_at, moment.due_at, moment_document(moment)),
    )


def read_sidecar(connection: sqlite3.Connection, content_hash: str, identifier: str) -> Sidecar | None:
    query = "SELECT document FROM metadata_sidecars WHERE hash = ? AND id = ?"
    row = connection.execute(query, (content_hash, identifier)).fetchone()
    return None if row is None else sidecar_of(row[0])


def save_sidecar(connection: sqlite3.Connection, sidecar: Sidecar) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO metadata_sidecars (hash, id, document) VALUES (?,?,?)",
        (sidecar.hash, sidecar.id, sidecar_document(sidecar)),
    )


def read_export(connection: sqlite3.Connection, content_hash: str, name: str) -> Export | None:
    query = "SELECT document FROM metadata_exports WHERE hash = ? AND name = ?"
    row = connection.execute(query, (content_hash, name)).fetchone()
    return None if row is None else export_of(row[0])


def save_export(connection: sqlite3.Connection, export: Export) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO metadata_exports (hash, name, due_at, document) VALUES (?,?,?,?)",
        (export.hash, export.name, export.due_at, export_document(export)),
    )


def drop_reference(connection: sqlite3.Connection, stored: Original | None, now: float) -> str | None:
    """Take away the reference of a live original and return the hash that lost it; None if there was none."""
    if stored is None or stored.removed:
        return None
    dropped = connection.execute("DELETE FROM metadata_references WHERE hash = ? AND key = ?", (stored.hash, stored.key))
    blob = read_blob(connection, stored.hash)
    if blob is not None:
        save_blob(connection, lost(blob, dropped.rowcount, now))
    return stored.hash
