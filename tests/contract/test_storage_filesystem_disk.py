"""The filesystem driver and what only a disk has: links, odd files, folders, changes by hand."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from kinora.errors import (
    InvalidKey,
    InvalidSetting,
    NotFound,
    PreconditionFailed,
    RangeNotSatisfiable,
    Unavailable,
)
from kinora.model import Scope
from kinora.storage.base import ByteRange, PutMode
from kinora.storage.filesystem import FilesystemStorage
from tests.contract.storage_suite import MEDIA, keys_of


@pytest.fixture
def storage(tmp_path):
    return FilesystemStorage({scope: tmp_path / scope.value for scope in Scope})


def test_links_lead_nowhere(storage, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    root = tmp_path / "media"
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    (root / "loop").symlink_to(root)
    for key in ("folder/secret", "file", "loop/file", "folder", "loop"):
        with pytest.raises(NotFound):
            storage.head(MEDIA, key)
        with pytest.raises(NotFound):
            storage.open(MEDIA, key)
        storage.delete(MEDIA, key)
    for key in ("folder/new", "loop/new"):
        for mode in PutMode:
            with pytest.raises(InvalidKey):
                storage.put(MEDIA, key, b"x", mode)
    with pytest.raises(InvalidKey):
        storage.put(MEDIA, "file", b"x", PutMode.CREATE)
    storage.put(MEDIA, "file", b"mine")
    assert storage.delete_prefix(MEDIA, "folder/") == 0
    assert keys_of(storage) == ["file"]
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_only_regular_files_with_possible_names_are_objects(storage, tmp_path):
    root = tmp_path / "media"
    os.mkfifo(root / "fifo")
    (root / "empty" / "folder").mkdir(parents=True)
    (root / "new\nline").touch()
    (root / "back\\slash").touch()
    Path(os.fsdecode(os.fsencode(root) + b"/not-utf-8-\xff")).touch()
    storage.put(MEDIA, "k", b"x")
    assert keys_of(storage) == ["k"]
    with pytest.raises(NotFound):
        storage.open(MEDIA, "fifo")


def test_files_put_there_by_hand_are_objects(storage, tmp_path):
    (tmp_path / "media" / "uploads").mkdir()
    (tmp_path / "media" / "uploads" / "IMG 1.JPG").write_bytes(b"jpeg")
    assert keys_of(storage) == ["uploads/IMG 1.JPG"]
    assert storage.head(MEDIA, "uploads/IMG 1.JPG").media_type == "image/jpeg"


def test_a_file_changed_in_place_under_a_reader(storage, tmp_path):
    storage.put(MEDIA, "k", b"o" * 300_000)
    for change in (lambda file: file.write(b"nnn"), lambda file: file.truncate(10)):
        with pytest.raises(PreconditionFailed), storage.open(MEDIA, "k") as reader:
            assert reader.read(10) == b"o" * 10
            with (tmp_path / "media" / "k").open("r+b") as file:
                change(file)
            reader.read()
        storage.put(MEDIA, "k", b"o" * 300_000)


def test_equal_content_at_the_same_place_is_still_another_state(storage):
    assert len({storage.put(MEDIA, "k", b"same").etag for _ in range(50)}) == 50


def test_empty_folders_go_with_their_last_object(storage, tmp_path):
    storage.put(MEDIA, "a/b/c", b"")
    storage.put(MEDIA, "a/d", b"")
    storage.delete(MEDIA, "a/b/c")
    assert [path.name for path in (tmp_path / "media" / "a").iterdir()] == ["d"]
    storage.delete_prefix(MEDIA, "a/")
    assert not (tmp_path / "media" / "a").exists()
    assert (tmp_path / "media").is_dir()


def test_a_forgotten_empty_folder_is_in_nobodys_way(storage, tmp_path):
    for mode in PutMode:
        (tmp_path / "media" / mode).mkdir()
        storage.put(MEDIA, mode, b"x", mode)
        assert storage.open(MEDIA, mode).read() == b"x"


def test_an_object_and_a_folder_of_one_name_are_refused_both_ways(storage):
    storage.put(MEDIA, "a", b"1")
    storage.put(MEDIA, "b/c", b"2")
    for mode in PutMode:
        for key in ("a/b", "b"):
            with pytest.raises(InvalidKey):
                storage.put(MEDIA, key, b"3", mode)
    assert keys_of(storage) == ["a", "b/c"]


def test_roots_are_made_and_missing_ones_are_not_empty(tmp_path):
    root = tmp_path / "deep" / "root"
    storage = FilesystemStorage({MEDIA: root})
    storage.check()
    storage.check(MEDIA)
    shutil.rmtree(root)
    verbs = [
        lambda: storage.head(MEDIA, "k"),
        lambda: storage.open(MEDIA, "k"),
        lambda: storage.put(MEDIA, "k", b"x"),
        lambda: storage.delete(MEDIA, "k"),
        lambda: storage.delete_prefix(MEDIA, "k"),
        lambda: list(storage.list(MEDIA)),
        storage.check,
        lambda: storage.check(MEDIA),
    ]
    for verb in verbs:
        with pytest.raises(Unavailable):
            verb()


def test_roots_may_not_contain_one_another(tmp_path):
    for inner in ("media", "media/source"):
        with pytest.raises(InvalidSetting):
            FilesystemStorage({MEDIA: tmp_path / "media", Scope.SOURCE: tmp_path / inner})


def test_files_are_as_private_as_the_process_wants(storage, tmp_path):
    before = os.umask(0o027)
    try:
        storage.put(MEDIA, "k", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "media" / "k").stat().st_mode & 0o777 == 0o640


def test_readers_give_their_files_back(storage):
    storage.put(MEDIA, "k", b"x")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        storage.open(MEDIA, "k").close()
        with suppress(RangeNotSatisfiable):
            storage.open(MEDIA, "k", ByteRange(5, None))
        with suppress(PreconditionFailed):
            storage.open(MEDIA, "k", etag="other")
        next(storage.list(MEDIA))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
