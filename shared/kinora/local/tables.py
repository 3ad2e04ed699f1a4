"""Local mode's own tables in kinora.db: known files, asynchronous invocations, schedules. Opened once for each process."""

from __future__ import annotations

from pathlib import Path

from kinora.database import Database, Schema

_SCHEMA = Schema(
    room="local",
    version=1,
    statements="""
CREATE TABLE IF NOT EXISTS local_files (
    key TEXT PRIMARY KEY,
    signature TEXT NOT NULL,
    sequencer TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS local_sequence (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS local_invocations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    function TEXT NOT NULL,
    subject TEXT NOT NULL,
    event TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    due_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS local_invocations_by_turn ON local_invocations (due_at, id);
CREATE INDEX IF NOT EXISTS local_invocations_by_subject ON local_invocations (subject);
CREATE TABLE IF NOT EXISTS local_schedules (
    name TEXT PRIMARY KEY,
    due_at REAL NOT NULL
);
""",
)


def open_tables(database: Path) -> Database:
    """The file `kinora.db` with the tables `local_…`, made where they are missing."""
    return Database(database, _SCHEMA)
