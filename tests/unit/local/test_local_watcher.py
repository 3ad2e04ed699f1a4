"""The watcher: what lands in the source folder becomes S3 events once, when it is complete, across restarts too."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinora.database import Database
from kinora.events import ObjectEvent, object_events
from kinora.local.invocations import Invocations
from kinora.local.known_files import KnownFiles
from kinora.local.plan import S3Trigger
from kinora.local.source_folder import is_being_written
from kinora.local.tables import open_tables
from kinora.local.watcher import Watcher
from kinora.model import Scope
from kinora.storage.filesystem import FilesystemStorage
from kinora.upload_names import is_unfinished
from tests.unit.local.small_stack import wait_until

TRIGGER = S3Trigger("IngestFunction", "source", ("s3:ObjectCreated:*", "s3:ObjectRemoved:*"), "uploads/")


class Watched:
    """A source folder under watch, and the events that came of it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "source"
        self.uploads = self.root / "uploads"
        self.uploads.mkdir(parents=True)
        self.storage = FilesystemStorage({Scope.SOURCE: self.root})
        self.tables: Database = open_tables(folder / "kinora.db")
        self.watcher: Watcher | None = None

    def start(self) -> None:
        joined = self.storage.multipart
        known = KnownFiles(self.tables, [TRIGGER])
        self.watcher = Watcher(self.root, self.storage, known, lambda etag: joined.was_joined(Scope.SOURCE, etag))
        self.watcher.start()

    def stop(self) -> None:
        if self.watcher is not None:
            self.watcher.stop()
            self.watcher = None

    def events(self) -> list[ObjectEvent]:
        """All events so far, in their order."""
        table, taken = Invocations(self.tables), []
        while (one := table.due([invocation.id for invocation in taken])) is not None:
            taken.append(one)
        return [event for one in taken for event in object_events(one.event)]

    def told(self) -> list[tuple[str, str]]:
        return [(event.name.split(":")[0], event.key) for event in self.events()]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    one = Watched(tmp_path)
    yield one
    one.stop()
    one.tables.close()


def test_what_was_uploaded_in_parts_is_told_about_once_and_as_s3_does(watched: Watched) -> None:
    watched.start()
    uploads, key = watched.storage.multipart, "uploads/film.mov"
    upload = uploads.create(Scope.SOURCE, key)
    part = uploads.put_part(Scope.SOURCE, key, upload, 1, b"12345")
    time.sleep(0.5)
    assert watched.events() == []
    info = uploads.complete(Scope.SOURCE, key, upload, [(1, part.etag)], max_bytes=10)
    uploads.complete(Scope.SOURCE, key, upload, [(1, part.etag)], max_bytes=10)
    (watched.uploads / "whole.jpg").write_bytes(b"x")
    wait_until(lambda: len(watched.events()) == 2)
    told = {event.key: (event.name, event.size, event.etag) for event in watched.events()}
    assert told[key] == ("ObjectCreated:CompleteMultipartUpload", 5, info.etag)
    assert told["uploads/whole.jpg"][0] == "ObjectCreated:Put"


def test_a_file_is_told_about_within_a_second(watched: Watched) -> None:
    watched.start()
    time.sleep(0.3)
    begun = time.monotonic()
    (watched.uploads / "Ünï côde + 100% 日本.JPG").write_bytes(b"12345")
    wait_until(watched.told)
    assert time.monotonic() - begun < 1.0
    (event,) = watched.events()
    info = watched.storage.head(Scope.SOURCE, event.key)
    assert (event.name, event.key, event.bucket) == ("ObjectCreated:Put", "uploads/Ünï côde + 100% 日本.JPG", "source")
    assert (event.size, event.etag) == (info.size, info.etag)
    assert len(event.sequencer) == 16


def test_folders_that_come_as_a_whole(watched: Watched, tmp_path: Path) -> None:
    watched.start()
    tree = tmp_path / "album" / "deep"
    tree.mkdir(parents=True)
    (tree / "a.jpg").write_bytes(b"a")
    (tmp_path / "album" / "b.jpg").write_bytes(b"b")
    (tmp_path / "album").rename(watched.uploads / "album")
    wait_until(lambda: len(watched.told()) == 2)
    assert sorted(watched.told()) == [("ObjectCreated", "uploads/album/b.jpg"), ("ObjectCreated", "uploads/album/deep/a.jpg")]
    shutil.rmtree(watched.uploads / "album")
    wait_until(lambda: len(watched.told()) == 4)
    assert {name for name, _ in watched.told()[2:]} == {"ObjectRemoved"}


