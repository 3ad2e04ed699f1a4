"""Reads the times of every picture of a video stream without decoding any. Called by planning, never by an encode.

There is a room for every kind of index, which fetches no more than it must; what has none, or one that cannot be trusted, is
demuxed once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from kinora.media.index_avi import read_avi_index
from kinora.media.index_cues import read_cues
from kinora.media.index_samples import read_sample_tables
from kinora.media.index_scan import scan_pictures
from kinora.media.picture_times import PictureIndex, PictureTime, only_stream, picture_pts

__all__ = ["PictureIndex", "PictureTime", "only_stream", "picture_pts", "read_pictures"]

# By demuxer; a reader that finds no index, or one that contradicts the pictures, returns None.
_READERS: dict[str, Callable[[BinaryIO, str, int], PictureIndex | None]] = {
    "avi": read_avi_index,
    "matroska": read_cues,
    "mov": read_sample_tables,
}


def read_pictures(file: BinaryIO, demuxer: str, stream_index: int) -> PictureIndex:
    """The pictures of one stream, as far as the file really goes; raises CorruptMedia."""
    read = _READERS.get(demuxer)
    found = read(file, demuxer, stream_index) if read else None
    return found or scan_pictures(file, demuxer, stream_index)
