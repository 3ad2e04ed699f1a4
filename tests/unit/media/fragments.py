"""Takes fragmented MP4 apart for tests, with nothing of Kinora's own: boxes, decode times and samples of a segment."""

from __future__ import annotations

import struct
from dataclasses import dataclass


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes that `data` consists of, as (type, payload)."""
    found, position = [], 0
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        assert size >= 8
        found.append((kind, data[position + 8 : position + size]))
        position += size
    assert position == len(data)
    return found


def inside(data: bytes, *path: bytes) -> bytes:
    for kind in path:
        data = next(payload for found, payload in boxes(data) if found == kind)
    return data


@dataclass(frozen=True)
class Segment:
    """Times are ticks; `presented` and `decoded` are in decode order; `nal_types` are those of the first sample."""

    start: int
    end: int
    decoded: list[int]
    presented: list[int]
    is_sync: list[bool]
    nal_types: list[int]


def read_segment(data: bytes, delay: int = 0) -> Segment:
    """`delay` is what the edit list of the header takes from presentation times."""
    traf = inside(data, b"moof", b"traf")
    (start,) = struct.unpack(">Q", inside(traf, b"tfdt")[4:])
    trun = inside(traf, b"trun")
    (count,) = struct.unpack_from(">I", trun, 4)
    rows = [struct.unpack_from(">IIIi", trun, 12 + 16 * row) for row in range(count)]
    decoded = [start]
    for duration, *_ in rows:
        decoded.append(decoded[-1] + duration)
    payload = inside(data, b"mdat")
    assert sum(size for _, size, _, _ in rows) == len(payload)
    return Segment(
        start=start,
        end=decoded[-1],
        decoded=decoded[:-1],
        presented=[time + row[3] - delay for time, row in zip(decoded, rows, strict=False)],
        is_sync=[not row[2] & 0x1_0000 for row in rows],
        nal_types=_nal_types(payload[: rows[0][1]]),
    )


def _nal_types(sample: bytes) -> list[int]:
    types, position = [], 0
    while position < len(sample):
        (size,) = struct.unpack_from(">I", sample, position)
        types.append(sample[position + 4] & 0x1F)
        position += 4 + size
    return types
