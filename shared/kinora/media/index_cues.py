"""The pictures of a Matroska or WebM file whose index, the cues (RFC 9559 §22), lists the keyframes: a room of `index`.

Fetches the cues, some keyframes to see whether they are right, and the pictures of those stretches in which segments may have
to begin at others: the beginning, the end, and where keyframes are far apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import BinaryIO

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from kinora.media.container import open_original
from kinora.media.picture_times import PictureIndex, PictureTime, only_stream, picture_of, readable_packets

_SMALL = 4 << 20  # bytes that are read at once
_HEAD = 8  # seconds in which the first segments may begin at any picture
_LONGEST_GAP = 8  # seconds between keyframes up to which no segment needs to begin in between
_SAMPLED = 8  # keyframes that are looked at besides
_SLACK = 4096  # bytes of the keyframe's cluster that may lie before it and belong to the group before

_Entry = tuple[int, int]  # pts and byte


class _Contradiction(Exception):
    """The file is not what the index says."""


def read_cues(file: BinaryIO, demuxer: str, stream_index: int) -> PictureIndex | None:
    """Keyframes, and all pictures where they matter; None if there are no cues or wrong ones. Raises CorruptMedia."""
    size = file.seek(0, 2)
    if size < _SMALL:
        return None
    with open_original(file, demuxer) as container:
        stream = only_stream(container, stream_index)
        try:
            return _read(container, stream, size)
        except (_Contradiction, av.FFmpegError):
            return None


def _read(container: InputContainer, stream: VideoStream, size: int) -> PictureIndex | None:
    first = next((one for one in readable_packets(container, stream) if one.size), None)
    entries = _entries(container, stream)
    if first is None or len(entries) < 2 or first.pts != entries[0][0] or entries[-1][1] >= size:
        return None
    stretches = _stretches(entries, stream)
    ends = [*(byte for _, byte in entries), size]
    if sum(ends[stop] - ends[begin] for begin, stop in stretches) > size // 2:
        return None
    reader = _Reader(container, stream, entries)
    keyframes = _keyframes(entries, size)
    inside = {n for begin, stop in stretches for n in range(begin, stop)}
    outside = [n for n in range(len(entries)) if n not in inside]
    for n in outside[:: max(1, len(outside) // _SAMPLED)]:
        keyframes[n] = replace(keyframes[n], head=reader.keyframe(n).head)
    return _joined(keyframes, {begin: reader.stretch(begin, stop) for begin, stop in stretches}, dict(stretches))


def _entries(container: InputContainer, stream: VideoStream) -> list[_Entry]:
    """The cues, which FFmpeg reads at the first seek; raises _Contradiction if they go back in time or in the file."""
    container.seek(stream.start_time or 0, stream=stream)
    entries = [(entry.timestamp, entry.pos) for entry in stream.index_entries if entry.is_keyframe]
    if any(one[0] >= other[0] or one[1] > other[1] for one, other in pairwise(entries)):
        raise _Contradiction
    return entries


def _stretches(entries: Sequence[_Entry], stream: VideoStream) -> list[tuple[int, int]]:
    """Which entries are followed by pictures that have to be known, as ranges of places; the last one reaches to the end."""
    ticks = 1 / (stream.time_base or 1)
    start, last = entries[0][0], len(entries) - 1
    wanted = [
        n
        for n, (time, _) in enumerate(entries)
        if n == last or time < start + _HEAD * ticks or entries[n + 1][0] - time > _LONGEST_GAP * ticks
    ]
    ranges: list[tuple[int, int]] = []
    for n in wanted:
        if ranges and ranges[-1][1] == n:
            ranges[-1] = (ranges[-1][0], n + 1)
        else:
            ranges.append((n, n + 1))
    return ranges


def _keyframes(entries: Sequence[_Entry], size: int) -> list[PictureTime]:
    """Each with all bytes up to the next: other streams lie in between, so they are a bound."""
    ends = [byte for _, byte in entries[1:]] + [size]
    keyframes: list[PictureTime] = []
    for (time, byte), end in zip(entries, ends, strict=True):
        keyframes.append(PictureTime(time, 0, is_keyframe=True, is_shown=True, size=end - byte + _SLACK))
    return keyframes


def _joined(keyframes: Sequence[PictureTime], found: dict[int, list[PictureTime]], stops: dict[int, int]) -> PictureIndex:
    """The keyframes, those of the stretches replaced by all pictures that were `found` there."""
    pictures: list[PictureTime] = []
    stretches: list[tuple[int, int]] = []
    n = 0
    while n < len(keyframes):
        if n in found:
            pictures += found[n]
            stop = stops[n]
            end = keyframes[stop].pts if stop < len(keyframes) else max(one.pts + max(one.duration, 1) for one in found[n])
            stretches.append((keyframes[n].pts, end))
            n = stop
        else:
            pictures.append(keyframes[n])
            n += 1
    return PictureIndex(pictures, tuple(stretches))


class _Reader:
    """Reads at the entries of the index; raises _Contradiction where it finds something else."""

    def __init__(self, container: InputContainer, stream: VideoStream, entries: Sequence[_Entry]) -> None:
        self._container = container
        self._stream = stream
        self._entries = entries

    def keyframe(self, n: int) -> PictureTime:
        """The keyframe of entry `n`."""
        packet = next(self._packets_from(n), None)
        if packet is None:
            raise _Contradiction
        return picture_of(packet, self._entries[n][0])

    def stretch(self, begin: int, stop: int) -> list[PictureTime]:
        """All pictures shown from entry `begin` up to entry `stop`, or to the end: some may be stored behind that keyframe."""
        goal = self._entries[stop][0] if stop < len(self._entries) else None
        pictures: list[PictureTime] = []
        has_arrived = False
        for packet in self._packets_from(begin):
            if packet.pts is None or not packet.size:
                continue
            if goal is None or packet.pts < goal:
                pictures.append(picture_of(packet, packet.pts))
            elif has_arrived:
                return pictures
            elif packet.is_keyframe:
                has_arrived = packet.pts == goal
                if not has_arrived:
                    raise _Contradiction
        if goal is not None and not has_arrived:
            raise _Contradiction
        return pictures

    def _packets_from(self, n: int) -> Iterator[Packet[VideoStream]]:
        time = self._entries[n][0]
        self._container.seek(time, stream=self._stream)
        packets = readable_packets(self._container, self._stream)
        first = next((one for one in packets if one.size), None)
        if first is None or first.pts != time or not first.is_keyframe:
            raise _Contradiction
        yield first
        yield from packets
