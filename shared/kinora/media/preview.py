"""The animated preview of a video: a few short scenes from all over it, as WebP and GIF. Called by the video function.

Decodes only those scenes. It never lasts longer than the video, nor than six seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

from av.video.frame import VideoFrame

from kinora.errors import CorruptMedia
from kinora.media.container import decoding
from kinora.media.decode import SegmentDecoder
from kinora.media.libvips import pyvips
from kinora.media.plan import Plan
from kinora.media.scale import TimedPicture, deinterlace
from kinora.media.stills import Scaler, film_of, fitted, segment_at

_LONG_EDGE = 320
_LONGEST = Fraction(6)  # seconds in all
_SCENES = 4
_STEP = Fraction(1, 10)  # seconds between two pictures; GIF counts in hundredths
_SHORTEST_DELAY = 20  # ms; browsers slow down what is shorter
_WEBP_QUALITY, _WEBP_EFFORT = 60, 3
_GIF = {"dither": 0.4, "effort": 4, "interframe_maxerror": 8.0, "bitdepth": 7}  # 128 colours: a seventh smaller than 256


@dataclass(frozen=True, slots=True)
class Preview:
    """Both files show the same pictures; sizes in pixels, `duration` in seconds."""

    webp: bytes
    gif: bytes
    width: int
    height: int
    duration: float


def make_preview(file: BinaryIO, plan: Plan) -> Preview:
    """At most 320 × 320 pixels in the video's aspect, upright, endless, about 10 pictures per second.

    A video of up to six seconds is shown whole, one of a single picture as that. Raises CorruptMedia if it cannot be read.
    """
    video = film_of(plan)
    width, height = fitted(video, _LONG_EDGE)
    scaler = Scaler(plan, width, height)
    images: list[Any] = []
    delays: list[int] = []
    with SegmentDecoder(file, plan, video) as decoder, decoding():
        for begin, stop in scenes(plan):
            last: VideoFrame | None = None
            for picture, delay in _sampled(_pictures(decoder, plan, begin, stop), begin, stop, video.time_base):
                if picture is last:
                    delays[-1] += delay
                else:
                    images.append(scaler.render(picture))
                    delays.append(delay)
                last = picture
    if not images:
        raise CorruptMedia("no picture can be decoded", public_message="No picture of the video can be decoded.")
    webp, gif = _encode(images, delays)
    return Preview(webp, gif, width, height, sum(delays) / 1000)


def scenes(plan: Plan) -> list[tuple[int, int]]:
    """What is shown, as half-open stretches of the video's time: all of it, or the beginnings of segments spread over it."""
    time_base = film_of(plan).time_base
    start, end = plan.timeline[0], plan.timeline[-1]
    if (end - start) * time_base <= _LONGEST:
        return [(start, end)]
    centres = (start + (end - start) * (2 * scene + 1) // (2 * _SCENES) for scene in range(_SCENES))
    chosen = sorted({segment_at(plan, centre) for centre in centres})
    length = int(_LONGEST / len(chosen) / time_base)
    return [(plan.timeline[n], min(plan.timeline[n] + length, plan.timeline[n + 1])) for n in chosen]


def _pictures(decoder: SegmentDecoder, plan: Plan, begin: int, stop: int) -> Iterator[TimedPicture]:
    for n in range(segment_at(plan, begin), segment_at(plan, stop - 1) + 1):
        pictures = decoder.pictures(n)
        yield from deinterlace(pictures) if film_of(plan).interlaced else pictures


def _sampled(pictures: Iterator[TimedPicture], begin: int, stop: int, time_base: Fraction) -> Iterator[tuple[VideoFrame, int]]:
    """The picture shown at every step of the scene, and for how many milliseconds; their sum is never more than the scene."""
    shown = following = next(pictures, None)
    steps = range(max(-int(-(stop - begin) * time_base // _STEP), 1))
    for step in steps:
        moment = begin + step * _STEP / time_base
        while following is not None and following[0] <= moment:
            shown, following = following, next(pictures, None)
        left = int((stop - moment) * time_base * 100) * 10
        delay = min(int(_STEP * 1000), left)
        if shown is not None and (delay >= _SHORTEST_DELAY or step == 0):
            yield shown[1], delay


def _encode(images: list[Any], delays: list[int]) -> tuple[bytes, bytes]:
    roll = pyvips.Image.arrayjoin(images, across=1).copy()
    roll.set_type(pyvips.GValue.gint_type, "page-height", images[0].height)
    roll.set_type(pyvips.GValue.array_int_type, "delay", delays)
    roll.set_type(pyvips.GValue.gint_type, "loop", 0)
    webp: bytes = roll.webpsave_buffer(Q=_WEBP_QUALITY, effort=_WEBP_EFFORT, keep="none")
    gif: bytes = roll.gifsave_buffer(**_GIF, keep="none")
    return webp, gif
