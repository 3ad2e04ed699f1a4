"""Decodes the pictures of one segment, exactly those with times in `[b_n, b_n+1)`. Called by the segment function.

A decoder always starts fresh at the plan's entry keyframe, so a segment has the same pictures whether it is made alone or
after its predecessor; damaged packets are skipped and the picture before them stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from heapq import heappop, heappush
from typing import BinaryIO, Self

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from kinora.media.packets import packets_from
from kinora.media.plan import Plan, VideoSource
from kinora.media.probe import picture_time
from kinora.media.scale import TimedPicture

# Of damaged pictures most decoders make something else in every run when they work in several threads; dav1d does not.
_THREADS = {"av1": 4}
_EARLIER_ENTRIES = 2


class SegmentDecoder:
    """Pictures of one segment after another; keeps its decoder only while segments share an entry keyframe."""

    def __init__(self, file: BinaryIO, plan: Plan, video: VideoSource) -> None:
        self._file = file
        self._plan = plan
        self._video = video
        self._resources = ExitStack()
        self._run: _Run | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_run()

    def pictures(self, n: int) -> Iterator[TimedPicture]:
        """The pictures of segment `n` at ascending times; the first one is shown from the segment's start on.

        Pictures that go back in time are left out. A segment in which nothing can be decoded repeats what came before it.
        """
        start, stop = self._plan.timeline[n], self._plan.timeline[n + 1]
        run = self._run_at(n, start)
        last = start - 1
        for pts, picture in run.until(stop):
            if last < start < pts:
                yield start, run.before or picture
                last = start
                if run.before is None:
                    continue
            if pts >= last:
                yield pts, picture
                last = pts
        if last < start:
            yield start, run.before or _black(self._video)

    def _run_at(self, n: int, start: int) -> _Run:
        """Stand at `start`, coming from the segment's entry, or from an earlier one if the first picture needs more."""
        entries = sorted(set(self._plan.entries[: n + 1]), reverse=True)[: 1 + _EARLIER_ENTRIES]
        run = self._run_from(entries[0])
        for entry in entries[1:]:
            if run.skip_to(start):
                return run
            run = self._run_from(entry)
        run.skip_to(start)
        return run

    def _run_from(self, entry: int) -> _Run:
        if self._run is None or self._run.entry != entry:
            self._close_run()
            pictures = self._resources.enter_context(_pictures_from(self._file, self._plan, self._video, entry))
            self._run = _Run(entry, pictures)
        return self._run

    def _close_run(self) -> None:
        self._run = None
        self._resources.close()


class _Run:
    """Pictures in order of time from one entry on, with one picture of foresight; `before` is the last one gone by."""

    def __init__(self, entry: int, pictures: Iterator[TimedPicture]) -> None:
        self.entry = entry
        self.before: VideoFrame | None = None
        self._pictures = pictures
        self._next = next(pictures, None)

    def skip_to(self, start: int) -> bool:
        """Pass the pictures before `start`; whether there is one exactly at it."""
        for _ in self.until(start):
            pass
        return self._next is not None and self._next[0] == start

    def until(self, stop: int) -> Iterator[TimedPicture]:
        while self._next is not None and self._next[0] < stop:
            current = self._next
            yield current
            self.before = current[1]
            self._next = next(self._pictures, None)


@contextmanager
def _pictures_from(file: BinaryIO, plan: Plan, video: VideoSource, entry: int) -> Iterator[Iterator[TimedPicture]]:
    with packets_from(file, plan, video, entry) as (stream, packets):
        stream.thread_count = _THREADS.get(video.codec, 1)
        pictures = _decode(stream, packets, plan.probe.container)
        yield ((pts, picture) for pts, picture in pictures if pts < plan.timeline[-1])  # damaged times lie behind the end


def _decode(stream: VideoStream, packets: Iterator[Packet[VideoStream]], demuxer: str) -> Iterator[TimedPicture]:
    counted: list[int] = []
    for packet in packets:
        if demuxer == "avi" and packet.size and packet.dts is not None:
            heappush(counted, packet.dts)
        try:
            pictures = stream.decode(packet)
        except av.FFmpegError:
            continue
        for picture in pictures:
            pts = heappop(counted) if counted else picture_time(picture)
            if pts is not None:
                yield pts, picture


def _black(video: VideoSource) -> VideoFrame:
    picture = VideoFrame(video.width // 2 * 2 or 2, video.height // 2 * 2 or 2, "yuv420p")
    for plane, value in zip(picture.planes, (16, 128, 128), strict=True):
        plane.update(bytes((value,)) * plane.buffer_size)
    return picture
