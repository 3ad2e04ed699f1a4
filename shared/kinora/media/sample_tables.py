"""Looks at an MP4's sample counts before FFmpeg does, which believes them and reserves gigabytes. Called by the probe."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from kinora.errors import CorruptMedia

_WAY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz")  # ISO/IEC 14496-12 §8.7.3
_ALWAYS_ALLOWED = 1 << 20
_MOST_BOXES = 1000  # on one level; files have a few


def check_sample_counts(file: BinaryIO) -> None:
    """Raise CorruptMedia if a track claims more samples than the file has bytes."""
    size = file.seek(0, 2)
    for start, _ in _boxes_at(file, _WAY, 0, size):
        file.seek(start + 8)
        count = int.from_bytes(file.read(4), "big")
        if count > max(size, _ALWAYS_ALLOWED):
            raise CorruptMedia(f"a track claims {count} samples in a file of {size} bytes")


def _boxes_at(file: BinaryIO, way: tuple[bytes, ...], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where the content of every box lies that is reached by the names of `way`, from the level between `start` and `stop`."""
    for name, begin, end in _level(file, start, stop):
        if name == way[0]:
            if len(way) == 1:
                yield begin, end
            else:
                yield from _boxes_at(file, way[1:], begin, end)


def _level(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    for _ in range(_MOST_BOXES):
        file.seek(start)
        head = file.read(16)
        if start + 8 > stop or len(head) < 8:
            return
        size, name = struct.unpack_from(">I4s", head)
        content = start + 8
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack_from(">Q", head, 8)
            content = start + 16
        end = stop if size == 0 else min(start + size, stop)
        if end < content:
            return
        yield name, content, end
        start = end
