"""Wrapped content keys in SQLite: every verb is one transaction of `kinora.database.Database`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, replace
from typing import Any

from kinora.database import Database
from kinora.errors import AlreadyExists, NotFound, StaleState
from kinora.model import ContentKey

_PAGE = 100
_SELECT = "SELECT key_id, hash, revision, wrapped, nonce, kek_version, created_at, revoked FROM metadata_content_keys "


class SqliteContentKeys:
    """`kinora.metadata.base.ContentKeys` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, key: ContentKey) -> None:
        with self._database.write() as connection:
            created = connection.execute(
                "INSERT INTO metadata_content_keys"
                " (key_id, hash, revision, wrapped, nonce, kek_version, created_at, revoked)"
                " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                astuple(key),
            )
            if created.rowcount == 0:
                raise AlreadyExists(f"content key {key.key_id} or revision {key.revision} of {key.hash}")

    def get(self, key_id: str) -> ContentKey:
        with self._database.read() as connection:
            return _get(connection, key_id)

    def list(self, content_hash: str) -> tuple[ContentKey, ...]:
        with self._database.read() as connection:
            rows = connection.execute(_SELECT + "WHERE hash = ? ORDER BY revision", (content_hash,)).fetchall()
        return tuple(_key_of(row) for row in rows)

    def all(self) -> Iterator[ContentKey]:
        after = ""
        while True:
            with self._database.read() as connection:
                rows = connection.execute(_SELECT + "WHERE key_id > ? ORDER BY key_id LIMIT ?", (after, _PAGE)).fetchall()
            keys = [_key_of(row) for row in rows]
            yield from keys
            if len(keys) < _PAGE:
                return
            after = keys[-1].key_id

    def rewrap(self, key: ContentKey, expected_kek_version: str) -> None:
        with self._database.write() as connection:
            stored = _get(connection, key.key_id)
            if stored.kek_version != expected_kek_version:
                raise StaleState(f"content key {key.key_id} is wrapped by {stored.kek_version}")
            connection.execute(
                "UPDATE metadata_content_keys SET (wrapped, nonce, kek_version) = (?, ?, ?) WHERE key_id = ?",
                (key.wrapped, key.nonce, key.kek_version, key.key_id),
            )

    def delete(self, content_hash: str) -> int:
        with self._database.write() as connection:
            return connection.execute("DELETE FROM metadata_content_keys WHERE hash = ?", (content_hash,)).rowcount


def _get(connection: sqlite3.Connection, key_id: str) -> ContentKey:
    row = connection.execute(_SELECT + "WHERE key_id = ?", (key_id,)).fetchone()
    if row is None:
        raise NotFound(f"no content key {key_id}")
    return _key_of(row)


def _key_of(row: Iterable[Any]) -> ContentKey:
    key = ContentKey(*row)
    return replace(key, revoked=bool(key.revoked))
