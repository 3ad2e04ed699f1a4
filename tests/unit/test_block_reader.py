"""Block read-ahead: what is fetched, how often, and how much of it is kept."""

from __future__ import annotations

import io
import random

import pytest
import pyvips

from kinora.errors import CorruptMedia, Unavailable
from kinora.storage.base import ObjectInfo, Reader
from kinora.storage.reader import CACHED_BLOCKS, LONGEST_RUN, BlockReader

BLOCK = 100
BODY = random.Random(3).randbytes(5050)


class Store:
    """Counts what is fetched."""

    def __init__(self, body: bytes = BODY):
        self.body = body
        self.fetched: list[tuple[int, int]] = []

    def fetch(self, start: int, stop: int) -> bytes:
        assert 0 <= start < stop <= len(self.body)
        self.fetched.append((start, stop))
        return self.body[start:stop]


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def reader(store):
    return BlockReader(len(BODY), BLOCK, store.fetch)


def read_at(reader, position, length):
    reader.seek(position)
    buffer = bytearray(length)
    return bytes(buffer[: reader.readinto(buffer)])


def test_nothing_is_fetched_before_it_is_read(store, reader):
    reader.seek(0, io.SEEK_END)
    assert reader.tell() == len(BODY)
    assert read_at(reader, len(BODY) + 10, 5) == b""
    assert store.fetched == []


def test_a_read_fetches_its_block_once(store, reader):
    for position in (250, 299, 200):
        assert read_at(reader, position, 1) == BODY[position : position + 1]
    assert store.fetched == [(200, 300)]


def test_the_last_block_ends_with_the_object(store, reader):
    assert read_at(reader, 5049, 50) == BODY[5049:]
    assert store.fetched == [(5000, 5050)]


def test_jumping_between_index_and_data_fetches_each_block_once(store, reader):
    for n in range(40):
        assert read_at(reader, 5000 + n, 1) == BODY[5000 + n : 5001 + n]
        assert read_at(reader, 10 * n, 10) == BODY[10 * n : 10 * n + 10]
    blocks = [block for start, stop in store.fetched for block in range(start // BLOCK, -(-stop // BLOCK))]
    assert len(blocks) == len(set(blocks))


def test_reading_straight_on_takes_larger_pieces(store, reader):
    assert reader.readall() == BODY
    sizes = [stop - start for start, stop in store.fetched]
    assert sizes[:3] == [BLOCK, 2 * BLOCK, 4 * BLOCK]
    assert max(sizes) == LONGEST_RUN * BLOCK
    assert sum(sizes) == len(BODY)


def test_few_blocks_are_kept(store, reader):
    for block in range(CACHED_BLOCKS + 1):
        read_at(reader, 2 * block * BLOCK, 1)
    fetched = len(store.fetched)
    read_at(reader, 2 * CACHED_BLOCKS * BLOCK, 1)
    assert len(store.fetched) == fetched
    read_at(reader, 0, 1)
    assert len(store.fetched) == fetched + 1


def test_any_walk_reads_what_is_there(reader):
    chance, model = random.Random(4), io.BytesIO(BODY)
    buffered = io.BufferedReader(reader, 64)
    for _ in range(3000):
        position, length = chance.randrange(5200), chance.choice([0, 1, 7, 99, 100, 350, -1])
        buffered.seek(position)
        model.seek(position)
        assert buffered.read(length) == model.read(length)
        assert buffered.tell() == model.tell()


class Failing(Store):
    """Answers twice, then is gone once."""

    def fetch(self, start, stop):
        self.fetched.append((start, stop))
        if len(self.fetched) == 3:
            raise Unavailable("gone")
        return self.body[start:stop]


def test_no_read_succeeds_behind_a_failed_one():
    reader = BlockReader(len(BODY), BLOCK, Failing().fetch)
    assert read_at(reader, 0, 5) == BODY[:5]
    assert read_at(reader, 1000, 5) == BODY[1000:1005]
    for position in (500, 500, 0):
        with pytest.raises(Unavailable):
            read_at(reader, position, 5)


def open_failing(body: bytes) -> Reader:
    info = ObjectInfo("k", len(body), "e", 0.0, "image/png")
    return Reader(BlockReader(len(body), len(body) // 4, Failing(body).fetch), info, 1024)


def test_a_failed_read_that_libvips_hides_comes_out_at_the_end():
    body = pyvips.Image.gaussnoise(100, 100).cast("uchar").pngsave_buffer(compression=0)
    with pytest.raises(Unavailable), open_failing(body) as reader:
        source = pyvips.SourceCustom()
        source.on_read(lambda length: quietly(reader.read, length))
        source.on_seek(reader.seek)
        pyvips.Image.new_from_source(source, "", fail_on="none").avg()


def quietly(read, length):
    """pyvips prints what a callback raises; here it only has to be lost."""
    try:
        return read(length)
    except Unavailable:
        return b""


def test_a_failed_read_is_the_reason_for_what_follows_from_it():
    for consequence in (CorruptMedia("truncated"), ValueError("short")):
        with pytest.raises(Unavailable), open_failing(BODY) as reader:
            quietly(reader.read, -1)
            raise consequence
    with pytest.raises(KeyboardInterrupt), open_failing(BODY) as reader:
        quietly(reader.read, -1)
        raise KeyboardInterrupt
    with pytest.raises(Unavailable) as caught, open_failing(BODY) as reader:
        reader.read()
    assert caught.value is reader.failure
    with open_failing(BODY) as reader:
        assert reader.read(10) == BODY[:10]
    assert reader.failure is None


def test_positions_are_those_of_a_file(reader):
    assert reader.seek(-50, io.SEEK_END) == 5000
    assert reader.seek(20, io.SEEK_CUR) == 5020
    with pytest.raises(OSError, match="before the beginning"):
        reader.seek(-1)
    assert reader.tell() == 5020
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.readinto(bytearray(1))
