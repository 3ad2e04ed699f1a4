"""Finds the packets of a video stream from an entry keyframe on, by the container's index or by reading. Called by whatever

decodes or copies pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, BinaryIO, TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from kinora.media.container import demux, open_original
from kinora.media.index import only_stream, picture_pts
from kinora.media.palette import first_palette, with_palette
from kinora.media.plan import Plan, VideoSource

_STEPS_BACK = (0, 1, 4, 16)  # seconds before the entry to which a seek that landed too late is repeated

Packets: TypeAlias = "Iterator[Packet[VideoStream]]"


@contextmanager
def packets_from(file: BinaryIO, plan: Plan, video: VideoSource, entry: int) -> Iterator[tuple[VideoStream, Packets]]:
    """The stream and its packets from the keyframe at `entry` on, or from the file's beginning if that cannot be found."""
    demuxer = plan.probe.container
    for find in (_scan, _start) if entry == plan.entries[0] else (_seek, _scan, _start):
        with open_original(file, demuxer, as_stored=True, places=plan.places) as container:
            stream = only_stream(container, video.index)
            packets = find(container, stream, entry, demuxer)
            if packets is not None:
                yield stream, packets
                return


def _seek(container: InputContainer, stream: VideoStream, entry: int, demuxer: str) -> Packets | None:
    """Packets from the entry keyframe on; None if no seek finds it, as in containers without any order of time."""
    try:
        palette = first_palette(container, stream)
    except av.FFmpegError:
        return None
    for seconds in _STEPS_BACK:
        try:
            container.seek(entry - round(seconds / (stream.time_base or 1)), stream=stream)
        except av.FFmpegError:
            return None
        packets = _skip_to_entry(_packets(container, stream), entry, demuxer)
        if packets is not None:
            return packets if palette is None else with_palette(packets, palette)
    return None


def _scan(container: InputContainer, stream: VideoStream, entry: int, demuxer: str) -> Packets | None:
    return _skip_to_entry(_packets(container, stream), entry, demuxer)


def _start(container: InputContainer, stream: VideoStream, _entry: int, _demuxer: str) -> Packets:
    return _packets(container, stream)


def _skip_to_entry(packets: Packets, entry: int, demuxer: str) -> Packets | None:
    for packet in packets:
        pts = picture_pts(packet, demuxer)
        if pts is None or not packet.is_keyframe:
            continue
        if pts == entry:
            return chain((packet,), packets)
        if pts > entry:
            return None
    return None


def _packets(container: InputContainer, stream: VideoStream) -> Packets:
    """Packets as far as the file is whole, then one that makes the decoder give up its last pictures."""
    try:
        yield from demux(container, stream)
    except av.FFmpegError:
        last: Packet[Any] = Packet()
        last.stream = stream
        yield last
