"""Queues in the local database, behaving as Amazon SQS does: at least once, hidden while in work, dead letters.

Sending is called by the pipeline, receiving by local mode. Every verb is one short transaction, so a process that is
killed leaves its messages in the queue, to be seen again after the visibility timeout.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kinora.database import Database, Schema
from kinora.queues.base import Message, QueueBacklog, QueueDepth, QueueName, QueueSpec
from kinora.queues.bodies import check_timeout, encoded
from kinora.settings import Settings

_SCHEMA = Schema(
    room="queue",
    version=1,
    statements="""
CREATE TABLE IF NOT EXISTS queue_specs (
    name TEXT PRIMARY KEY,
    visibility_timeout INTEGER NOT NULL,
    retention INTEGER NOT NULL,
    max_receive_count INTEGER,
    dead_letter_queue TEXT
);
CREATE TABLE IF NOT EXISTS queue_messages (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    sent_at REAL NOT NULL,
    visible_at REAL NOT NULL,
    receipt TEXT,
    receive_count INTEGER NOT NULL DEFAULT 0,
    forgiven INTEGER NOT NULL DEFAULT 0,
    first_received_at REAL
);
CREATE INDEX IF NOT EXISTS queue_messages_by_turn ON queue_messages (queue, visible_at, position);
CREATE UNIQUE INDEX IF NOT EXISTS queue_messages_by_receipt ON queue_messages (receipt) WHERE receipt IS NOT NULL;
""",
)
MOST_FORGIVEN = 10  # receives of one message that end because its receiver was killed, before they count as its own fault


class SqliteQueues:
    """QueueSender and QueueReceiver on one SQLite file. `clock` returns seconds since the Unix epoch.

    Messages take their turn by the moment at which they became visible, so that one which keeps failing waits behind
    those that were there before it came back.
    """

    def __init__(self, path: Path, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(path, _SCHEMA)
        self._names = {
            QueueName.IMAGE: settings.image_queue,
            QueueName.PREPARE: settings.prepare_queue,
            QueueName.ENCODE: settings.encode_queue,
            QueueName.WEBHOOK: settings.webhook_queue,
        }
        self._clock = clock

    def declare(self, spec: QueueSpec) -> None:
        """Store the numbers of a queue, replacing earlier ones. A queue nobody declared has QueueSpec's defaults."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO queue_specs VALUES (?, ?, ?, ?, ?)",
                (spec.name, spec.visibility_timeout, spec.retention, spec.max_receive_count, spec.dead_letter_queue),
            )

    def send(self, queue: QueueName, bodies: Sequence[Mapping[str, object]], *, delay: int = 0) -> None:
        """As in QueueSender; here all bodies are sent or none. Raises InvalidInput, LimitExceeded, NoSpace, Unavailable."""
        name, now = self._names[queue], self._clock()
        rows = [(name, str(uuid.uuid4()), text, now, now + delay) for text in encoded(bodies, delay)]
        if rows:
            with self._database.write() as connection:
                connection.executemany(
                    "INSERT INTO queue_messages (queue, id, body, sent_at, visible_at) VALUES (?, ?, ?, ?, ?)", rows
                )

    def send_to(self, queue: str, body: str) -> None:
        """Put a message with any text into a queue by its own name, as Lambda does with its failure records.
        Raises NoSpace, Unavailable."""
        now = self._clock()
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO queue_messages (queue, id, body, sent_at, visible_at) VALUES (?, ?, ?, ?, ?)",
                (queue, str(uuid.uuid4()), body, now, now),
            )

    def release_all(self, *, forgive: bool = False) -> int:
        """Make every message that was in work visible again, at its old place, and return how many there were.

        Only for the one owner of the file, while nobody works: after a restart nobody will acknowledge them any more.
        The unfinished receive is taken off their count: always with `forgive`, else as `give_back` does. Raises Unavailable.
        """
        now = self._clock()
        with self._database.write() as connection:
            done = connection.execute(
                "UPDATE queue_messages SET visible_at = min(sent_at, :now), receipt = NULL,"
                " receive_count = receive_count - (:forgive OR forgiven < :most), forgiven = forgiven + (NOT :forgive)"
                " WHERE receipt IS NOT NULL AND visible_at > :now",
                {"now": now, "forgive": forgive, "most": MOST_FORGIVEN},
            )
        return done.rowcount

    def receive(self, queue: str, limit: int = 1) -> tuple[Message, ...]:
        """As in QueueReceiver. Looking into an empty queue takes no lock. Raises NoSpace, Unavailable."""
        with self._database.read() as connection:
            if _oldest_visible(connection, queue, self._clock()) is None:
                return ()
        received: list[Message] = []
        with self._database.write() as connection:
            spec, now = _spec(connection, queue), self._clock()
            while len(received) < limit and (row := _oldest_visible(connection, queue, now)) is not None:
                if row["sent_at"] <= now - spec.retention:
                    connection.execute("DELETE FROM queue_messages WHERE position = ?", (row["position"],))
                elif _is_exhausted(row, spec):
                    _move_to_dead_letters(connection, row, spec, now)
                else:
                    received.append(_hide(connection, row, spec, now))
        return tuple(received)

    def delete(self, queue: str, receipt: str) -> bool:
        """As in QueueReceiver. Raises Unavailable."""
        with self._database.write() as connection:
            done = connection.execute("DELETE FROM queue_messages WHERE queue = ? AND receipt = ?", (queue, receipt))
        return done.rowcount == 1

    def change_visibility(self, queue: str, receipt: str, timeout: int) -> bool:
        """As in QueueReceiver; False also for a message that is visible again. Raises InvalidInput, Unavailable."""
        now = self._clock()
        visible_at = now + check_timeout(timeout)
        with self._database.write() as connection:
            done = connection.execute(
                "UPDATE queue_messages SET visible_at = ? WHERE queue = ? AND receipt = ? AND visible_at > ?",
                (visible_at, queue, receipt, now),
            )
        return done.rowcount == 1

    def give_back(self, queue: str, receipt: str, timeout: int) -> bool:
        """As `change_visibility`, and take this receive off the message's count: who had it was killed, which is not the
        message's fault. After MOST_FORGIVEN times it is believed to be. Raises InvalidInput, Unavailable."""
        now = self._clock()
        visible_at = now + check_timeout(timeout)
        with self._database.write() as connection:
            done = connection.execute(
                "UPDATE queue_messages SET visible_at = ?, receive_count = receive_count - (forgiven < ?),"
                " forgiven = forgiven + 1, receipt = NULL WHERE queue = ? AND receipt = ? AND visible_at > ?",
                (visible_at, MOST_FORGIVEN, queue, receipt, now),
            )
        return done.rowcount == 1

    def depth(self, queue: str) -> QueueDepth:
        """As in QueueReceiver. Raises Unavailable."""
        now = self._clock()
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT count(*) FILTER (WHERE visible_at <= :now),"
                " count(*) FILTER (WHERE visible_at > :now AND receipt IS NOT NULL),"
                " count(*) FILTER (WHERE visible_at > :now AND receipt IS NULL)"
                " FROM queue_messages WHERE queue = :queue AND sent_at > :oldest",
                {"now": now, "queue": queue, "oldest": now - _spec(connection, queue).retention},
            ).fetchone()
        return QueueDepth(*row)

    def check(self) -> None:
        """As in QueueSender."""
        with self._database.read() as connection:
            connection.execute("SELECT 1 FROM queue_messages LIMIT 1").fetchone()

    def backlog(self) -> tuple[QueueBacklog, ...]:
        """As in Backlog."""
        now = self._clock()
        with self._database.read() as connection:
            oldest = dict(connection.execute("SELECT queue, min(sent_at) FROM queue_messages GROUP BY queue").fetchall())
            declared = [row["name"] for row in connection.execute("SELECT name FROM queue_specs")]
        queues = sorted({*declared, *oldest})
        return tuple(QueueBacklog(one, self.depth(one), max(0.0, now - oldest.get(one, now))) for one in queues)

    def peek(self, queue: str, limit: int = 10) -> tuple[Message, ...]:
        """Up to `limit` messages of the queue, oldest first, without receiving them: their receipts are empty.

        For reading dead letters; `receive_count` says how often a message was tried. Raises Unavailable.
        """
        with self._database.read() as connection:
            oldest = self._clock() - _spec(connection, queue).retention
            rows = connection.execute(
                "SELECT * FROM queue_messages WHERE queue = ? AND sent_at > ? ORDER BY sent_at, position LIMIT ?",
                (queue, oldest, limit),
            ).fetchall()
        return tuple(_message(row, "", row["receive_count"], row["first_received_at"] or 0.0) for row in rows)

    def close(self) -> None:
        """Close the connections to the file; a later call opens them again."""
        self._database.close()


