"""The pictures of an original that has no index: it is demuxed once, from end to end. A room of `index`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

from kinora.media.container import open_original
from kinora.media.picture_times import PictureIndex, PictureTime, only_stream, picture_of, picture_pts, readable_packets


def scan_pictures(file: BinaryIO, demuxer: str, stream_index: int) -> PictureIndex:
    """All pictures, and where the demuxer would seek to if it remembered; raises CorruptMedia."""
    is_reordered = False
    times: list[PictureTime] = []
    with open_original(file, demuxer) as container:
        stream = only_stream(container, stream_index)
        for packet in readable_packets(container, stream):
            pts = picture_pts(packet, demuxer)
            if pts is not None and packet.size:
                is_reordered |= pts != packet.pts and packet.pts is not None
                times.append(picture_of(packet, pts))
        places = [(entry.timestamp, entry.pos) for entry in stream.index_entries if entry.is_keyframe]
    return PictureIndex(_with_one_entry(times) if is_reordered else times, places=tuple(places))


def _with_one_entry(times: Sequence[PictureTime]) -> list[PictureTime]:
    """Where pictures are counted and reordered, only decoding from the start counts right."""
    first = next((place for place, time in enumerate(times) if time.is_keyframe), 0)
    return [replace(time, is_keyframe=place == first) for place, time in enumerate(times)]
