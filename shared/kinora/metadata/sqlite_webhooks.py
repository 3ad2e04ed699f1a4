"""Webhooks and their deliveries in SQLite. Deliveries whose time is over go whenever one is added."""

from __future__ import annotations

import math
import sqlite3

from kinora.database import Database
from kinora.metadata.cursors import check_limit, decode_cursor, encode_cursor
from kinora.metadata.webhooks import (
    delivery_document,
    delivery_of,
    expiry_of,
    next_delivery,
    next_webhook,
    webhook_document,
    webhook_of,
)
from kinora.model import Delivery, Page, Webhook


class SqliteWebhooks:
    """`kinora.metadata.base.Webhooks` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save_webhook(self, webhook: Webhook) -> Webhook:
        with self._database.write() as connection:
            saved = next_webhook(webhook, _webhook(connection, webhook.id))
            connection.execute(
                "INSERT OR REPLACE INTO metadata_webhooks (id, created_at, document) VALUES (?, ?, ?)",
                (saved.id, saved.created_at, webhook_document(saved)),
            )
            return saved

    def webhook(self, identifier: str) -> Webhook | None:
        with self._database.read() as connection:
            return _webhook(connection, identifier)

    def webhooks(self) -> tuple[Webhook, ...]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT document FROM metadata_webhooks ORDER BY created_at, id").fetchall()
        return tuple(webhook_of(row[0]) for row in rows)

    def remove_webhook(self, identifier: str) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM metadata_webhooks WHERE id = ?", (identifier,))
            connection.execute("DELETE FROM metadata_deliveries WHERE webhook = ?", (identifier,))

    def add_delivery(self, delivery: Delivery) -> Delivery:
        with self._database.write() as connection:
            stored = _delivery(connection, delivery.webhook, delivery.id)
            if stored is not None:
                return stored
            connection.execute("DELETE FROM metadata_deliveries WHERE expires_at <= ?", (delivery.started_at,))
            added = next_delivery(delivery, None)
            _save(connection, added)
            return added

    def save_delivery(self, delivery: Delivery) -> Delivery:
        with self._database.write() as connection:
            saved = next_delivery(delivery, _delivery(connection, delivery.webhook, delivery.id))
            _save(connection, saved)
            return saved

    def delivery(self, webhook: str, identifier: str) -> Delivery | None:
        with self._database.read() as connection:
            return _delivery(connection, webhook, identifier)

    def deliveries(self, webhook: str, *, cursor: str | None = None, limit: int = 50) -> Page[Delivery]:
        place = (math.inf, "") if cursor is None else decode_cursor(cursor)
        query = (
            "SELECT document FROM metadata_deliveries WHERE webhook = ? AND (created_at, id) < (?, ?)"
            " ORDER BY created_at DESC, id DESC LIMIT ?"
        )
        with self._database.read() as connection:
            rows = connection.execute(query, (webhook, *place, check_limit(limit) + 1)).fetchall()
        items = tuple(delivery_of(row[0]) for row in rows[:limit])
        return Page(items, encode_cursor(items[-1].created_at, items[-1].id) if len(rows) > limit else None)


def _webhook(connection: sqlite3.Connection, identifier: str) -> Webhook | None:
    row = connection.execute("SELECT document FROM metadata_webhooks WHERE id = ?", (identifier,)).fetchone()
    return None if row is None else webhook_of(row[0])


def _delivery(connection: sqlite3.Connection, webhook: str, identifier: str) -> Delivery | None:
    query = "SELECT document FROM metadata_deliveries WHERE webhook = ? AND id = ?"
    row = connection.execute(query, (webhook, identifier)).fetchone()
    return None if row is None else delivery_of(row[0])


def _save(connection: sqlite3.Connection, delivery: Delivery) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO metadata_deliveries (webhook, id, created_at, expires_at, document) VALUES (?, ?, ?, ?, ?)",
        (delivery.webhook, delivery.id, delivery.created_at, expiry_of(delivery), delivery_document(delivery)),
    )
