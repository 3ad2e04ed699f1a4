"""Writes the `moov` box of a progressive MP4 (ISO/IEC 14496-12 §8.2) from sample tables. Called by the progressive export."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from kinora.media.mp4_boxes import box, full_box, need

_MATRIX = struct.pack(">9i", 0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000)
_NORMAL_SPEED = 0x1_0000
_SHOWN = 0x3  # enabled, and part of the presentation


@dataclass(frozen=True, slots=True)
class MovieTrack:
    """One track as it is written: `init` gives its description, the arrays its samples in decode order.

    It is shown `empty` ticks after the beginning, from media time `media_time` on, for `shown` ticks. `chunk_counts` and
    `chunk_places` are, per chunk, its samples and its first byte in the file.
    """

    init: bytes
    timescale: int
    empty: int
    media_time: int
    shown: int
    durations: Sequence[int]
    sizes: Sequence[int]
    offsets: Sequence[int]
    is_sync: Sequence[int]
    chunk_counts: Sequence[int]
    chunk_places: Sequence[int]


def write_moov(tracks: Sequence[MovieTrack]) -> bytes:
    """The same number of bytes for the same tracks, whatever `chunk_places` holds."""
    timescale = max(track.timescale for track in tracks)  # so that no duration is rounded to a coarser grid
    duration = max(_rescaled(track.empty + track.shown, track, timescale) for track in tracks)
    times = struct.pack(">QQIQ", 0, 0, timescale, duration)
    rest = struct.pack(">IH10x", _NORMAL_SPEED, 0x100) + _MATRIX + bytes(24) + struct.pack(">I", len(tracks) + 1)
    traks = [_trak(number, track, timescale) for number, track in enumerate(tracks, 1)]
    return box(b"moov", full_box(b"mvhd", 1, 0, times, rest), *traks)


def _trak(number: int, track: MovieTrack, timescale: int) -> bytes:
    trak = need(track.init, b"moov", b"trak")
    tkhd, mdhd = need(trak, b"tkhd"), need(trak, b"mdia", b"mdhd")
    duration = _rescaled(track.empty + track.shown, track, timescale)
    header = struct.pack(">QQIIQ", 0, 0, number, 0, duration) + (tkhd[36:] if tkhd[0] else tkhd[24:])
    media = struct.pack(">QQIQ", 0, 0, track.timescale, sum(track.durations)) + mdhd[-4:]
    kind = need(trak, b"mdia", b"hdlr")
    minf = need(trak, b"mdia", b"minf")
    about = b"vmhd" if kind[8:12] == b"vide" else b"smhd"
    return box(
        b"trak",
        full_box(b"tkhd", 1, _SHOWN, header),
        box(b"edts", _elst(track, timescale)),
        box(
            b"mdia",
            full_box(b"mdhd", 1, 0, media),
            box(b"hdlr", kind),
            box(b"minf", box(about, need(minf, about)), box(b"dinf", need(minf, b"dinf")), _stbl(track, minf)),
        ),
    )


def _elst(track: MovieTrack, timescale: int) -> bytes:
    edits = [(_rescaled(track.shown, track, timescale), track.media_time)]
    if track.empty:
        edits.insert(0, (_rescaled(track.empty, track, timescale), -1))
    rows = [struct.pack(">QqI", length, media_time, _NORMAL_SPEED) for length, media_time in edits]
    return full_box(b"elst", 1, 0, struct.pack(">I", len(rows)), *rows)


def _stbl(track: MovieTrack, minf: bytes) -> bytes:
    parts = [box(b"stsd", need(minf, b"stbl", b"stsd")), full_box(b"stts", 0, 0, _runs(track.durations, ">II"))]
    if any(track.offsets):
        is_signed = min(track.offsets) < 0
        parts.append(full_box(b"ctts", int(is_signed), 0, _runs(track.offsets, ">Ii" if is_signed else ">II")))
    if not all(track.is_sync):
        numbers = [number for number, is_sync in enumerate(track.is_sync, 1) if is_sync]
        parts.append(full_box(b"stss", 0, 0, struct.pack(f">I{len(numbers)}I", len(numbers), *numbers)))
    parts += [
        full_box(b"stsc", 0, 0, _chunk_runs(track.chunk_counts)),
        full_box(b"stsz", 0, 0, struct.pack(">II", 0, len(track.sizes)), _words("I", track.sizes)),
        full_box(b"co64", 0, 0, struct.pack(">I", len(track.chunk_places)), _words("Q", track.chunk_places)),
    ]
    return box(b"stbl", *parts)


def _runs(values: Iterable[int], layout: str) -> bytes:
    rows = [struct.pack(layout, sum(1 for _ in same), value) for value, same in groupby(values)]
    return struct.pack(">I", len(rows)) + b"".join(rows)


def _chunk_runs(counts: Sequence[int]) -> bytes:
    rows, chunk = [], 1
    for count, same in groupby(counts):
        rows.append(struct.pack(">III", chunk, count, 1))
        chunk += sum(1 for _ in same)
    return struct.pack(">I", len(rows)) + b"".join(rows)


def _words(code: str, values: Sequence[int]) -> bytes:
    words = array(code, values)
    return struct.pack(f">{len(words)}{code}", *words)


def _rescaled(ticks: int, track: MovieTrack, timescale: int) -> int:
    return (ticks * timescale + track.timescale // 2) // track.timescale
