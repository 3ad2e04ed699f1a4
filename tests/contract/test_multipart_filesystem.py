"""Uploads in parts on a disk: the contract, and what happens to those who are killed or come at the same time."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kinora.errors import NotFound, Unavailable
from kinora.model import Scope
from kinora.storage.base import PutMode
from kinora.storage.filesystem import FilesystemStorage
from tests.contract.multipart_suite import FIRST, KEY, LAST, LIMIT, SOURCE, MultipartSuite, names


@pytest.fixture
def storage(tmp_path):
    return FilesystemStorage({scope: tmp_path / scope for scope in Scope})


@pytest.fixture
def uploads(storage):
    return storage.multipart


class TestContract(MultipartSuite):
    pass


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_an_upload_outlives_its_process(tmp_path, storage, uploads):
    upload = uploads.create(SOURCE, KEY)
    uploads.put_part(SOURCE, KEY, upload, 1, FIRST)
    later = FilesystemStorage({scope: tmp_path / scope for scope in Scope}).multipart
    (one,) = later.parts(SOURCE, KEY, upload)
    two = later.put_part(SOURCE, KEY, upload, 2, LAST)
    info = later.complete(SOURCE, KEY, upload, names([one, two]), max_bytes=LIMIT)
    assert storage.open(SOURCE, KEY).read() == FIRST + LAST
    assert later.was_joined(SOURCE, info.etag)
    assert not later.was_joined(SOURCE, storage.put(SOURCE, "uploads/whole.jpg", b"x").etag)


def test_two_who_complete_at_once_make_one_object(storage, uploads):
    upload = uploads.create(SOURCE, KEY)
    part = uploads.put_part(SOURCE, KEY, upload, 1, FIRST)
    barrier = threading.Barrier(6)

    def complete(_: int) -> str:
        barrier.wait()
        return uploads.complete(SOURCE, KEY, upload, names([part]), PutMode.CREATE, max_bytes=LIMIT).etag

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(complete, range(6))) == {storage.head(SOURCE, KEY).etag}


def test_of_many_who_send_the_same_part_one_stays(uploads):
    upload = uploads.create(SOURCE, KEY)
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda n: uploads.put_part(SOURCE, KEY, upload, 1, b"%d" % n), range(40)))
    (kept,) = uploads.parts(SOURCE, KEY, upload)
    assert kept in sent


def test_completing_and_aborting_at_once_loses_nothing_that_was_answered(storage, uploads):
    for n in range(20):
        key = f"uploads/{n}.bin"
        upload = uploads.create(SOURCE, key)
        part = uploads.put_part(SOURCE, key, upload, 1, LAST)
        with ThreadPoolExecutor(2) as pool:
            done = pool.submit(uploads.complete, SOURCE, key, upload, names([part]), max_bytes=LIMIT)
            pool.submit(uploads.abort, SOURCE, key, upload).result()
        if isinstance(done.exception(), NotFound):
            with pytest.raises(NotFound):
                storage.head(SOURCE, key)
        else:
            assert storage.head(SOURCE, key).etag == done.result().etag


def killed(uploads, upload, part, at: str) -> None:
    """Complete in a process that dies when it calls `os.{at}` for the `joining` note or the object."""
    child = os.fork()
    if child == 0:
        real = getattr(os, at)

        def die(*arguments, **options):
            if at == "rename" or str(arguments[1]).endswith(".mov"):
                os._exit(9)
            return real(*arguments, **options)

        setattr(os, at, die)
        uploads.complete(SOURCE, KEY, upload, names([part]), PutMode.CREATE, max_bytes=LIMIT)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(("at", "is_there"), [("link", False), ("rename", True)])
def test_who_is_killed_in_the_middle_can_go_on(storage, uploads, at, is_there):
    upload = uploads.create(SOURCE, KEY)
    part = uploads.put_part(SOURCE, KEY, upload, 1, FIRST)
    killed(uploads, upload, part, at)
    seen = storage.head(SOURCE, KEY).etag if is_there else None
    assert [info.key for info in storage.list(SOURCE)] == ([KEY] if is_there else [])
    info = uploads.complete(SOURCE, KEY, upload, names([part]), PutMode.CREATE, max_bytes=LIMIT)
    assert storage.open(SOURCE, KEY).read() == FIRST
    assert seen in {None, info.etag}
    assert uploads.was_joined(SOURCE, info.etag)


def test_nothing_but_notes_is_left(tmp_path, uploads):
    upload = uploads.create(SOURCE, KEY)
    part = uploads.put_part(SOURCE, KEY, upload, 1, FIRST)
    info = uploads.complete(SOURCE, KEY, upload, names([part]), max_bytes=LIMIT)
    work = tmp_path / SOURCE / ".kinora"
    assert files_below(work) == [f"joined/{info.etag}", f"uploads/{upload}/done.json", f"uploads/{upload}/upload.json"]
    long_ago = 1_000_000_000
    for path in [*work.rglob("*")]:
        os.utime(path, (long_ago, long_ago))
    kept = uploads.create(SOURCE, KEY)
    assert files_below(work) == [f"uploads/{kept}/upload.json"]


def test_a_full_disk_or_a_missing_root_is_said(tmp_path, uploads):
    upload = uploads.create(SOURCE, KEY)
    (tmp_path / SOURCE).rename(tmp_path / "away")
    with pytest.raises((Unavailable, NotFound)):
        uploads.put_part(SOURCE, KEY, upload, 1, b"x")
