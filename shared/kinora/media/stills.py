"""Small pictures of a video as it is shown: upright, square pixels, 8-bit sRGB. Called by the preview and the storyboard.

Reads only what lies around the wanted times; never decodes a video from end to end unless they are that dense.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from kinora.errors import UnsupportedMedia
from kinora.media.colour import rendition_colour
from kinora.media.container import demux, open_original
from kinora.media.decode import SegmentDecoder
from kinora.media.index import only_stream
from kinora.media.libvips import pyvips
from kinora.media.plan import Plan, VideoSource
from kinora.media.probe import picture_time
from kinora.media.scale import ScalingChain, TimedPicture

_LONGEST_SEARCH = 2000  # packets after a seek in which its keyframe must appear


def film_of(plan: Plan) -> VideoSource:
    """The video that is shown; raises UnsupportedMedia if there is none."""
    if plan.probe.video is None or not plan.renditions:
        raise UnsupportedMedia("the plan has no video")
    return plan.probe.video


def fitted(video: VideoSource, longest: int) -> tuple[int, int]:
    """Width and height, even and in the video's aspect, of which neither is over `longest` or the video's own."""
    scale = min(1.0, longest / max(video.width, video.height))
    width, height = (max(round(edge * scale / 2) * 2, 2) for edge in (video.width, video.height))
    return width, height


class Scaler:
    """Turns decoded pictures into sRGB images of one size, in the colours of the renditions."""

    def __init__(self, plan: Plan, width: int, height: int) -> None:
        video = film_of(plan)
        self._matrix = rendition_colour(video).matrix
        self._chain = ScalingChain(video, [replace(plan.renditions[0], width=width, height=height)])

    def render(self, picture: VideoFrame) -> Any:
        """A libvips image with pixels of its own."""
        (small,) = self._chain.render(picture)
        small.colorspace = self._matrix
        pixels = small.reformat(format="rgb24")
        rows, length = memoryview(pixels.planes[0]), pixels.width * 3
        stride = pixels.planes[0].line_size
        packed = b"".join(rows[at : at + length] for at in range(0, stride * pixels.height, stride))
        image = pyvips.Image.new_from_memory(packed, pixels.width, pixels.height, 3, "uchar")
        return image.copy(interpretation="srgb").copy_memory()


def pictures_at(file: BinaryIO, plan: Plan, times: Sequence[int]) -> Iterator[VideoFrame]:
    """The picture that is shown at each of `times` (ascending, in the video's time base).

    Where only the start of a segment is wanted its keyframe is decoded alone, if it has one.
    """
    video = film_of(plan)
    with (
        open_original(file, plan.probe.container, places=plan.places) as container,
        SegmentDecoder(file, plan, video) as decoder,
    ):
        stream = _keyframes_only(container, video)
        for n, wanted in groupby(times, key=lambda time: segment_at(plan, time)):
            moments = list(wanted)
            cut = plan.timeline[n]
            is_whole = plan.entries[n] == cut and video.pixel_format != "pal8"  # whose palette lies elsewhere
            alone = _keyframe(container, stream, cut) if moments == [cut] and is_whole else None
            yield from _shown(decoder, n, moments) if alone is None else (alone,)


def time_shown(plan: Plan, seconds: float) -> int:
    """`seconds` from the beginning of the video in its time base, within it."""
    time = round((plan.origin + Fraction(seconds)) / film_of(plan).time_base)
    return min(max(time, plan.timeline[0]), plan.timeline[-1] - 1)


def segment_at(plan: Plan, time: int) -> int:
    """The number of the segment in which `time` lies; the first or last one for times outside."""
    return min(max(bisect_right(plan.timeline, time) - 1, 0), len(plan.timeline) - 2)


def _shown(decoder: SegmentDecoder, n: int, moments: Sequence[int]) -> Iterator[VideoFrame]:
    pictures = decoder.pictures(n)
    shown = next(pictures)
    following: TimedPicture | None = shown
    for moment in moments:
        while following is not None and following[0] <= moment:
            shown, following = following, next(pictures, None)
        yield shown[1]


def _keyframes_only(container: InputContainer, video: VideoSource) -> VideoStream:
    stream = only_stream(container, video.index)
    stream.thread_count = 1
    stream.codec_context.skip_frame = "NONKEY"
    return stream


def _keyframe(container: InputContainer, stream: VideoStream, time: int) -> VideoFrame | None:
    """The keyframe with exactly that time, decoded alone; None if a seek does not lead to it."""
    try:
        container.seek(time, stream=stream)
        for count, packet in enumerate(demux(container, stream)):
            if packet.pts is None or packet.pts > time or count > _LONGEST_SEARCH:
                return None
            if packet.pts == time and packet.is_keyframe:
                pictures = packet.decode() or stream.codec_context.decode(None)
                stream.codec_context.flush_buffers()
                return next((one for one in pictures if picture_time(one) == time), None)
    except av.FFmpegError:
        return None
    return None
