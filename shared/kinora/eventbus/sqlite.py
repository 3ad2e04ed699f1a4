"""The event feed in the local database: what EventBridge would deliver, kept for a week and read by position.

Published to by the notify use case only; read by whoever follows the feed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kinora.database import Database, Schema
from kinora.model import Event

KEEP_SECONDS = 7 * 86_400
_SCHEMA = Schema(
    room="bus",
    version=1,
    statements="""
CREATE TABLE IF NOT EXISTS bus_events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    time REAL NOT NULL,
    data TEXT NOT NULL,
    published_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS bus_events_by_age ON bus_events (published_at);
""",
)


class SqliteEventBus:
    """EventBus and EventFeed on one SQLite file. `clock` returns seconds since the Unix epoch."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(path, _SCHEMA)
        self._clock = clock

    def publish(self, events: Sequence[Event]) -> None:
        """As in EventBus; an id that is in the feed keeps its place. All or none. Raises NoSpace, Unavailable."""
        now = self._clock()
        rows = [(event.id, event.type, event.time, json.dumps(dict(event.data)), now) for event in events]
        with self._database.write() as connection:
            connection.execute("DELETE FROM bus_events WHERE published_at < ?", (now - KEEP_SECONDS,))
            connection.executemany(
                "INSERT OR IGNORE INTO bus_events (id, type, time, data, published_at) VALUES (?, ?, ?, ?, ?)", rows
            )

    def after(self, position: int, limit: int = 100) -> tuple[tuple[int, Event], ...]:
        """`(position, event)` of up to `limit` events published after `position` (0: from the beginning), in order.

        Events leave the feed a week after they were published. Raises Unavailable.
        """
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT * FROM bus_events WHERE position > ? ORDER BY position LIMIT ?", (position, limit)
            ).fetchall()
        return tuple((row["position"], Event(row["id"], row["type"], row["time"], json.loads(row["data"]))) for row in rows)

    def latest(self) -> int:
        """As in EventFeed; also after the event has left the feed."""
        with self._database.read() as connection:
            row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'bus_events'").fetchone()
        return 0 if row is None else int(row[0])

    def close(self) -> None:
        """Close the connections to the file; a later call opens them again."""
        self._database.close()
