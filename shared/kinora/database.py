"""The SQLite file of local mode: connections, transactions, and Kinora's errors for what SQLite reports.

Called by drivers that share the one file, each with tables of its own. Never knows what a table means.
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kinora.errors import InvalidInput, NoSpace, Unavailable

BUSY_SECONDS = 30.0
COUNTS_FILE = "counts.db"  # beside the one file: what may be lost in a power cut
COUNTS_BUSY_SECONDS = 2.0  # whoever is counted does not wait for it longer


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one room, whose names all begin with `{room}_`.

    `statements` make what is missing and change nothing that is there. `version` rises with every change that does not fit
    into tables made before: another column, another meaning of one. A new table or index is no such change.
    """

    room: str
    version: int
    statements: str


_VERSIONS = "CREATE TABLE IF NOT EXISTS schema_versions (room TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"


class Database:
    """One SQLite file in WAL mode with the tables of `schema`, for any number of threads and processes.

    A connection is lent to one user at a time and kept for the next. They are closed by `close`, at exit, when this object
    goes, and before a fork: with an inherited one, SQLite believes that the child holds its parent's locks, and the file
    ends up damaged. So nobody may fork while a block is open.
    """

    def __init__(self, path: Path, schema: Schema, *, busy_seconds: float = BUSY_SECONDS, durable: bool = True) -> None:
        """Without `durable` a commit is not synced: a power cut may take the last ones back, a killed process does not."""
        self._path = path
        self._schema = schema
        self._busy_seconds = busy_seconds
        self._durable = durable
        self._idle: list[sqlite3.Connection] = []
        self._finalizer = weakref.finalize(self, _close_all, self._idle)
        _databases.add(self)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent snapshot, which neither waits for writers nor holds them up. Raises Unavailable."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction that nobody else writes beside: on disk when the block ends, undone when it raises.

        Raises NoSpace; InvalidInput for text or numbers that SQLite cannot hold; Unavailable also where others hold the
        file for longer than `busy_seconds`.
        """
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        """Close this process's connections that are not in use; the next use opens new ones."""
        _close_all(self._idle)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with _kinora_errors(self._path):
            connection = self._borrow()
            try:
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                self._give_back(connection)

    def _borrow(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.close()
        else:
            self._idle.append(connection)

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"the folder of {self._path}: {error}") from error
        connection = sqlite3.connect(self._path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            self._use_wal(connection)
            # NORMAL would lose acknowledged changes in a power cut
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            connection.execute("PRAGMA foreign_keys = ON")
            self._check_version(connection)
            connection.executescript(self._schema.statements)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_version(self, connection: sqlite3.Connection) -> None:
        """The version is written before the first table is made: tables without one come from before there were versions."""
        schema = self._schema
        connection.execute(_VERSIONS)
        prefix = f"{schema.room}_*"
        found = connection.execute(
            "SELECT (SELECT version FROM schema_versions WHERE room = ?),"
            " EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name GLOB ?)",
            (schema.room, prefix),
        ).fetchone()
        if found[0] is None and not found[1]:
            connection.execute("INSERT OR IGNORE INTO schema_versions VALUES (?, ?)", (schema.room, schema.version))
        elif found[0] != schema.version:
            raise _made_by_another_version(self._path, schema, found[0])

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """SQLite does not wait for a process that switches the same new file at this moment, so this does."""
        give_up = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(0.01)
            else:
                return


def _made_by_another_version(path: Path, schema: Schema, found: int | None) -> Unavailable:
    """It may pass: the version that made the file can be started again, and messages wait for it."""
    return Unavailable(
        f"{path}: the tables {schema.room}_… have version {found}, not {schema.version}",
        public_message=f"{path.name} was made by another version of Kinora. Go on with that version, or stop Kinora and move "
        f"{path.name}* out of the data folder: the originals in it are then taken in again.",
    )


@contextmanager
def _kinora_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.DatabaseError as error:
        full = getattr(error, "sqlite_errorcode", 0) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
        raise (NoSpace if full else Unavailable)(f"{path}: {error}") from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise InvalidInput(f"SQLite cannot store a value: {error}") from error


def _roll_back(connection: sqlite3.Connection) -> None:
    """Undo, unless SQLite has done so itself or cannot: closing the connection does it then."""
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _close_all(idle: list[sqlite3.Connection]) -> None:
    while idle:
        idle.pop().close()


_databases: weakref.WeakSet[Database] = weakref.WeakSet()


def _close_every_database() -> None:
    for database in list(_databases):
        database.close()


os.register_at_fork(before=_close_every_database)
