"""What the S3 driver says to a store over a real socket, and how it takes the store's misfortunes."""

from __future__ import annotations

import hashlib
import io
import random

import pytest

from kinora.errors import AlreadyExists, ChecksumMismatch, Forbidden, NoSpace, PreconditionFailed, Unavailable
from kinora.scope_settings import ScopeSettings
from kinora.storage.base import ByteRange, PutMode
from kinora.storage.s3 import S3Storage
from tests.contract.s3_endpoint import s3_endpoint
from tests.contract.storage_suite import MEDIA

BLOCK = 1000


@pytest.fixture
def endpoint(tmp_path):
    with s3_endpoint(tmp_path) as endpoint:
        yield endpoint


@pytest.fixture
def storage(endpoint):
    where = ScopeSettings("", "bucket", "p/", endpoint.address, "", "key", "secret", path_style=True)
    return S3Storage({MEDIA: where}, read_ahead=BLOCK)


def test_only_what_is_read_is_fetched_and_pinned(endpoint, storage):
    body = random.Random(1).randbytes(100_000)
    etag = storage.put(MEDIA, "k", body).etag
    with storage.open(MEDIA, "k") as reader:
        assert endpoint.ranges() == []
        for position in (50_500, 99_990, 50_100, 99_999, 50_500):
            reader.seek(position)
            assert reader.read(5) == body[position : position + 5]
        # The buffer on top of the blocks asks on, so a read near a block's end may take the next ones along.
        fetched = endpoint.ranges()
        assert fetched[0] == "bytes=50000-50999"
        assert sum(1 for ranged in fetched if ranged.startswith("bytes=99000-")) == 1
    assert all(headers["if-match"] == f'"{etag}"' for method, _, headers in endpoint.requests if method == "GET")


def test_a_small_range_is_one_small_request(endpoint, storage):
    storage.put(MEDIA, "k", bytes(100_000))
    assert storage.open(MEDIA, "k", ByteRange(70_000, 70_009)).read() == bytes(10)
    assert endpoint.ranges() == ["bytes=70000-70009"]


def test_an_answer_that_breaks_off_is_asked_for_again(endpoint, storage):
    storage.put(MEDIA, "k", b"0123456789")

    def break_off(request):
        request.answer(206, b"012", Content_Length="10")
        return request.hang_up()

    endpoint.faults.extend([None, break_off, break_off])
    assert storage.open(MEDIA, "k").read() == b"0123456789"
    endpoint.faults.extend([None, break_off, break_off, break_off])
    with pytest.raises(Unavailable):
        storage.open(MEDIA, "k").read()


def test_a_create_whose_answer_was_lost_knows_its_own_object(endpoint, storage):
    def store_and_hang_up(request):
        request.store(request.body)
        return request.hang_up()

    endpoint.faults.append(store_and_hang_up)
    stored = storage.put(MEDIA, "k", b"mine", PutMode.CREATE)
    assert stored.etag == storage.head(MEDIA, "k").etag
    assert [method for method, _, _ in endpoint.requests] == ["PUT", "PUT", "HEAD", "HEAD"]

    endpoint.faults.append(lambda request: request.hang_up())
    with pytest.raises(AlreadyExists):
        storage.put(MEDIA, "k", b"other", PutMode.CREATE)


def test_a_large_create_whose_answer_was_lost_knows_its_own_object(endpoint, storage):
    def complete_and_hang_up(request):
        request.body.write_bytes(b"whole")
        request.endpoint.meta[request.key] = dict(mark)
        request.body.rename(request.endpoint.file(request.key))
        return request.hang_up()

    mark = {}

    def remember_mark(request):
        mark.update({name: value for name, value in request.headers.items() if name.lower().startswith("x-amz-meta")})
        return False

    endpoint.faults.extend(
        [remember_mark, None, None, complete_and_hang_up, lambda request: request.refuse(404, "NoSuchUpload")]
    )
    assert storage.put(MEDIA, "k", io.BytesIO(bytes(9_000_000)), PutMode.CREATE).size == 9_000_000


def test_a_conflicting_create_is_tried_again(endpoint, storage):
    endpoint.faults.extend([lambda request: request.refuse(409, "ConditionalRequestConflict")] * 2)
    storage.put(MEDIA, "k", b"x", PutMode.CREATE)
    assert [headers["if-none-match"] for method, _, headers in endpoint.requests] == ["*"] * 3
    endpoint.faults.extend([lambda request: request.refuse(409, "ConditionalRequestConflict")] * 5)
    with pytest.raises(Unavailable):
        storage.put(MEDIA, "k2", b"x", PutMode.CREATE)


def test_declared_checksums_are_sent_and_conditions_only_where_asked(endpoint, storage):
    storage.put(MEDIA, "a b+é.webp", b"x", sha256=hashlib.sha256(b"x").hexdigest())
    _, path, headers = endpoint.requests[-1]
    assert path == "/bucket/p/a%20b%2B%C3%A9.webp"
    assert headers["x-amz-checksum-sha256"] == "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="
    assert headers["content-type"] == "image/webp"
    assert "if-none-match" not in headers


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDenied", Forbidden),
        (400, "BadDigest", ChecksumMismatch),
        (400, "ExpiredToken", Unavailable),
        (404, "NoSuchBucket", Unavailable),
        (412, "PreconditionFailed", PreconditionFailed),
        (507, "XMinioStorageFull", NoSpace),
    ],
)
def test_refusals_become_kinoras_errors(endpoint, storage, status, code, expected):
    endpoint.faults.extend([lambda request: request.refuse(status, code)] * 3)
    with pytest.raises(expected):
        storage.put(MEDIA, "k", b"x")


def test_a_throttling_store_is_asked_again_and_then_unavailable(endpoint, storage):
    slow_down = [lambda request: request.refuse(503, "SlowDown")]
    endpoint.faults.extend(slow_down * 2)
    storage.put(MEDIA, "k", b"x")
    endpoint.faults.extend(slow_down * 3)
    with pytest.raises(Unavailable):
        storage.put(MEDIA, "k", b"x")


def test_a_failed_part_aborts_the_upload(endpoint, storage):
    endpoint.faults.extend([None, None, lambda request: request.refuse(403, "AccessDenied")])
    with pytest.raises(Forbidden):
        storage.put(MEDIA, "k", io.BytesIO(bytes(9_000_000)))
    assert endpoint.requests[-1][0] == "DELETE"
    assert "uploadId" in endpoint.requests[-1][1]
