"""The pictures of an AVI from its index (`idx1`, or OpenDML's `indx`), which lists every picture. A room of `index`.

Fetches the index, some keyframes to see whether it is right, and what follows the last one: the index may be cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import av
from av.container import InputContainer
from av.index import IndexEntry
from av.packet import Packet
from av.video.stream import VideoStream

from kinora.media.container import open_original
from kinora.media.picture_times import PictureIndex, PictureTime, only_stream, picture_of, picture_pts, readable_packets

_SAMPLED = 8  # keyframes that are looked at
_CHUNK_HEADER = 8  # bytes


def read_avi_index(file: BinaryIO, demuxer: str, stream_index: int) -> PictureIndex | None:
    """All pictures; None if the index is wrong, or if pictures are reordered, which it does not tell. Raises CorruptMedia."""
    with open_original(file, demuxer) as container:
        stream = only_stream(container, stream_index)
        if stream.codec_context.has_b_frames:
            return None
        entries = [_picture(entry) for entry in stream.index_entries if entry.size]  # copied: a seek may free the table
        keyframes = [place for place, entry in enumerate(entries) if entry.is_keyframe]
        if not keyframes or keyframes[0] != 0:
            return None
        last = keyframes[-1]
        try:
            sampled = keyframes[:: max(1, len(keyframes) // _SAMPLED)]
            if not all(_is_at(container, stream, entries[place]) for place in sampled):
                return None
            rest = _rest(container, stream, entries[last])
        except av.FFmpegError:
            return None
    return PictureIndex([*entries[:last], *rest]) if rest else None


def _is_at(container: InputContainer, stream: VideoStream, entry: PictureTime) -> bool:
    container.seek(entry.pts, stream=stream)
    packet = next((one for one in readable_packets(container, stream) if one.size), None)
    return packet is not None and _is_listed(packet, entry)


def _is_listed(packet: Packet[VideoStream], entry: PictureTime) -> bool:
    return (picture_pts(packet, "avi"), packet.size, packet.pos) == (entry.pts, entry.size, entry.position)


def _rest(container: InputContainer, stream: VideoStream, entry: PictureTime) -> Sequence[PictureTime]:
    """The pictures from the last listed keyframe on; none if that is not there."""
    container.seek(entry.pts, stream=stream)
    pictures: list[PictureTime] = []
    for packet in readable_packets(container, stream):
        pts = picture_pts(packet, "avi")
        if not packet.size or pts is None:
            continue
        if not pictures and not _is_listed(packet, entry):
            break
        pictures.append(picture_of(packet, pts))
    return pictures


def _picture(entry: IndexEntry) -> PictureTime:
    """The index points to chunks, packets to what is in them."""
    place = entry.pos + _CHUNK_HEADER
    return PictureTime(entry.timestamp, 0, entry.is_keyframe, is_shown=True, size=entry.size, position=place)
