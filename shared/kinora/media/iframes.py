"""I-frame playlists (RFC 8216 §4.3.3.6): the first picture of every segment, as a range of its bytes; for clear streams only.

Called when all segments of a rendition exist. Knows nothing of storage: the caller brings the beginnings of the segments.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

HEAD_BYTES = 16 * 1024  # of a segment, in which its headers nearly always end
_DATA_OFFSET, _FIRST_FLAGS, _DURATION, _SIZE = 0x1, 0x4, 0x100, 0x200  # of `trun` (ISO/IEC 14496-12 §8.8.8)
_BASE_OFFSET, _DESCRIPTION, _DEFAULT_DURATION, _DEFAULT_SIZE = 0x1, 0x2, 0x8, 0x10  # of `tfhd` (§8.8.7)


def headers_end(head: bytes) -> int | None:
    """Where the headers (up to the end of `moof`) of the segment that begins with `head` end; None if that is further away."""
    for kind, start, stop in _boxes(head, 0, len(head)):
        if kind == b"moof":
            return stop
        if start >= len(head):
            break
    return None


def first_sample_end(head: bytes) -> int | None:
    """How many bytes of a segment are needed for its first sample; None unless its headers are whole within `head`."""
    moof = _find(head, 0, len(head), b"moof")
    if moof is None or moof[1] > len(head):
        return None
    traf = _find(head, *moof, b"traf")
    tfhd, trun = (_find(head, *traf, kind) for kind in (b"tfhd", b"trun")) if traf else (None, None)
    if tfhd is None or trun is None:
        return None
    flags = _flags(head, trun)
    position = trun[0] + 8
    offset = 0
    if flags & _DATA_OFFSET:
        (offset,) = struct.unpack_from(">i", head, position)
        position += 4
    position += 4 if flags & _FIRST_FLAGS else 0
    position += 4 if flags & _DURATION else 0
    size = struct.unpack_from(">I", head, position)[0] if flags & _SIZE else _default_size(head, tfhd)
    return None if size is None else moof[0] - 8 + offset + size


def _default_size(head: bytes, tfhd: tuple[int, int]) -> int | None:
    flags = _flags(head, tfhd)
    if not flags & _DEFAULT_SIZE:
        return None
    before = ((_BASE_OFFSET, 8), (_DESCRIPTION, 4), (_DEFAULT_DURATION, 4))
    position = tfhd[0] + 8 + sum(length for flag, length in before if flags & flag)
    size: int = struct.unpack_from(">I", head, position)[0]
    return size


def _flags(head: bytes, box: tuple[int, int]) -> int:
    return int.from_bytes(head[box[0] + 1 : box[0] + 4])


def _find(head: bytes, start: int, stop: int, wanted: bytes) -> tuple[int, int] | None:
    """The contents of the first such box."""
    return next(((first, end) for kind, first, end in _boxes(head, start, stop) if kind == wanted), None)


def _boxes(head: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, and first and last byte + 1 of the contents, of the boxes that begin between `start` and `stop`."""
    while start + 8 <= stop:
        size, kind = struct.unpack_from(">I4s", head, start)
        if size < 8:
            return
        yield kind, start + 8, start + size
        start += size
