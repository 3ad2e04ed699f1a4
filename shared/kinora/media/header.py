"""Changes the header that FFmpeg writes for one track where FFmpeg cannot: the edit list, the decoder's configuration.

Called where init segments are made; knows only boxes (ISO/IEC 14496-12).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_DESCRIPTION = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")


def with_delay(init: bytes, delay: int) -> bytes:
    """The header of a track whose media times are `delay` ticks later than what is shown (§8.6.6)."""
    if delay == 0:
        return init
    edit = struct.pack(">IIiI", 1, 0, delay, 0x1_0000)  # one edit: from `delay` on, without an end, at normal speed
    elst = struct.pack(">I4sI", 12 + len(edit), b"elst", 0) + edit
    edts = struct.pack(">I4s", 8 + len(elst), b"edts") + elst
    _, after = _place(init, b"tkhd")
    return _spliced(init, after, after, edts, (b"moov", b"trak"))


def with_configuration(init: bytes, record: bytes) -> bytes:
    """The header of an H.264 track with `record` as the decoder's configuration (ISO/IEC 14496-15 §5.4.2)."""
    start, end = _place(init, b"avcC")
    return _spliced(init, start, end, struct.pack(">I4s", 8 + len(record), b"avcC") + record, _DESCRIPTION)


def _spliced(init: bytes, start: int, end: int, box: bytes, around: Sequence[bytes]) -> bytes:
    changed = bytearray(init[:start] + box + init[end:])
    for kind in around:
        at, stop = _place(init, kind)
        struct.pack_into(">I", changed, at, stop - at + len(box) - (end - start))
    return bytes(changed)


def _place(init: bytes, kind: bytes) -> tuple[int, int]:
    """Where the first box of that kind within `moov` begins and ends."""
    at = init.index(kind, init.index(b"moov")) - 4
    return at, at + int.from_bytes(init[at : at + 4])
