"""The pictures of an MP4 or MOV from its sample tables, including those of fragments: a room of `index`.

The pictures' own bytes are never fetched.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import BinaryIO, cast

from av.container import InputContainer

from kinora.media.container import decoding, open_original
from kinora.media.picture_times import PictureIndex, PictureTime, only_stream, picture_of, picture_pts, readable_packets


def read_sample_tables(file: BinaryIO, demuxer: str, stream_index: int) -> PictureIndex:
    """All pictures whose bytes are in the file; raises CorruptMedia."""
    size = file.seek(0, 2)
    source = _SampleSkipper(file)
    times: list[PictureTime] = []
    with open_original(cast("BinaryIO", source), demuxer, as_stored=True) as container:
        source.skip(_sample_ranges(container))
        for packet in readable_packets(container, only_stream(container, stream_index)):
            pts = picture_pts(packet, demuxer)
            is_cut_off = packet.pos is not None and packet.pos + packet.size > size
            if pts is not None and packet.size and not is_cut_off:
                times.append(picture_of(packet, pts, has_bytes=False))
    return PictureIndex(times)


def _sample_ranges(container: InputContainer) -> Iterable[tuple[int, int]]:
    with decoding():
        for stream in container.streams:
            for entry in stream.index_entries:
                yield entry.pos, entry.pos + entry.size


class _SampleSkipper:
    """A file whose skipped ranges read as zeros without touching the real file: only boxes between samples are fetched."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._position = 0
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._zeros = b""

    def skip(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Treat the half-open byte `ranges` as zeros from now on."""
        self._starts, self._stops = _merge(sorted(ranges))

    def read(self, size: int) -> bytes:
        nearest = bisect_right(self._starts, self._position) - 1
        if nearest >= 0 and self._position < self._stops[nearest]:
            data = self._nothing(min(size, self._stops[nearest] - self._position))
        else:
            if nearest + 1 < len(self._starts):
                size = min(size, self._starts[nearest + 1] - self._position)
            self._file.seek(self._position)
            data = self._file.read(size)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 2:
            offset += self._file.seek(0, 2)
        elif whence == 1:
            offset += self._position
        self._position = offset
        return offset

    def tell(self) -> int:
        return self._position

    def _nothing(self, size: int) -> bytes:
        if len(self._zeros) != size:
            self._zeros = bytes(size)
        return self._zeros


def _merge(ranges: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    starts: list[int] = []
    stops: list[int] = []
    for start, stop in ranges:
        if stops and start <= stops[-1]:
            stops[-1] = max(stops[-1], stop)
        else:
            starts.append(start)
            stops.append(stop)
    return starts, stops
