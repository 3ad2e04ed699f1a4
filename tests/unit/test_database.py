from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kinora.database import Database, Schema
from kinora.errors import InvalidInput, NoSpace, Unavailable

OPEN_FILES = Path("/proc/self/fd")
TABLES = "CREATE TABLE IF NOT EXISTS notes_all (n INTEGER PRIMARY KEY, text TEXT UNIQUE);"
SCHEMA = Schema("notes", 1, TABLES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "kinora.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(path, SCHEMA, busy_seconds=0.2)
    yield database
    database.close()


def _write(database: Database, text: object) -> None:
    with database.write() as connection:
        connection.execute("INSERT INTO notes_all (text) VALUES (?)", (text,))


def _count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute("SELECT count(*) FROM notes_all").fetchone()[0])


def test_the_file_and_its_folder_are_made_at_the_first_use(database: Database, path: Path) -> None:
    assert not path.parent.exists()
    _write(database, "a")
    assert path.exists()
    database.close()
    assert _count(database) == 1


def test_a_block_that_raises_has_changed_nothing(database: Database) -> None:
    _write(database, "a")
    with pytest.raises(KeyError), database.write() as connection:
        connection.execute("INSERT INTO notes_all (text) VALUES ('b')")
        raise KeyError
    assert _count(database) == 1
    _write(database, "c")
    assert _count(database) == 2


def test_a_reader_sees_one_state(database: Database) -> None:
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM notes_all").fetchone()[0] == 0
        _write(database, "a")
        assert connection.execute("SELECT count(*) FROM notes_all").fetchone()[0] == 0
    assert _count(database) == 1


def test_who_waits_too_long_for_a_writer_is_told_to_come_again(database: Database, path: Path) -> None:
    _write(database, "a")
    with Database(path, SCHEMA).write() as connection:
        connection.execute("INSERT INTO notes_all (text) VALUES ('b')")
        with pytest.raises(Unavailable, match="locked"):
            _write(database, "c")
        assert _count(database) == 1
    _write(database, "c")
    assert _count(database) == 3


def test_a_full_disk_is_no_space_and_passes(path: Path) -> None:
    database = Database(path, replace(SCHEMA, statements=TABLES + "PRAGMA max_page_count = 8;"))
    _write(database, "kept")
    with pytest.raises(NoSpace, match="full"):
        _write(database, "x" * 100_000)
    assert _count(database) == 1
    _write(database, "small")
    assert _count(database) == 2
    database.close()


def test_a_file_that_is_no_database_is_unavailable_and_untouched(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(Unavailable, match="not a database"):
        _count(Database(path, SCHEMA))
    assert path.read_bytes() == b"this is not a database" * 100


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="file"):
        _count(Database(tmp_path / "file" / "kinora.db", SCHEMA))


def test_what_sqlite_cannot_hold_is_invalid_input(database: Database) -> None:
    for value in ("\ud800", 2**63):
        with pytest.raises(InvalidInput):
            _write(database, value)
    assert _count(database) == 0


def test_a_mistake_of_the_caller_is_not_hidden(database: Database) -> None:
    _write(database, "a")
    with pytest.raises(sqlite3.IntegrityError):
        _write(database, "a")
    with pytest.raises(sqlite3.ProgrammingError), database.read() as connection:
        connection.execute("SELECT ?", ())


@pytest.mark.skipif(not OPEN_FILES.exists(), reason="the open files of a process cannot be listed here")
def test_threads_that_come_and_go_share_a_connection(database: Database, path: Path) -> None:
    for n in range(50):
        thread = threading.Thread(target=_write, args=(database, str(n)))
        thread.start()
        thread.join()
    assert _count(database) == 50
    assert [entry.resolve() for entry in OPEN_FILES.iterdir()].count(path) == 1


def test_a_database_that_is_let_go_closes_its_connections(path: Path) -> None:
    database = Database(path, SCHEMA)
    _write(database, "a")
    del database
    gc.collect()
    assert not path.with_name("kinora.db-wal").exists()


def test_a_forked_child_uses_connections_of_its_own(path: Path) -> None:
    code = f"""
import os, sys, warnings
from pathlib import Path
from kinora.database import Database, Schema
database = Database(Path(sys.argv[1]), {SCHEMA!r})
def write(text):
    with database.write() as connection:
        connection.execute("INSERT INTO notes_all (text) VALUES (?)", (text,))
write("parent")
child = os.fork()
write("child" if child == 0 else "parent again")
database.close()
if child:
    assert os.waitpid(child, 0)[1] == 0
    write("parent at last")
    database.close()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(path)], check=True, timeout=60)
    database = Database(path, SCHEMA)
    assert _count(database) == 4
    with database.read() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    database.close()


def test_tables_of_another_version_are_refused_in_words_and_left_alone(database: Database, path: Path) -> None:
    _write(database, "kept")
    for other in (replace(SCHEMA, version=2), replace(SCHEMA, version=0)):
        with pytest.raises(Unavailable, match="notes_… have version 1, not") as caught:
            _count(Database(path, other))
        assert "kinora.db was made by another version of Kinora" in caught.value.public_message
    assert _count(database) == 1
    assert _count(Database(path, SCHEMA)) == 1


def test_tables_from_before_there_were_versions_are_refused(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES)
    with pytest.raises(Unavailable, match="version None"):
        _count(Database(path, SCHEMA))


def test_rooms_of_one_file_have_versions_of_their_own(database: Database, path: Path) -> None:
    _write(database, "a")
    books = Database(path, Schema("books", 7, "CREATE TABLE IF NOT EXISTS books_all (n INTEGER)"))
    with books.write() as connection:
        connection.execute("INSERT INTO books_all VALUES (1)")
    books.close()
    assert _count(Database(path, SCHEMA)) == 1


def test_a_new_table_of_the_same_version_is_made_in_an_old_file(database: Database, path: Path) -> None:
    _write(database, "a")
    later = Database(path, replace(SCHEMA, statements=TABLES + "CREATE TABLE IF NOT EXISTS notes_tags (n INTEGER);"))
    with later.write() as connection:
        connection.execute("INSERT INTO notes_tags SELECT n FROM notes_all")
    assert _count(later) == 1
    later.close()


def test_a_creation_that_was_killed_is_finished_at_the_next_opening(path: Path) -> None:
    path.parent.mkdir()
    broken = replace(SCHEMA, statements=TABLES + "CREATE TABLE nonsense;")
    with pytest.raises(Unavailable):
        _count(Database(path, broken))
    with pytest.raises(Unavailable):
        _count(Database(path, replace(SCHEMA, statements="CREATE TABLE nonsense;")))
    assert _count(Database(path, SCHEMA)) == 0
