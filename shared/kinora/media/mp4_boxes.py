"""Boxes of MP4 (ISO/IEC 14496-12 §4.2): finding those inside a piece of bytes, and making new ones. Called by the progressive export."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from kinora.errors import CorruptMedia


def children(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and contents of the boxes that `data` consists of; raises CorruptMedia if one is cut off."""
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise CorruptMedia("a box is cut off")
        size, kind = struct.unpack_from(">I4s", data, position)
        if size < 8 or position + size > len(data):
            raise CorruptMedia(f"box {kind!r} of {size} bytes does not fit")
        yield kind, data[position + 8 : position + size]
        position += size


def find(data: bytes, *path: bytes) -> bytes | None:
    """The contents of the first box along `path`, or None."""
    for wanted in path:
        found = next((inner for kind, inner in children(data) if kind == wanted), None)
        if found is None:
            return None
        data = found
    return data


def need(data: bytes, *path: bytes) -> bytes:
    """As `find`; raises CorruptMedia where there is no such box."""
    found = find(data, *path)
    if found is None:
        raise CorruptMedia(f"no box {b'/'.join(path)!r}")
    return found


def box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)
