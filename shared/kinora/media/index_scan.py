"""The pictures of an original that has no index: it is demuxed once, from end to end. A room of `index`."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, groupby
from typing import BinaryIO

from av.packet import Packet
from av.video.stream import VideoStream

from kinora.media.closed_groups import is_closed
from kinora.media.container import open_original
from kinora.media.picture_times import PictureIndex, PictureTime, only_stream, picture_of, picture_pts, readable_packets

_STRAY_SECONDS = 10  # by which a picture is ahead of those behind it, if its time is damaged
_LONGEST_STRAY = 3  # pictures; more of them mean that the clock itself was set


def scan_pictures(file: BinaryIO, demuxer: str, stream_index: int) -> PictureIndex:
    """All pictures, and where the demuxer would seek to if it remembered; raises CorruptMedia."""
    is_reordered = False
    times: list[PictureTime] = []
    with open_original(file, demuxer) as container:
        stream = only_stream(container, stream_index)
        groups = _Groups(stream.codec_context.codec.canonical_name) if demuxer == "avi" else None
        for packet in readable_packets(container, stream):
            pts = picture_pts(packet, demuxer)
            if pts is not None and packet.size:
                is_reordered |= pts != packet.pts and packet.pts is not None
                times.append(picture_of(packet, pts))
                if groups:
                    groups.add(packet)
        places = [(entry.timestamp, entry.pos) for entry in stream.index_entries if entry.is_keyframe]
    if groups and is_reordered:
        times = [replace(time, is_keyframe=is_entry) for time, is_entry in zip(times, groups.entries(), strict=True)]
    limit = round(_STRAY_SECONDS / stream.time_base) if stream.time_base else 0
    return PictureIndex(_without_strays(times, limit) if limit else times, places=tuple(places))


def _without_strays(times: list[PictureTime], limit: int) -> list[PictureTime]:
    """Leave out single pictures more than `limit` ticks ahead of everything behind them: a turned bit made hours of them."""
    earliest = list(accumulate((time.pts for time in reversed(times)), min))[::-1]
    kept: list[PictureTime] = []
    for is_stray, run in groupby(zip(times, earliest, strict=True), lambda pair: pair[0].pts - pair[1] > limit):
        found = [time for time, _ in run]
        kept += found if not is_stray or len(found) > _LONGEST_STRAY else []
    return kept


class _Groups:
    """Where pictures are counted and reordered, decoding counts right from closed groups only, and from the first keyframe."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._entries: list[bool] = []
        self._keyframe = b""

    def add(self, packet: Packet[VideoStream]) -> None:
        """The next packet of the stream."""
        data = bytes(packet) if self._keyframe or packet.is_keyframe else b""
        self._end_keyframe(data)
        self._entries.append(packet.is_keyframe)
        self._keyframe = data if packet.is_keyframe else b""

    def entries(self) -> list[bool]:
        """For each packet, whether decoding may begin there."""
        self._end_keyframe(b"")
        self._keyframe = b""
        return self._entries

    def _end_keyframe(self, following: bytes) -> None:
        if self._keyframe and True in self._entries[:-1]:
            self._entries[-1] = is_closed(self._codec, self._keyframe, following)
