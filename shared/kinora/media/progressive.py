"""One MP4 for progressive download from the CMAF segments of a rendition and an audio track: nothing is decoded or encoded.

Called by the pipeline for proxies and moments. Segments are read twice, first their headers, then their data in the order of
time; besides a few bytes per sample nothing is held.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import BinaryIO, Self, cast

from kinora.errors import CorruptMedia
from kinora.media.movie_header import MovieTrack, write_moov
from kinora.media.mp4_boxes import box
from kinora.media.sample_table import OpenSegment, Place, SampleTable, Track, read_samples

_CHUNK_SECONDS = Fraction(1, 2)
_PRE_ROLL = 1  # samples of sound before a window, from which the decoder takes the overlap
_FTYP = box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso4mp41mp42")
_MDAT_HEADER = 16  # always with a 64-bit size

Window = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Samples of one track that lie together in a segment and in the file: `count` samples, `size` bytes from `position` on."""

    time: Fraction
    track: int
    segment: int
    position: int
    size: int
    count: int


class ProgressiveMovie:
    """The MP4 of `tracks`, whose times have one origin. With `window`, in seconds from that origin, only what is presented in
    it, which then begins at 0; pictures must begin exactly there. The header comes first.

    Raises CorruptMedia for segments that do not fit together or hold nothing of the window.
    """

    def __init__(self, tracks: Sequence[Track], window: Window | None = None) -> None:
        self._segments = [track.segments for track in tracks]
        planned = [_plan_track(number, track, window) for number, track in enumerate(tracks)]
        found = [one for one in planned if one is not None]
        if not found:
            raise CorruptMedia("nothing is presented in the window")
        chunks = [chunk for _, own in found for chunk in own]
        self._chunks = sorted(chunks, key=lambda chunk: (chunk.time, chunk.track))
        data = sum(chunk.size for chunk in chunks)
        length = len(_FTYP) + len(write_moov([movie for movie, _ in found])) + _MDAT_HEADER
        numbers = [own[0].track for _, own in found]
        places = _places(self._chunks, length)
        moov = write_moov([replace(movie, chunk_places=places[n]) for n, (movie, _) in zip(numbers, found, strict=True)])
        self._head = _FTYP + moov + struct.pack(">I4sQ", 1, b"mdat", _MDAT_HEADER + data)
        self.size = length + data
        self.duration = max(float(Fraction(one.empty + one.shown, one.timescale)) for one, _ in found)

    def open(self) -> BinaryIO:
        """The whole file as a stream that is read once; the segments are opened as it proceeds."""
        return cast("BinaryIO", _Stream(self._pieces()))

    def _pieces(self) -> Iterator[bytes]:
        yield self._head
        with ExitStack() as stack:
            readers = [stack.enter_context(_SegmentReader(segments)) for segments in self._segments]
            for chunk in self._chunks:
                yield readers[chunk.track].read(chunk)


def _plan_track(number: int, track: Track, window: Window | None) -> tuple[MovieTrack, list[_Chunk]] | None:
    """What is written of one track, and its chunks in order; None if nothing is presented in the window."""
    table = read_samples(track)
    timescale = track.timescale
    begin, end = (0, table.end) if window is None else tuple(round(edge * timescale) for edge in window)
    first, stop, start = _kept(table, begin, end, 0 if track.is_video else _PRE_ROLL)
    end = min(end, table.end)
    if end <= max(begin, start):
        return None
    chunks = list(_chunks(number, table, first, stop, start, timescale))
    movie = MovieTrack(
        init=track.init,
        timescale=timescale,
        empty=max(start - begin, 0),
        media_time=max(begin - start, 0) + track.delay,
        shown=end - max(begin, start),
        durations=table.durations[first:stop],
        sizes=table.sizes[first:stop],
        offsets=table.offsets[first:stop],
        is_sync=table.is_sync[first:stop],
        chunk_counts=[chunk.count for chunk in chunks],
        chunk_places=[0] * len(chunks),
    )
    return movie, chunks


def _kept(table: SampleTable, begin: int, end: int, pre_roll: int) -> tuple[int, int, int]:
    """The first sample that is needed, the one after the last, and the decode time of the first."""
    time, first, start = table.start, 0, table.start
    for n, duration in enumerate(table.durations):
        if time >= end:
            return first, n, start
        time += duration
        if time <= begin:
            first = max(n + 1 - pre_roll, 0)
            start = time - sum(table.durations[first : n + 1])
    return first, len(table.sizes), start


def _chunks(number: int, table: SampleTable, first: int, stop: int, start: int, timescale: int) -> Iterator[_Chunk]:
    longest = int(_CHUNK_SECONDS * timescale)
    time = start
    for place, place_stop in _stretches(table, first, stop):
        n, position = max(place.first, first), place.data + sum(table.sizes[place.first : max(place.first, first)])
        while n < place_stop:
            begin, count, size, length = n, 0, 0, 0
            while n < place_stop and (count == 0 or length + table.durations[n] <= longest):
                length += table.durations[n]
                size += table.sizes[n]
                count += 1
                n += 1
            yield _Chunk(Fraction(time, timescale), number, place.segment, position, size, n - begin)
            time += length
            position += size


def _stretches(table: SampleTable, first: int, stop: int) -> Iterator[tuple[Place, int]]:
    """The segments that hold samples of `[first, stop)`, each with the number after its last one."""
    ends = [*(place.first for place in table.places[1:]), len(table.sizes)]
    for place, end in zip(table.places, ends, strict=True):
        if end > first and place.first < stop:
            yield place, min(end, stop)


def _places(chunks: Sequence[_Chunk], position: int) -> dict[int, list[int]]:
    """By track, the byte of the file at which each chunk begins."""
    places: dict[int, list[int]] = {}
    for chunk in chunks:
        places.setdefault(chunk.track, []).append(position)
        position += chunk.size
    return places


class _SegmentReader:
    """Reads chunks of one track in order, with at most one segment open."""

    def __init__(self, segments: Sequence[OpenSegment]) -> None:
        self._segments = segments
        self._opened: tuple[int, BinaryIO] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, chunk: _Chunk) -> bytes:
        if self._opened is None or self._opened[0] != chunk.segment:
            self._stack.close()
            self._opened = chunk.segment, self._stack.enter_context(self._segments[chunk.segment]())
        segment = self._opened[1]
        if segment.tell() != chunk.position:
            segment.seek(chunk.position)
        data = segment.read(chunk.size)
        if len(data) != chunk.size:
            raise CorruptMedia(f"segment {chunk.segment} is cut off")
        return data


class _Stream(io.RawIOBase):
    """Pieces of bytes as a file object; reads may be short."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer is a memoryview's equal
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
