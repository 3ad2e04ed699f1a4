"""The samples of one track that lies in CMAF segments: durations, sizes, offsets and places, read from the segments' headers alone.

Called by the progressive export. Holds a few bytes per sample and never a sample's data.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from kinora.errors import CorruptMedia
from kinora.media.mp4_boxes import find, need

OpenSegment = Callable[[], BinaryIO]

_LONGEST_HEADER = 64 * 1024 * 1024
_NOT_SYNC = 0x1_0000
_DATA_OFFSET, _FIRST_FLAGS, _DURATION, _SIZE, _FLAGS, _OFFSET = 0x1, 0x4, 0x100, 0x200, 0x400, 0x800  # `trun`, §8.8.8
_BASE_OFFSET, _DESCRIPTION, _DEFAULTS = 0x1, 0x2, (0x8, 0x10, 0x20)  # `tfhd`, §8.8.7: duration, size and flags


@dataclass(frozen=True, slots=True)
class Track:
    """One track to export: its init segment and how to open each of its segments, in order."""

    init: bytes
    segments: Sequence[OpenSegment]

    @property
    def timescale(self) -> int:
        mdhd = need(self.init, b"moov", b"trak", b"mdia", b"mdhd")
        return int.from_bytes(mdhd[20:24] if mdhd[0] else mdhd[12:16])

    @property
    def delay(self) -> int:
        """By how many ticks media times are later than what is shown: the media time of its only edit (§8.6.6)."""
        elst = find(self.init, b"moov", b"trak", b"edts", b"elst")
        if elst is None:
            return 0
        count, _, media_time = struct.unpack_from(">IQq" if elst[0] else ">IIi", elst, 4)
        if count != 1 or media_time < 0:
            raise CorruptMedia("an init segment has an edit list of another kind")
        return int(media_time)

    @property
    def is_video(self) -> bool:
        return need(self.init, b"moov", b"trak", b"mdia", b"hdlr")[8:12] == b"vide"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the samples of one segment lie: `first` is the number of its first sample, `data` the byte where that begins."""

    segment: int
    first: int
    data: int


@dataclass(slots=True)
class SampleTable:
    """In decode order; times are ticks. `start` is the decode time of the first sample."""

    start: int = 0
    end: int = 0
    durations: array[int] = field(default_factory=lambda: array("I"))
    sizes: array[int] = field(default_factory=lambda: array("I"))
    offsets: array[int] = field(default_factory=lambda: array("i"))
    is_sync: bytearray = field(default_factory=bytearray)
    places: list[Place] = field(default_factory=list)


def read_samples(track: Track) -> SampleTable:
    """Read the headers of every segment. Raises CorruptMedia if they do not follow each other."""
    table = SampleTable()
    trex = need(track.init, b"moov", b"mvex", b"trex")
    defaults = struct.unpack_from(">III", trex, 12)
    for number, open_segment in enumerate(track.segments):
        with open_segment() as segment:
            moof, position = _read_moof(segment)
        _append(table, number, moof, position, defaults)
    return table


def _read_moof(segment: BinaryIO) -> tuple[bytes, int]:
    """The contents of the segment's `moof` box and the byte at which the box begins."""
    position = 0
    while len(header := segment.read(8)) == 8:
        size, kind = struct.unpack(">I4s", header)
        if not 8 <= size <= _LONGEST_HEADER:
            break
        if kind == b"moof":
            return segment.read(size - 8), position
        position += size
        segment.seek(position)
    raise CorruptMedia("a segment has no moof box")


def _append(table: SampleTable, number: int, moof: bytes, position: int, defaults: tuple[int, ...]) -> None:
    traf = need(moof, b"traf")
    tfdt, trun = need(traf, b"tfdt"), need(traf, b"trun")
    decoded = int.from_bytes(tfdt[4:12] if tfdt[0] else tfdt[4:8])
    _join(table, decoded)
    duration, size, flags = _defaults(need(traf, b"tfhd"), defaults)
    fields = int.from_bytes(trun[1:4])
    (count,) = struct.unpack_from(">I", trun, 4)
    cursor, data = 8, position + len(moof) + 16
    if fields & _DATA_OFFSET:
        data = position + struct.unpack_from(">i", trun, cursor)[0]
        cursor += 4
    first_flags = None
    if fields & _FIRST_FLAGS:
        (first_flags,) = struct.unpack_from(">I", trun, cursor)
        cursor += 4
    layout = struct.Struct(
        ">" + "".join("I" for flag in (_DURATION, _SIZE, _FLAGS) if fields & flag) + ("i" if fields & _OFFSET else "")
    )
    if len(trun) != cursor + count * layout.size:
        raise CorruptMedia("a trun box does not hold what it says")
    table.places.append(Place(number, len(table.sizes), data))
    for row in range(count):
        values = list(layout.unpack_from(trun, cursor + row * layout.size))
        table.durations.append(values.pop(0) if fields & _DURATION else duration)
        table.sizes.append(values.pop(0) if fields & _SIZE else size)
        own = values.pop(0) if fields & _FLAGS else first_flags if row == 0 and first_flags is not None else flags
        table.is_sync.append(not own & _NOT_SYNC)
        table.offsets.append(values.pop(0) if fields & _OFFSET else 0)
        decoded += table.durations[-1]
    table.end = decoded


def _join(table: SampleTable, decoded: int) -> None:
    """Let the last sample reach to `decoded`, where the next one begins."""
    if not table.sizes:
        table.start = decoded
        return
    last = table.durations[-1] + decoded - table.end
    if last < 0:
        raise CorruptMedia("segments overlap")
    table.durations[-1] = last


def _defaults(tfhd: bytes, defaults: tuple[int, ...]) -> list[int]:
    """Duration, size and flags of samples that have none of their own."""
    flags = int.from_bytes(tfhd[1:4])
    cursor = 8 + (8 if flags & _BASE_OFFSET else 0) + (4 if flags & _DESCRIPTION else 0)
    found = list(defaults)
    for place, flag in enumerate(_DEFAULTS):
        if flags & flag:
            (found[place],) = struct.unpack_from(">I", tfhd, cursor)
            cursor += 4
    return found
