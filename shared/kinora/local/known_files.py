"""Which files of the source scope have been told about: an S3 event and the note that it was sent are one transaction.

Written by the watcher of the instance that owns the data folder; read by `kinora put` of any process.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from kinora.database import Database
from kinora.events import ObjectEvent, s3_event
from kinora.local.invocations import add_invocation
from kinora.local.plan import S3Trigger

CREATED = "ObjectCreated:Put"
CREATED_OF_PARTS = "ObjectCreated:CompleteMultipartUpload"
REMOVED = "ObjectRemoved:Delete"


class KnownFiles:
    """The table, and the notifications that the bucket's triggers ask for. A signature changes with every change of a file."""

    def __init__(self, database: Database, triggers: Sequence[S3Trigger]) -> None:
        self._database = database
        self._triggers = triggers

    def all(self) -> dict[str, str]:
        """Signature by key."""
        with self._database.read() as connection:
            return {row["key"]: row["signature"] for row in connection.execute("SELECT key, signature FROM local_files")}

    def signature(self, key: str) -> str | None:
        with self._database.read() as connection:
            row = connection.execute("SELECT signature FROM local_files WHERE key = ?", (key,)).fetchone()
        return row["signature"] if row is not None else None

    def created(self, key: str, signature: str, *, size: int, etag: str, name: str = CREATED) -> None:
        """A file is new or was changed, and is complete. `name` is S3's for how it came."""
        with self._database.write() as connection:
            sequencer = _next_sequencer(connection)
            connection.execute("INSERT OR REPLACE INTO local_files VALUES (?, ?, ?)", (key, signature, sequencer))
            self._notify(connection, name, key, sequencer, size=size, etag=etag)

    def removed(self, key: str) -> None:
        """A known file is gone."""
        with self._database.write() as connection:
            sequencer = _next_sequencer(connection)
            connection.execute("DELETE FROM local_files WHERE key = ?", (key,))
            self._notify(connection, REMOVED, key, sequencer)

    def _notify(
        self,
        connection: sqlite3.Connection,
        name: str,
        key: str,
        sequencer: str,
        *,
        size: int | None = None,
        etag: str | None = None,
    ) -> None:
        for trigger in self._triggers:
            if trigger.matches(name, key):
                event = ObjectEvent(
                    created=name != REMOVED,
                    name=name,
                    bucket=trigger.bucket,
                    key=key,
                    size=size,
                    etag=etag,
                    sequencer=sequencer,
                    version=None,
                    time=time.time(),
                )
                add_invocation(connection, trigger.function, key, s3_event(event))


def _next_sequencer(connection: sqlite3.Connection) -> str:
    """16 hex digits that grow with every event, even when the clock is set back."""
    row = connection.execute(
        "INSERT INTO local_sequence VALUES (1, :now) ON CONFLICT (one) DO UPDATE SET last = max(last + 1, :now) RETURNING last",
        {"now": time.time_ns()},
    ).fetchone()
    return f"{row['last']:016X}"
