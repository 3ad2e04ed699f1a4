"""The colours of video with palettes, which demuxers hand out with the first packet of a file and never again.

Called by whatever begins to decode elsewhere, where a decoder would paint with colours of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from av.container import InputContainer
from av.packet import Packet, PacketSideData
from av.video.stream import VideoStream

from kinora.media.container import demux

_Packets: TypeAlias = "Iterator[Packet[VideoStream]]"


def first_palette(container: InputContainer, stream: VideoStream) -> PacketSideData | None:
    """The palette that the file begins with, if it has one; reads a packet, so a seek must follow. Raises av.FFmpegError."""
    if stream.codec_context.pix_fmt != "pal8":
        return None
    packet = next(demux(container, stream), None)
    return packet.get_sidedata("palette") if packet is not None and packet.has_sidedata("palette") else None


def with_palette(packets: _Packets, palette: PacketSideData) -> _Packets:
    """The packets, the first of them with `palette` unless it has one of its own."""
    for packet in packets:
        if not packet.has_sidedata("palette"):
            packet.set_sidedata(palette)
        yield packet
        break
    yield from packets
