"""What every storage driver does. A driver's test module subclasses `StorageSuite` and provides the fixture `storage`.

A driver that deviates overrides the test and marks it with `deviates`; if it then behaves like the others, the test fails.
"""

from __future__ import annotations

import hashlib
import io
import time
import tracemalloc
from contextlib import suppress

import av
import pytest
import pyvips

from kinora.errors import (
    AlreadyExists,
    ChecksumMismatch,
    InvalidInput,
    InvalidKey,
    NotFound,
    PreconditionFailed,
    RangeNotSatisfiable,
)
from kinora.model import Scope
from kinora.storage.base import ByteRange, PutMode, Reader, Storage

MEDIA = Scope.MEDIA
BODY = bytes(range(256)) * 40

HOSTILE_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../x",
    "a/..",
    "./x",
    "a//x",
    "a/",
    "a\\b",
    "a\x00b",
    "a\nb",
    "a\x7fb",
    ".kinora/tmp/x",
    "\ud800",
    "k" * 256,
    "é" * 128,
    "k/" * 512 + "k",
]
ODD_KEYS = [
    "with space.txt",
    "plus+plus",
    "100%",
    "%2e%2e%2fx",
    "a%2Fb/c",
    "a+b%C3%A9.MOV",
    "é.txt",
    "e\u0301.txt",
    "日本/映画.mp4",
    "a..b/..c/d..",
    "...",
    ".hidden",
    "a/.kinora/b",
    "q?x=1&y=2#frag",
    'it\'s "quoted" <tag>; *',
    "k" * 255,
    "/".join(["f" * 63] * 15),
]


def deviates(reason: str, raises: type[BaseException]):
    """Declare that a driver deviates from the contract in this test, and how it shows."""
    return pytest.mark.xfail(strict=True, reason=reason, raises=raises)


def keys_of(storage: Storage, prefix: str = "", after: str = "") -> list[str]:
    return [info.key for info in storage.list(MEDIA, prefix, after=after)]