def test_changed_moved_and_removed_files(watched: Watched) -> None:
    watched.start()
    file = watched.uploads / "a.jpg"
    file.write_bytes(b"first")
    wait_until(lambda: len(watched.told()) == 1)
    file.write_bytes(b"second!")
    wait_until(lambda: len(watched.told()) == 2)
    file.rename(watched.uploads / "b.jpg")
    wait_until(lambda: len(watched.told()) == 4)
    (watched.uploads / "b.jpg").unlink()
    wait_until(lambda: len(watched.told()) == 5)
    created, changed, *moved, removed = watched.told()
    assert created == changed == ("ObjectCreated", "uploads/a.jpg")
    assert sorted(moved) == [("ObjectCreated", "uploads/b.jpg"), ("ObjectRemoved", "uploads/a.jpg")]
    assert removed == ("ObjectRemoved", "uploads/b.jpg")
    sequencers = [event.sequencer for event in watched.events()]
    assert sequencers == sorted(set(sequencers))


def test_a_file_that_is_being_written_waits(watched: Watched) -> None:
    watched.start()
    with (watched.uploads / "slow.mov").open("wb") as file:
        file.write(b"x" * 1000)
        file.flush()
        time.sleep(1.0)
        assert watched.told() == []
        file.write(b"y" * 1000)
    wait_until(watched.told)
    (event,) = watched.events()
    assert event.size == 2000


def test_changes_while_nobody_watched_are_told_once(watched: Watched) -> None:
    for name in ("kept", "changed", "removed"):
        (watched.uploads / name).write_bytes(b"1")
    watched.start()
    wait_until(lambda: len(watched.told()) == 3)
    watched.stop()
    (watched.uploads / "changed").write_bytes(b"22")
    (watched.uploads / "removed").unlink()
    (watched.uploads / "new").write_bytes(b"")
    watched.start()
    wait_until(lambda: len(watched.told()) == 6)
    time.sleep(0.5)
    assert sorted(watched.told()[3:]) == [
        ("ObjectCreated", "uploads/changed"),
        ("ObjectCreated", "uploads/new"),
        ("ObjectRemoved", "uploads/removed"),
    ]


def test_what_is_not_an_upload_is_left_alone(watched: Watched, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not yours")
    watched.start()
    (watched.uploads / "link.jpg").symlink_to(secret)
    (watched.uploads / ".hidden.jpg").write_bytes(b"1")
    (watched.uploads / "film.mp4.part").write_bytes(b"1")
    (watched.root / "elsewhere.jpg").write_bytes(b"1")
    (watched.uploads / os.fsdecode(b"latin-\xe9.jpg")).write_bytes(b"1")
    os.mkfifo(watched.uploads / "pipe")
    (watched.uploads / "good.jpg").write_bytes(b"1")
    wait_until(watched.told)
    time.sleep(0.5)
    assert watched.told() == [("ObjectCreated", "uploads/good.jpg")]


def test_a_key_that_no_driver_stores_is_told_for_ingest_to_refuse(watched: Watched) -> None:
    watched.start()
    (watched.uploads / "back\\slash.jpg").write_bytes(b"123")
    wait_until(watched.told)
    (event,) = watched.events()
    assert (event.key, event.size) == ("uploads/back\\slash.jpg", 3)


def test_a_source_folder_that_is_gone_removes_nothing(watched: Watched, tmp_path: Path) -> None:
    watched.start()
    (watched.uploads / "a.jpg").write_bytes(b"1")
    wait_until(watched.told)
    watched.root.rename(tmp_path / "unmounted")
    time.sleep(1.5)
    (tmp_path / "unmounted").rename(watched.root)
    time.sleep(0.5)
    assert watched.told() == [("ObjectCreated", "uploads/a.jpg")]


def test_sequencers_grow_even_when_the_clock_is_set_back(watched: Watched) -> None:
    known = KnownFiles(watched.tables, [TRIGGER])
    known.created("uploads/a", "1", size=1, etag="1")
    with watched.tables.write() as connection:
        connection.execute("UPDATE local_sequence SET last = ?", (time.time_ns() + 10**15,))
    known.created("uploads/a", "2", size=1, etag="2")
    known.removed("uploads/a")
    sequencers = [event.sequencer for event in watched.events()]
    assert sequencers == sorted(set(sequencers))


@pytest.mark.parametrize(
    ("key", "ignored"),
    [
        ("uploads/a.jpg", False),
        ("uploads/.a.jpg", True),
        ("uploads/.thumbs/a.jpg", True),
        ("uploads/a.jpg~", True),
        ("uploads/a.crdownload", True),
        ("uploads/partial.jpg", False),
    ],
)
def test_ignored_names(key: str, ignored: bool) -> None:
    assert is_unfinished(key) is ignored


def test_being_written_is_seen_across_handles(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb"):
        assert is_being_written(path)
        with path.open("rb"):
            assert is_being_written(path)
    assert not is_being_written(path)
    with path.open("rb"):
        assert not is_being_written(path)
    assert not is_being_written(tmp_path / "missing")
