"""Asynchronous invocations that wait in the database until they have succeeded, as Lambda's own event queue keeps them.

Added by the watcher in the transaction that notes the file; taken by the dispatcher. `kill -9` loses none.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from kinora.database import Database


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event for one function; `failures` counts the attempts that failed, `subject` is the object key it is about."""

    id: int
    function: str
    subject: str
    event: Mapping[str, Any]
    failures: int
    created_at: float


def add_invocation(connection: sqlite3.Connection, function: str, subject: str, event: Mapping[str, Any]) -> None:
    """Let `function` be invoked with `event` once the caller's transaction is committed."""
    now = time.time()
    connection.execute(
        "INSERT INTO local_invocations (function, subject, event, created_at, due_at) VALUES (?, ?, ?, ?, ?)",
        (function, subject, json.dumps(event), now, now),
    )


class Invocations:
    """The table. Which invocations are under way is the caller's knowledge, so that it dies with the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, under_way: Collection[int], *, shuffled: bool = False) -> Invocation | None:
        """The invocation whose turn it is, none of those `under_way`; any of them if `shuffled`."""
        order = "random()" if shuffled else "due_at, id"
        marks = ",".join("?" * len(under_way))
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT * FROM local_invocations WHERE due_at <= ? AND id NOT IN ({marks}) ORDER BY {order} LIMIT 1",  # noqa: S608 - marks only
                (time.time(), *under_way),
            ).fetchone()
        return _invocation(row) if row is not None else None

    def waiting(self, subject: str) -> bool:
        """Whether any invocation about `subject` has not ended."""
        with self._database.read() as connection:
            row = connection.execute("SELECT 1 FROM local_invocations WHERE subject = ? LIMIT 1", (subject,)).fetchone()
        return row is not None

    def remove(self, identifier: int) -> None:
        """It succeeded or was given up."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM local_invocations WHERE id = ?", (identifier,))

    def postpone(self, identifier: int, seconds: float, *, failures: int = 1) -> None:
        """It is tried again after `seconds`, as one that has failed `failures` times more."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE local_invocations SET failures = failures + ?, due_at = ? WHERE id = ?",
                (failures, time.time() + seconds, identifier),
            )


def _invocation(row: sqlite3.Row) -> Invocation:
    event = json.loads(row["event"])
    return Invocation(row["id"], row["function"], row["subject"], event, row["failures"], row["created_at"])
