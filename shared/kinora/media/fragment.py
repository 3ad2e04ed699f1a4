"""Writes one CMAF media segment (`styp`, `moof`, `mdat`) from encoded samples; called by the segment function, never reads media.

Own code, because a segment made alone must carry the decode times and durations that it would have in a whole stream.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

_SYNC_SAMPLE = 0x0200_0000  # depends on no other sample
_OTHER_SAMPLE = 0x0101_0000  # depends on others and is not a sync sample
_DEFAULT_BASE_IS_MOOF = 0x02_0000
_TRUN_FIELDS = 0x00_0F01  # data offset; duration, size, flags and composition offset of every sample


@dataclass(frozen=True, slots=True)
class Sample:
    """One encoded picture in decode order; `presented` is its presentation time in ticks of the track's timescale."""

    presented: int
    is_sync: bool
    data: bytes


def write_fragment(sequence: int, samples: Sequence[Sample], start: int, end: int, delay: int = 0) -> bytes:
    """Return the segment that covers `[start, end)` in ticks, with `tfdt` = `start` (ISO/IEC 14496-12 §8.8, 23000-19).

    `samples` are in decode order, with distinct presentation times of which the smallest is `start`; in the segment they are
    `delay` ticks later, for a header made by `with_delay`.
    """
    decoded = decode_times([sample.presented for sample in samples], delay)
    rows = b"".join(
        struct.pack(
            ">IIIi",
            following - time,
            len(sample.data),
            _SYNC_SAMPLE if sample.is_sync else _OTHER_SAMPLE,
            sample.presented + delay - time,
        )
        for sample, time, following in zip(samples, decoded, [*decoded[1:], end], strict=True)
    )
    moof = _moof(sequence, start, len(samples), rows, 0)
    moof = _moof(sequence, start, len(samples), rows, len(moof) + 8)
    styp = _box(b"styp", b"msdh", struct.pack(">I", 0), b"msdhmsixcmfs")
    return b"".join((styp, moof, _box(b"mdat", *(sample.data for sample in samples))))


def decode_times(presented: Sequence[int], delay: int) -> list[int]:
    """Ascending decode times for presentation times in decode order, beginning with the smallest of them.

    No picture is decoded later than `delay` ticks after its time, so no composition offset is negative: FFmpeg would delay the
    whole track by the largest one. Where `delay` covers the reordering, the n-th picture is decoded when the n-th is shown: from
    other times FFmpeg would guess another frame rate. `delay` is at least the number of places that pictures are moved by.
    """
    times: list[int] = []
    latest = following = max(presented) + delay + 1
    for grid, shown in zip(sorted(presented, reverse=True), reversed(presented), strict=True):
        latest = min(latest, shown + delay)
        following = min(grid, latest, following - 1)
        times.append(following)
    return times[::-1]


def _moof(sequence: int, start: int, count: int, rows: bytes, data_offset: int) -> bytes:
    return _box(
        b"moof",
        _full_box(b"mfhd", 0, 0, struct.pack(">I", sequence)),
        _box(
            b"traf",
            _full_box(b"tfhd", 0, _DEFAULT_BASE_IS_MOOF, struct.pack(">I", 1)),
            _full_box(b"tfdt", 1, 0, struct.pack(">Q", start)),
            _full_box(b"trun", 1, _TRUN_FIELDS, struct.pack(">Ii", count, data_offset), rows),
        ),
    )


def _full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)
