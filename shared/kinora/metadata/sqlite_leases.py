"""Leases in SQLite: a row for each name that is held. Rows whose time has passed go with the next claim."""

from __future__ import annotations

from kinora.database import Database


class SqliteLeases:
    """`kinora.metadata.base.Leases` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, owner: str, until: float, now: float) -> bool:
        with self._database.write() as connection:
            connection.execute("DELETE FROM metadata_leases WHERE until <= ?", (now,))
            claimed = connection.execute(
                "INSERT INTO metadata_leases (name, owner, until) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET until = excluded.until WHERE owner = excluded.owner",
                (name, owner, until),
            )
            return claimed.rowcount == 1

    def release(self, name: str, owner: str) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM metadata_leases WHERE name = ? AND owner = ?", (name, owner))
