"""What an index says about the coded pictures of a video stream. The rooms of `index` make it; planning works with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from kinora.media.container import demux
from kinora.media.new_beginning import Place

_HEAD = 4096  # bytes


@dataclass(frozen=True, slots=True)
class PictureTime:
    """One coded picture in decode order. `pts` and `duration` are in the stream's time base, 0 is an unknown duration.

    Pictures that an edit list hides are decoded but not shown. `size` and `position` are in bytes; `head` are the first bytes of
    a keyframe, where the container had to be read anyway. Position 0 is an unknown one: `size` is then a bound for everything
    up to the next keyframe.
    """

    pts: int
    duration: int
    is_keyframe: bool
    is_shown: bool
    size: int = 0
    position: int = 0
    head: bytes = b""


@dataclass(frozen=True, slots=True)
class PictureIndex:
    """The pictures of one stream in decode order.

    All of them, or, where there are `stretches`, all within these half-open ranges of pts and elsewhere only keyframes, never
    more than 8 s apart. `places` are keyframes' times, as the demuxer counts them, and the bytes to which a
    seek has to go: what it learned by reading an original that has no index of its own.
    """

    pictures: list[PictureTime]
    stretches: tuple[tuple[int, int], ...] = ()
    places: tuple[Place, ...] = ()


def picture_of(packet: Packet[VideoStream], pts: int, *, has_bytes: bool = True) -> PictureTime:
    """What a packet says; without `has_bytes` its content was not read."""
    head = bytes(memoryview(packet)[:_HEAD]) if has_bytes and packet.is_keyframe else b""
    duration = max(packet.duration or 0, 0)
    return PictureTime(pts, duration, packet.is_keyframe, not packet.is_discard, packet.size, packet.pos or 0, head)


def picture_pts(packet: Packet[VideoStream], demuxer: str) -> int | None:
    """The presentation time of a packet. AVI stores none: there the n-th picture shown has the time of the n-th stored."""
    return packet.dts if packet.pts is None or demuxer == "avi" else packet.pts


def only_stream(container: InputContainer, index: int) -> VideoStream:
    """The video stream with that index; packets of all others are left out by the demuxer."""
    for other in container.streams:
        if other.index != index:
            other.discard = Discard.all
    return next(stream for stream in container.streams.video if stream.index == index)


def readable_packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Damage ends a container's packets early; what came before it counts."""
    try:
        yield from demux(container, stream)
    except av.FFmpegError:
        return
