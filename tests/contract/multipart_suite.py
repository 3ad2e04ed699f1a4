"""What uploads in parts do in every driver. A test module subclasses `MultipartSuite` and provides the fixtures `storage`
and `uploads`."""

from __future__ import annotations

import hashlib
import io
import time

import pytest

from kinora.errors import AlreadyExists, ChecksumMismatch, InvalidInput, InvalidKey, LimitExceeded, NotFound
from kinora.model import Scope
from kinora.storage.base import PutMode
from kinora.storage.multipart import MAX_PARTS, MIN_PART_BYTES

SOURCE = Scope.SOURCE
KEY = "uploads/a film é+.mov"
FIRST = bytes(range(256)) * (MIN_PART_BYTES // 256)
LAST = b"the end"
LIMIT = 10**9


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def names(parts) -> list[tuple[int, str]]:
    return [(part.number, part.etag) for part in parts]


class MultipartSuite:
    def test_parts_become_one_object_when_they_are_complete(self, storage, uploads):
        upload = uploads.create(SOURCE, KEY)
        two = uploads.put_part(SOURCE, KEY, upload, 2, io.BytesIO(LAST))
        one = uploads.put_part(SOURCE, KEY, upload, 1, io.BytesIO(FIRST))
        assert one.etag == hashlib.md5(FIRST, usedforsecurity=False).hexdigest()
        assert uploads.parts(SOURCE, KEY, upload) == [one, two]
        assert list(storage.list(SOURCE)) == []
        info = uploads.complete(SOURCE, KEY, upload, names([one, two]), max_bytes=LIMIT)
        assert (info.key, info.size) == (KEY, len(FIRST) + len(LAST))
        found = storage.head(SOURCE, KEY)
        assert (info.size, info.etag, info.media_type) == (found.size, found.etag, found.media_type)
        with storage.open(SOURCE, KEY) as reader:
            assert reader.read() == FIRST + LAST
        with pytest.raises(NotFound):
            uploads.parts(SOURCE, KEY, upload)
        assert list(uploads.pending(SOURCE)) == []

    def test_completing_again_gives_the_same_answer(self, storage, uploads):
        upload = uploads.create(SOURCE, KEY)
        part = uploads.put_part(SOURCE, KEY, upload, 1, LAST)
        first = uploads.complete(SOURCE, KEY, upload, names([part]), PutMode.CREATE, max_bytes=LIMIT)
        again = uploads.complete(SOURCE, KEY, upload, names([part]), PutMode.CREATE, max_bytes=LIMIT)
        assert (first.etag, first.size) == (again.etag, again.size)
        with pytest.raises(NotFound):
            uploads.complete(SOURCE, KEY, upload, [(1, "0" * 32)], max_bytes=LIMIT)
        uploads.abort(SOURCE, KEY, upload)
        assert storage.head(SOURCE, KEY).etag == first.etag

    def test_a_part_sent_again_replaces_the_one_before(self, storage, uploads):
        upload = uploads.create(SOURCE, KEY)
        old = uploads.put_part(SOURCE, KEY, upload, 3, b"old")
        new = uploads.put_part(SOURCE, KEY, upload, 3, b"newer")
        assert uploads.parts(SOURCE, KEY, upload) == [new]
        with pytest.raises(InvalidInput):
            uploads.complete(SOURCE, KEY, upload, names([old]), max_bytes=LIMIT)
        uploads.complete(SOURCE, KEY, upload, names([new]), max_bytes=LIMIT)
        assert storage.open(SOURCE, KEY).read() == b"newer"

    def test_parts_that_are_not_asked_for_are_left_out(self, storage, uploads):
        upload = uploads.create(SOURCE, KEY)
        uploads.put_part(SOURCE, KEY, upload, 1, b"no")
        part = uploads.put_part(SOURCE, KEY, upload, 7, b"yes")
        uploads.complete(SOURCE, KEY, upload, names([part]), max_bytes=LIMIT)
        assert storage.open(SOURCE, KEY).read() == b"yes"

    def test_what_cannot_be_completed_is_refused_and_stands(self, storage, uploads):
        upload = uploads.create(SOURCE, KEY)
        one, two = (uploads.put_part(SOURCE, KEY, upload, number, b"small") for number in (1, 2))
        refused = {
            "part-too-small": names([one, two]),
            "invalid-part-order": names([two, one]),
            "invalid-part": [(1, "f" * 32)],
        }
        for code, parts in refused.items():
            with pytest.raises(InvalidInput) as raised:
                uploads.complete(SOURCE, KEY, upload, parts, max_bytes=LIMIT)
            assert raised.value.code == code
        for parts in ([], names([one, one]), [(9, one.etag)]):
            with pytest.raises(InvalidInput):
                uploads.complete(SOURCE, KEY, upload, parts, max_bytes=LIMIT)
        with pytest.raises(LimitExceeded):
            uploads.complete(SOURCE, KEY, upload, names([one]), max_bytes=4)
        assert list(storage.list(SOURCE)) == []
        assert uploads.parts(SOURCE, KEY, upload) == [one, two]

    @pytest.mark.parametrize("number", [0, -1, MAX_PARTS + 1])
    def test_numbers_have_a_range(self, uploads, number):
        upload = uploads.create(SOURCE, KEY)
        with pytest.raises(InvalidInput):
            uploads.put_part(SOURCE, KEY, upload, number, b"x")
        assert uploads.put_part(SOURCE, KEY, upload, MAX_PARTS, b"x").number == MAX_PARTS

    def test_create_meets_an_object_at_the_end(self, storage, uploads):
        upload = uploads.create(SOURCE, KEY)
        part = uploads.put_part(SOURCE, KEY, upload, 1, LAST)
        storage.put(SOURCE, KEY, b"somebody was faster")
        with pytest.raises(AlreadyExists):
            uploads.complete(SOURCE, KEY, upload, names([part]), PutMode.CREATE, max_bytes=LIMIT)
        assert storage.open(SOURCE, KEY).read() == b"somebody was faster"
        uploads.complete(SOURCE, KEY, upload, names([part]), max_bytes=LIMIT)
        assert storage.open(SOURCE, KEY).read() == LAST

    def test_declared_checksums_are_verified(self, storage, uploads):
        upload = uploads.create(SOURCE, KEY, checksums=True)
        with pytest.raises(ChecksumMismatch):
            uploads.put_part(SOURCE, KEY, upload, 1, FIRST, sha256=sha256(LAST))
        assert uploads.parts(SOURCE, KEY, upload) == []
        one = uploads.put_part(SOURCE, KEY, upload, 1, FIRST, sha256=sha256(FIRST))
        two = uploads.put_part(SOURCE, KEY, upload, 2, LAST, sha256=sha256(LAST))
        assert [part.sha256 for part in uploads.parts(SOURCE, KEY, upload)] == [sha256(FIRST), sha256(LAST)]
        uploads.complete(SOURCE, KEY, upload, names([one, two]), max_bytes=LIMIT)
        assert storage.open(SOURCE, KEY).read() == FIRST + LAST

    def test_a_stream_that_breaks_leaves_the_part_before_it(self, uploads):
        upload = uploads.create(SOURCE, KEY)
        kept = uploads.put_part(SOURCE, KEY, upload, 1, b"kept")
        with pytest.raises(ConnectionResetError):
            uploads.put_part(SOURCE, KEY, upload, 1, _Broken())
        assert uploads.parts(SOURCE, KEY, upload) == [kept]

    def test_aborting_forgets_everything(self, storage, uploads):
        upload = uploads.create(SOURCE, KEY)
        part = uploads.put_part(SOURCE, KEY, upload, 1, LAST)
        uploads.abort(SOURCE, KEY, upload)
        uploads.abort(SOURCE, KEY, upload)
        for verb in (
            lambda: uploads.parts(SOURCE, KEY, upload),
            lambda: uploads.complete(SOURCE, KEY, upload, names([part]), max_bytes=LIMIT),
        ):
            with pytest.raises(NotFound):
                verb()
        assert list(uploads.pending(SOURCE)) == list(storage.list(SOURCE)) == []

    def test_nothing_is_sent_to_what_is_complete_or_aborted(self, uploads):
        complete, aborted = (uploads.create(SOURCE, KEY) for _ in range(2))
        part = uploads.put_part(SOURCE, KEY, complete, 1, LAST)
        uploads.complete(SOURCE, KEY, complete, names([part]), max_bytes=LIMIT)
        uploads.abort(SOURCE, KEY, aborted)
        for upload in (complete, aborted):
            with pytest.raises(NotFound):
                uploads.put_part(SOURCE, KEY, upload, 2, LAST)

    def test_an_upload_belongs_to_its_key(self, uploads):
        upload = uploads.create(SOURCE, KEY)
        for key, other in (("uploads/other.mov", upload), (KEY, "../../etc"), (KEY, "x")):
            with pytest.raises(NotFound):
                uploads.parts(SOURCE, key, other)
        with pytest.raises(InvalidKey):
            uploads.create(SOURCE, "../x")
        assert [(one.key, one.id) for one in uploads.pending(SOURCE)] == [(KEY, upload)]
        uploads.abort(SOURCE, "uploads/other.mov", upload)
        assert uploads.parts(SOURCE, KEY, upload) == []

    def test_pending_uploads_tell_since_when(self, uploads):
        ids = {uploads.create(SOURCE, key) for key in (KEY, KEY, "uploads/b.jpg")}
        pending = list(uploads.pending(SOURCE))
        assert {one.id for one in pending} == ids
        assert all(abs(one.created_at - time.time()) < 60 for one in pending)


class _Broken(io.RawIOBase):
    def __init__(self) -> None:
        self._left = 3

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        self._left -= 1
        if not self._left:
            raise ConnectionResetError
        buffer[:10] = b"0123456789"
        return 10
