"""Takes the coded pictures of one segment from the original as they are. Called by the segment function for copied renditions.

What is there is looked at again: a segment that turns out not to be exact is not copied.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import BinaryIO, Self

from av.packet import Packet
from av.video.stream import VideoStream

from kinora.media.container import open_original
from kinora.media.fragment import Sample
from kinora.media.h264_stream import (
    IDR_SLICE,
    ParameterSets,
    Unreadable,
    begins_closed,
    picture_units,
    prefixed,
    read_parameter_sets,
    unit_type,
)
from kinora.media.index import only_stream, picture_pts
from kinora.media.packets import Packets, packets_from
from kinora.media.plan import Plan, VideoSource
from kinora.media.video_clock import SegmentClock


class SegmentCopier:
    """Samples of one segment after another; reads on where the segment before ended."""

    def __init__(self, file: BinaryIO, plan: Plan, video: VideoSource) -> None:
        self._file = file
        self._plan = plan
        self._video = video
        self._resources = ExitStack()
        self._packets: Packets | None = None
        self._sets: ParameterSets | None = None
        self._ahead: Packet[VideoStream] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def samples(self, n: int) -> list[Sample] | None:
        """The samples of segment `n` in decode order; None if they are not exactly its pictures. The file is free then."""
        made = self._copy(n)
        if made is None:
            self._close()
        return made

    def _copy(self, n: int) -> list[Sample] | None:
        start, stop = self._plan.timeline[n], self._plan.timeline[n + 1]
        clock = SegmentClock(self._plan, self._video, n)
        samples: list[Sample] = []
        seen: set[int] = set()
        for packet in self._segment_packets(start, stop):
            pts = self._pts(packet)
            units = picture_units(self._sets, bytes(packet)) if self._sets else None
            if units is None or pts is None or pts in seen or not start <= pts < stop:
                return None
            if not samples and (pts != start or self._sets is None or not begins_closed(self._sets, bytes(packet))):
                return None
            seen.add(pts)
            is_idr = any(unit_type(unit) == IDR_SLICE for unit in units)  # containers mark other entry points, too
            samples.append(Sample(clock.tick(pts), is_idr, prefixed(units)))
        is_whole = self._ahead is not None or n == len(self._plan.timeline) - 2
        return samples if samples and is_whole else None

    def _segment_packets(self, start: int, stop: int) -> Packets:
        """Packets up to the keyframe at `stop`, which is kept for the next segment."""
        if self._packets is None or self._ahead is None or self._pts(self._ahead) != start:
            self._open(start)
        if self._ahead is not None:
            yield self._ahead
            self._ahead = None
        for packet in self._packets or ():
            if packet.is_keyframe and self._pts(packet) == stop:
                self._ahead = packet
                return
            if packet.size:
                yield packet

    def _open(self, start: int) -> None:
        self._close()
        found = packets_from(self._file, self._plan, self._video, start)
        stream, self._packets = self._resources.enter_context(found)
        self._sets = _sets(stream)

    def _close(self) -> None:
        self._packets = self._ahead = self._sets = None
        self._resources.close()

    def _pts(self, packet: Packet[VideoStream]) -> int | None:
        return picture_pts(packet, self._plan.probe.container)


def configuration(file: BinaryIO, plan: Plan, video: VideoSource) -> bytes | None:
    """The decoder's configuration record of the original's stream; None if it cannot be read."""
    with open_original(file, plan.probe.container) as container:
        sets = _sets(only_stream(container, video.index))
    return sets.record() if sets else None


def _sets(stream: VideoStream) -> ParameterSets | None:
    try:
        sets = read_parameter_sets(bytes(stream.codec_context.extradata or b""))
    except Unreadable:
        return None
    return sets if len(sets.sequence) == 1 and sets.picture else None