class GeneratedStream:
    """`size` bytes that exist only while they are read, in short reads as from a socket."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.block = hashlib.sha256(b"kinora").digest() * 4096

    def read(self, length: int = -1) -> bytes:
        count = min(self.left, len(self.block), length if length >= 0 else self.left)
        self.left -= count
        return self.block[:count]


class BrokenStream(GeneratedStream):
    """Breaks off, as a client does that goes away in the middle of an upload."""

    def read(self, length: int = -1) -> bytes:
        if self.left < 4_000_000:
            raise ConnectionResetError("client went away")
        return super().read(length)


class StorageSuite:
    # put, head, delete

    def test_what_is_put_can_be_read_and_described(self, storage):
        before = time.time()
        stored = storage.put(MEDIA, "a/b.webp", BODY)
        found = storage.head(MEDIA, "a/b.webp")
        assert (found.key, found.size, found.media_type) == ("a/b.webp", len(BODY), "image/webp")
        assert (stored.key, stored.size, stored.etag, stored.media_type) == (
            found.key,
            found.size,
            found.etag,
            found.media_type,
        )
        assert before - 2 <= found.modified_at <= time.time() + 2
        assert abs(stored.modified_at - found.modified_at) <= 2
        with storage.open(MEDIA, "a/b.webp") as reader:
            assert reader.read() == BODY
            assert reader.info.etag == found.etag

    def test_scopes_are_apart(self, storage):
        storage.put(MEDIA, "x", b"media")
        with pytest.raises(NotFound):
            storage.head(Scope.SOURCE, "x")
        storage.put(Scope.SOURCE, "x", b"source")
        storage.delete(Scope.SOURCE, "x")
        assert storage.open(MEDIA, "x").read() == b"media"

    def test_streams_are_put_like_bytes(self, storage):
        storage.put(MEDIA, "s", io.BytesIO(BODY))
        assert storage.open(MEDIA, "s").read() == BODY
        storage.put(MEDIA, "generated", GeneratedStream(300_000))
        assert storage.head(MEDIA, "generated").size == 300_000

    def test_a_stream_is_taken_from_where_it_stands(self, storage):
        stream = io.BytesIO(b"skipped rest")
        stream.seek(8)
        storage.put(MEDIA, "s", stream)
        assert storage.open(MEDIA, "s").read() == b"rest"

    def test_empty_objects_exist(self, storage):
        storage.put(MEDIA, "empty", b"")
        assert storage.head(MEDIA, "empty").size == 0
        assert storage.open(MEDIA, "empty").read() == b""

    def test_overwriting_replaces_content_and_etag(self, storage):
        first = storage.put(MEDIA, "k", b"first")
        second = storage.put(MEDIA, "k", b"second")
        assert storage.open(MEDIA, "k").read() == b"second"
        assert first.etag != second.etag == storage.head(MEDIA, "k").etag

    @pytest.mark.parametrize("size", [10, 9_000_000])
    def test_create_never_replaces(self, storage, size):
        storage.put(MEDIA, "k", b"first", PutMode.CREATE)
        with pytest.raises(AlreadyExists):
            storage.put(MEDIA, "k", io.BytesIO(bytes(size)), PutMode.CREATE)
        assert storage.open(MEDIA, "k").read() == b"first"
        storage.delete(MEDIA, "k")
        storage.put(MEDIA, "k", b"again", PutMode.CREATE)

    @pytest.mark.parametrize("size", [0, 10, 9_000_000])
    def test_a_wrong_checksum_leaves_what_was_there(self, storage, size):
        storage.put(MEDIA, "k", b"before")
        with pytest.raises(ChecksumMismatch):
            storage.put(MEDIA, "k", io.BytesIO(bytes(size)), sha256=hashlib.sha256(b"other").hexdigest())
        with pytest.raises(ChecksumMismatch):
            storage.put(MEDIA, "new", io.BytesIO(bytes(size)), PutMode.CREATE, sha256=hashlib.sha256(b"other").hexdigest())
        assert storage.open(MEDIA, "k").read() == b"before"
        assert keys_of(storage) == ["k"]

    @pytest.mark.parametrize("size", [0, 10, 9_000_000])
    def test_a_right_checksum_is_returned(self, storage, size):
        digest = hashlib.sha256(bytes(size)).hexdigest()
        assert storage.put(MEDIA, "k", io.BytesIO(bytes(size)), sha256=digest).sha256 == digest

    def test_a_checksum_is_64_hex_digits(self, storage):
        for wrong in ("", "abc", hashlib.sha256(b"").hexdigest().upper()):
            with pytest.raises(InvalidInput):
                storage.put(MEDIA, "k", b"", sha256=wrong)

    def test_a_verified_checksum_is_known_later(self, storage):
        digest = hashlib.sha256(BODY).hexdigest()
        storage.put(MEDIA, "k", BODY, sha256=digest)
        assert storage.head(MEDIA, "k").sha256 == digest

    def test_an_unverified_checksum_is_not_known(self, storage):
        storage.put(MEDIA, "small", BODY)
        storage.put(MEDIA, "large", GeneratedStream(20_000_000))
        assert storage.head(MEDIA, "small").sha256 is None
        assert storage.head(MEDIA, "large").sha256 is None

    @pytest.mark.parametrize("size", [5_000_000, 30_000_000])
    def test_a_stream_that_breaks_off_changes_nothing(self, storage, size):
        storage.put(MEDIA, "k", b"before")
        for key in ("k", "new/folder/k"):
            with pytest.raises(ConnectionResetError):
                storage.put(MEDIA, key, BrokenStream(size))
        assert keys_of(storage) == ["k"]
        assert storage.open(MEDIA, "k").read() == b"before"

    def test_deleting_twice_is_no_error(self, storage):
        storage.put(MEDIA, "a/b/c", b"x")
        storage.delete(MEDIA, "a/b/c")
        storage.delete(MEDIA, "a/b/c")
        storage.delete(MEDIA, "a/b")
        for verb in (storage.head, storage.open):
            with pytest.raises(NotFound):
                verb(MEDIA, "a/b/c")

    def test_a_folder_is_not_an_object(self, storage):
        storage.put(MEDIA, "a/b/c", b"x")
        storage.delete(MEDIA, "a/b")
        for key in ("a", "a/b", "a/b/c/d"):
            with pytest.raises(NotFound):
                storage.head(MEDIA, key)
            with pytest.raises(NotFound):
                storage.open(MEDIA, key)
        assert keys_of(storage) == ["a/b/c"]

    def test_a_key_may_continue_another(self, storage):
        storage.put(MEDIA, "a", b"1")
        storage.put(MEDIA, "a/b", b"2")
        assert keys_of(storage) == ["a", "a/b"]

    # keys

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_odd_keys_work(self, storage, key):
        storage.put(MEDIA, key, key.encode(), PutMode.CREATE)
        assert storage.open(MEDIA, key).read() == key.encode()
        assert storage.head(MEDIA, key).key == key
        assert keys_of(storage) == [key] == keys_of(storage, key)
        storage.delete(MEDIA, key)
        assert keys_of(storage) == []

    def test_composed_and_decomposed_names_are_two_keys(self, storage):
        storage.put(MEDIA, "é", b"composed")
        storage.put(MEDIA, "e\u0301", b"decomposed")
        assert storage.open(MEDIA, "é").read() == b"composed"

    @pytest.mark.parametrize("key", HOSTILE_KEYS)
    def test_hostile_keys_are_refused_by_every_verb(self, storage, key):
        storage.put(MEDIA, "a/x", b"x")
        verbs = [
            lambda: storage.head(MEDIA, key),
            lambda: storage.open(MEDIA, key),
            lambda: storage.open(MEDIA, key, ByteRange(0, 1)),
            lambda: storage.put(MEDIA, key, b"x"),
            lambda: storage.put(MEDIA, key, b"x", PutMode.CREATE),
            lambda: storage.delete(MEDIA, key),
        ]
        if key != "a/":
            verbs.append(lambda: storage.delete_prefix(MEDIA, key))
        if key not in ("", "a/"):
            verbs.append(lambda: storage.list(MEDIA, key))
            verbs.append(lambda: storage.list(MEDIA, after=key))
        for verb in verbs:
            with pytest.raises(InvalidKey):
                verb()
        assert keys_of(storage) == ["a/x"]

    # ranges and readers

    @pytest.mark.parametrize(
        ("byte_range", "expected"),
        [
            (ByteRange(0, 0), BODY[:1]),
            (ByteRange(5, 9), BODY[5:10]),
            (ByteRange(5, None), BODY[5:]),
            (ByteRange(0, None), BODY),
            (ByteRange(None, 7), BODY[-7:]),
            (ByteRange(None, 10**9), BODY),
            (ByteRange(len(BODY) - 1, 10**9), BODY[-1:]),
        ],
    )
    def test_ranges(self, storage, byte_range, expected):
        storage.put(MEDIA, "k", BODY)
        with storage.open(MEDIA, "k", byte_range) as reader:
            assert reader.read() == expected
            assert reader.read() == b""
            assert reader.info.size == len(BODY)
            assert reader.seek(0, io.SEEK_END) == len(expected)
            assert reader.seek(-1, io.SEEK_END) == len(expected) - 1
            assert reader.read(10) == expected[-1:]

    @pytest.mark.parametrize(
        "byte_range", [ByteRange(len(BODY), None), ByteRange(10**9, 10**9 + 1), ByteRange(None, 0), ByteRange(4, 3)]
    )
    def test_ranges_outside_the_object(self, storage, byte_range):
        storage.put(MEDIA, "k", BODY)
        with pytest.raises(RangeNotSatisfiable) as caught:
            storage.open(MEDIA, "k", byte_range)
        assert caught.value.size == len(BODY)

    def test_no_range_lies_in_an_empty_object(self, storage):
        storage.put(MEDIA, "k", b"")
        for byte_range in (ByteRange(0, None), ByteRange(None, 1)):
            with pytest.raises(RangeNotSatisfiable):
                storage.open(MEDIA, "k", byte_range)

    def test_a_reader_seeks_like_a_file(self, storage):
        storage.put(MEDIA, "k", BODY)
        model = io.BytesIO(BODY)
        with storage.open(MEDIA, "k") as reader:
            assert reader.readable()
            assert reader.seekable()
            assert not reader.writable()
            for offset, whence, length in [
                (9000, 0, 500),
                (-700, 1, 10),
                (0, 0, 3),
                (-5, 2, 99),
                (4095, 0, 2),
                (20000, 0, 5),
                (1, 0, -1),
            ]:
                assert reader.seek(offset, whence) == model.seek(offset, whence)
                assert reader.read(length) == model.read(length)
                assert reader.tell() == model.tell()
            buffer = bytearray(100)
            reader.seek(50)
            assert reader.readinto(buffer) == 100
            assert buffer == BODY[50:150]
            with pytest.raises(OSError, match=r"before|[Ii]nvalid"):
                reader.seek(-1)
        assert reader.closed
        with pytest.raises(ValueError, match="closed"):
            reader.read(1)

    def test_a_reader_is_one_state_of_the_object(self, storage):
        """Old bytes or PreconditionFailed, never a mixture."""
        old, new = b"o" * 3_000_000, b"n" * 3_000_000
        storage.put(MEDIA, "k", old)
        rest = old[10:]
        with suppress(PreconditionFailed), storage.open(MEDIA, "k") as reader:
            start = reader.read(10)
            storage.put(MEDIA, "k", new)
            rest = reader.read()
        assert start + rest == old
        assert storage.open(MEDIA, "k").read() == new

    def test_a_replaced_object_is_read_on(self, storage):
        storage.put(MEDIA, "k", b"o" * 3_000_000)
        with storage.open(MEDIA, "k") as reader:
            storage.put(MEDIA, "k", b"n" * 3_000_000)
            assert reader.read() == b"o" * 3_000_000

    def test_opening_an_expected_state(self, storage):
        first = storage.put(MEDIA, "k", b"first")
        assert storage.open(MEDIA, "k", etag=first.etag).read() == b"first"
        second = storage.put(MEDIA, "k", b"second")
        with pytest.raises(PreconditionFailed):
            storage.open(MEDIA, "k", etag=first.etag)
        assert storage.open(MEDIA, "k", ByteRange(0, 2), etag=second.etag).read() == b"sec"

    def test_pyav_reads_video_from_a_reader(self, storage):
        storage.put(MEDIA, "clip.mp4", _clip())
        with storage.open(MEDIA, "clip.mp4") as reader, av.open(reader, format="mp4") as container:
            assert sum(1 for _ in container.decode(video=0)) == 12
            container.seek(0)
            assert next(container.decode(video=0)).width == 64

    def test_libvips_reads_images_from_a_reader(self, storage):
        storage.put(MEDIA, "p.png", pyvips.Image.black(40, 30).pngsave_buffer())
        with storage.open(MEDIA, "p.png") as reader:
            source = pyvips.SourceCustom()
            source.on_read(reader.read)
            source.on_seek(reader.seek)
            image = pyvips.Image.new_from_source(source, "", access="sequential")
            assert (image.width, image.height, image.avg()) == (40, 30, 0)

    # memory

    @pytest.fixture
    def frugal_storage(self, storage):
        """The driver on a store that keeps nothing in this process."""
        return storage

    def test_put_and_read_are_constant_in_memory(self, frugal_storage):
        size = 64_000_000
        tracemalloc.start()
        try:
            frugal_storage.put(MEDIA, "large", GeneratedStream(size))
            with frugal_storage.open(MEDIA, "large") as reader:
                assert sum(len(chunk) for chunk in iter(lambda: reader.read(1_000_000), b"")) == size
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 40_000_000

    # lists

    def test_lists_are_in_the_order_of_whole_keys(self, storage):
        keys = ["a b", "a-b", "a.txt", "a/b", "a/b-c", "a/c/d", "a0", "b", "B", "z/é", "z/e", "日", "\U0001f600", "\uffee"]
        for key in keys:
            storage.put(MEDIA, key, b"")
        ordered = sorted(keys, key=lambda key: key.encode())
        assert keys_of(storage) == ordered
        for after in ordered:
            assert keys_of(storage, after=after) == ordered[ordered.index(after) + 1 :]
        assert keys_of(storage, after="a/") == [key for key in ordered if key.encode() > b"a/"]
        assert keys_of(storage, after="a/b/zzz") == [key for key in ordered if key.encode() > b"a/b/zzz"]

    def test_prefixes_are_beginnings_of_keys_not_folders(self, storage):
        for key in ("ab/1", "ab/c/2", "abc", "b/1"):
            storage.put(MEDIA, key, key.encode())
        assert keys_of(storage, "ab") == ["ab/1", "ab/c/2", "abc"]
        assert keys_of(storage, "ab/") == ["ab/1", "ab/c/2"]
        assert keys_of(storage, "ab/c") == ["ab/c/2"]
        assert keys_of(storage, "ab/c/2") == ["ab/c/2"]
        assert keys_of(storage, "x/y/") == []
        assert keys_of(storage, "ab", after="ab/1") == ["ab/c/2", "abc"]
        info = next(storage.list(MEDIA, "ab/1"))
        assert info == storage.head(MEDIA, "ab/1")

    def test_more_than_a_thousand(self, storage):
        keys = [f"many/{n:04}" for n in range(1203)]
        for key in [*keys, "other"]:
            storage.put(MEDIA, key, b"")
        assert keys_of(storage) == [*keys, "other"]
        assert keys_of(storage, "many/", after=keys[1000]) == keys[1001:]
        assert storage.delete_prefix(MEDIA, "many/") == 1203
        assert keys_of(storage) == ["other"]

    def test_delete_prefix(self, storage):
        for key in ("v/1/a", "v/1/b/c", "v/10/a", "v/2"):
            storage.put(MEDIA, key, b"")
        storage.put(Scope.SOURCE, "v/1/a", b"")
        assert storage.delete_prefix(MEDIA, "v/1/") == 2
        assert keys_of(storage) == ["v/10/a", "v/2"]
        assert storage.delete_prefix(MEDIA, "v/1/") == 0
        assert storage.delete_prefix(MEDIA, "v/1") == 1
        assert storage.head(Scope.SOURCE, "v/1/a")

    def test_check_passes(self, storage):
        assert storage.check() is None

    def test_a_reader_is_a_reader(self, storage):
        storage.put(MEDIA, "k", b"x")
        with storage.open(MEDIA, "k") as reader:
            assert isinstance(reader, Reader)


def _clip() -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(12):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    return target.getvalue()
