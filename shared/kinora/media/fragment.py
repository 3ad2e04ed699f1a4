"""Writes one CMAF media segment (`styp`, `moof`, `mdat`) from encoded samples; called by the segment function, never reads media.

Own code, because a segment made alone must carry the decode times and durations that it would have in a whole stream.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

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


def write_fragment(sequence: int, samples: Sequence[Sample], start: int, end: int) -> bytes:
    """Return the segment that covers `[start, end)` in ticks, with `tfdt` = `start` (ISO/IEC 14496-12 §8.8, 23000-19).

    `samples` are in decode order, with distinct presentation times of which the smallest is `start`.
    """
    decoded = decode_times([sample.presented for sample in samples])
    rows = b"".join(
        struct.pack(
            ">IIIi",
            following - time,
            len(sample.data),
            _SYNC_SAMPLE if sample.is_sync else _OTHER_SAMPLE,
            sample.presented - time,
        )
        for sample, time, following in zip(samples, decoded, [*decoded[1:], end], strict=True)
    )
    moof = _moof(sequence, start, len(samples), rows, 0)
    moof = _moof(sequence, start, len(samples), rows, len(moof) + 8)
    styp = _box(b"styp", b"msdh", struct.pack(">I", 0), b"msdhmsixcmfs")
    return b"".join((styp, moof, _box(b"mdat", *(sample.data for sample in samples))))


def decode_times(presented: Sequence[int]) -> list[int]:
    """Ascending decode times for presentation times in decode order, beginning with the smallest of them.

    No picture is decoded after it is shown, so no composition offset is negative: FFmpeg would delay the whole track by the
    largest one. Pictures that must be decoded ahead of an earlier one share the time before that one evenly.
    """
    latest = list(accumulate(reversed(presented), min))[::-1]
    times: list[int] = []
    for limit, group in groupby(latest):
        count = len(list(group))
        last = times[-1] if times else limit
        times += [last + (limit - last) * place // count for place in range(1, count + 1)]
    return times


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
