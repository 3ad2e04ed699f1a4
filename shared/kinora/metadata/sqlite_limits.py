"""Rate limits in SQLite: one row for each client of a route class, in a file of their own that is not synced at every commit.

What a power cut takes from it are the last requests that were counted, which nobody misses.
"""

from __future__ import annotations

import json
from sqlite3 import Row

from kinora.database import Database, Schema
from kinora.metadata.windows import Counted, Quota, allowed, counted_at, expiry, refused, with_one_more

SCHEMA = Schema(
    room="limits",
    version=1,
    statements="""
CREATE TABLE IF NOT EXISTS limits_counted (
    name TEXT NOT NULL,
    window INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    counts TEXT NOT NULL,
    expires REAL NOT NULL,
    PRIMARY KEY (name, window)
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS limits_counted_by_end ON limits_counted (expires);
""",
)


class SqliteRateLimits:
    """`kinora.metadata.base.RateLimits` on SQLite. A refused request writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, name: str, limit: int, window: int, now: float) -> Quota:
        with self._database.write() as connection:
            query = "SELECT newest, counts FROM limits_counted WHERE name = ? AND window = ?"
            counted = counted_at(_counted(connection.execute(query, (name, window)).fetchone()), window, now)
            if counted.total >= limit:
                return refused(counted, limit, window, now)
            after = with_one_more(counted)
            connection.execute("DELETE FROM limits_counted WHERE expires <= ?", (now,))
            connection.execute(
                "INSERT OR REPLACE INTO limits_counted VALUES (?, ?, ?, ?, ?)",
                (name, window, after.newest, json.dumps(after.counts), expiry(after.newest, window)),
            )
            return allowed(after, limit, window, now)


def _counted(row: Row | None) -> Counted:
    if row is None:
        return Counted(0, {})
    return Counted(row["newest"], {int(n): count for n, count in json.loads(row["counts"]).items()})