def _spec(connection: sqlite3.Connection, queue: str) -> QueueSpec:
    row = connection.execute(
        "SELECT name, visibility_timeout, retention, max_receive_count, dead_letter_queue FROM queue_specs WHERE name = ?",
        (queue,),
    ).fetchone()
    return QueueSpec(queue) if row is None else QueueSpec(*row)


def _oldest_visible(connection: sqlite3.Connection, queue: str, now: float) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM queue_messages WHERE queue = ? AND visible_at <= ? ORDER BY visible_at, position LIMIT 1",
        (queue, now),
    ).fetchone()
    return row


def _is_exhausted(row: sqlite3.Row, spec: QueueSpec) -> bool:
    if spec.max_receive_count is None or spec.dead_letter_queue is None:
        return False
    return bool(row["receive_count"] >= spec.max_receive_count)


def _move_to_dead_letters(connection: sqlite3.Connection, row: sqlite3.Row, spec: QueueSpec, now: float) -> None:
    connection.execute(
        "UPDATE queue_messages SET queue = ?, visible_at = ?, receipt = NULL WHERE position = ?",
        (spec.dead_letter_queue, now, row["position"]),
    )


def _hide(connection: sqlite3.Connection, row: sqlite3.Row, spec: QueueSpec, now: float) -> Message:
    receipt = secrets.token_urlsafe(24)
    first_received_at = row["first_received_at"] or now
    connection.execute(
        "UPDATE queue_messages SET visible_at = ?, receipt = ?, receive_count = receive_count + 1, first_received_at = ?"
        " WHERE position = ?",
        (now + spec.visibility_timeout, receipt, first_received_at, row["position"]),
    )
    return _message(row, receipt, row["receive_count"] + 1, first_received_at)


def _message(row: sqlite3.Row, receipt: str, receive_count: int, first_received_at: float) -> Message:
    return Message(row["id"], receipt, row["body"], receive_count, row["sent_at"], first_received_at)
