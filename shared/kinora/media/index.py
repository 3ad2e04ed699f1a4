"""Reads the times of every picture of a video stream without decoding any. Called by planning, never by an encode.

For MP4 and MOV the sample tables say everything: the pictures' own bytes are never fetched. Other containers are demuxed once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from kinora.media.container import decoding, demux, open_original

_HEAD = 4096  # bytes


@dataclass(frozen=True, slots=True)
class PictureTime:
    """One coded picture in decode order. `pts` and `duration` are in the stream's time base, 0 is an unknown duration.

    Pictures that an edit list hides are decoded but not shown. `size` and `position` are in bytes; `head` are the first bytes of
    a keyframe, where the container had to be read anyway.
    """

    pts: int
    duration: int
    is_keyframe: bool
    is_shown: bool
    size: int = 0
    position: int = 0
    head: bytes = b""


def read_picture_times(file: BinaryIO, demuxer: str, stream_index: int) -> list[PictureTime]:
    """List the pictures of one stream in decode order, as far as the file really goes; raises CorruptMedia."""
    size = file.seek(0, 2)
    source = _SampleSkipper(file)
    is_reordered = False
    times: list[PictureTime] = []
    with open_original(cast("BinaryIO", source), demuxer, as_stored=True) as container:
        if demuxer == "mov":
            source.skip(_sample_ranges(container))
        for packet in _packets(container, only_stream(container, stream_index)):
            pts = picture_pts(packet, demuxer)
            is_cut_off = demuxer == "mov" and packet.pos is not None and packet.pos + packet.size > size
            if pts is not None and packet.size and not is_cut_off:
                is_reordered |= pts != packet.pts and packet.pts is not None
                times.append(_picture_time(packet, pts, has_bytes=demuxer != "mov"))
    return _with_one_entry(times) if is_reordered else times


def _picture_time(packet: Packet[VideoStream], pts: int, *, has_bytes: bool) -> PictureTime:
    head = bytes(memoryview(packet)[:_HEAD]) if has_bytes and packet.is_keyframe else b""
    duration = max(packet.duration or 0, 0)
    return PictureTime(pts, duration, packet.is_keyframe, not packet.is_discard, packet.size, packet.pos or 0, head)


def picture_pts(packet: Packet[VideoStream], demuxer: str) -> int | None:
    """The presentation time of a packet. AVI stores none: there the n-th picture shown has the time of the n-th stored."""
    return packet.dts if packet.pts is None or demuxer == "avi" else packet.pts


def _with_one_entry(times: list[PictureTime]) -> list[PictureTime]:
    """Where pictures are counted and reordered, only decoding from the start counts right."""
    first = next((place for place, time in enumerate(times) if time.is_keyframe), 0)
    return [replace(time, is_keyframe=place == first) for place, time in enumerate(times)]


def only_stream(container: InputContainer, index: int) -> VideoStream:
    """The video stream with that index; packets of all others are left out by the demuxer."""
    for other in container.streams:
        if other.index != index:
            other.discard = Discard.all
    return next(stream for stream in container.streams.video if stream.index == index)


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Damage ends a container's packets early; what came before it counts."""
    try:
        yield from demux(container, stream)
    except av.FFmpegError:
        return


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
