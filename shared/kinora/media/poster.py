"""The cover of a video: the first key frame that shows something and is not blurred, as a JPEG. Called by the video function.

Only key frames at a few places near the start are read and decoded, however long the video is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from kinora.errors import CorruptMedia
from kinora.media.container import decoding, demux, film_of, open_original
from kinora.media.libvips import pyvips
from kinora.media.orientation import orientation
from kinora.media.tone_map import ToneMap, mapping_of

_LONG_EDGE = 1280
_QUALITY = 85
_PLACES = 10  # how many places are looked at
_FIRST_PART = 0.5  # the part of the video that they are spread over
_LONGEST_STEP = 5.0  # seconds between two of them
_LONGEST_SEARCH = 1000  # packets in which a key frame must appear
_DARKEST, _FLATTEST = 24.0, 8.0  # mean and deviation of 8-bit brightness, below which a picture shows nothing
_SHARP = 0.25  # edges per contrast: photographs have 0.3 to 0.7, blurred ones 0.05 to 0.25
_MEASURED_EDGE = 320  # pixels; noise and compression do not count as edges at that size
_LAPLACIAN = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
_Candidates = Callable[[InputContainer, VideoStream], Iterator[VideoFrame]]
_MATRICES = {1, 4, 5, 6, 7, 9}  # H.273: those that swscale converts from; anything else is taken for the usual one
_BT709, _BT601 = 1, 6


def make_poster(file: BinaryIO, demuxer: str, *, rotation: int | None = None) -> bytes:
    """A JPEG of at most 1280 pixels along its long edge, upright and with square pixels.

    `rotation` is clockwise in degrees, as in `VideoSource.rotation`; None means what the video itself says.
    Raises CorruptMedia if no picture can be decoded, LimitExceeded if one would be too large to decode.
    """
    picture = _best(file, demuxer, rotation, _key_frames)
    if picture is None:
        picture = _best(file, demuxer, rotation, _first_frames)
    if picture is None:
        raise CorruptMedia("no picture can be decoded", public_message="No picture of the video can be decoded.")
    jpeg: bytes = picture.jpegsave_buffer(Q=_QUALITY, optimize_coding=True, keep="none")
    return jpeg


def _best(file: BinaryIO, demuxer: str, rotation: int | None, candidates: _Candidates) -> Any:
    """The first candidate that shows something sharply, else the sharpest that shows anything, else the one with most
    contrast; None without any."""
    best, most = None, (False, -1.0)
    with open_original(file, demuxer) as container, decoding():
        stream = _film(container)
        for frame in candidates(container, stream):
            picture = _render(frame, stream, rotation)
            worth = _worth(picture)
            if worth >= (True, _SHARP):
                return picture
            if worth > most:
                best, most = picture, worth
    return best


def _worth(picture: Any) -> tuple[bool, float]:
    """Whether the picture is neither dark nor flat, and then how sharp it is, else how much contrast it has."""
    if picture.width * picture.height == 1:
        return False, 0.0
    brightness = picture.colourspace("b-w")
    contrast = float(brightness.deviate())
    if contrast <= _FLATTEST or brightness.avg() <= _DARKEST:
        return False, contrast
    scale = _MEASURED_EDGE / max(brightness.width, brightness.height)
    small = (brightness.resize(scale) if scale < 1 else brightness).cast("float")
    edges = small.conv(pyvips.Image.new_from_array(_LAPLACIAN), precision="float")
    return True, float(edges.deviate()) / contrast


def _film(container: InputContainer) -> VideoStream:
    stream = film_of(container)
    if stream is None:
        raise CorruptMedia("no video stream", public_message="There is no picture in it.")
    stream.codec_context.thread_count = 1
    return stream


def _key_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Different key frames, from the very first one on."""
    seen = set()
    stream.codec_context.skip_frame = "NONKEY"
    for count, place in enumerate(_places(container, stream)):
        try:
            if count > 0:
                container.seek(place, stream=stream)
            frame = _key_frame(container, stream)
        except av.FFmpegError:
            continue
        if frame is not None and frame.pts not in seen:
            seen.add(frame.pts)
            yield frame


def _places(container: InputContainer, stream: VideoStream) -> list[int]:
    """Times to look at, in the stream's time base, none after the end."""
    time_base = stream.time_base or Fraction(1, av.time_base)
    duration = float(stream.duration * time_base) if stream.duration else (container.duration or 0) / av.time_base
    step = min(duration * _FIRST_PART / _PLACES, _LONGEST_STEP) if duration > 0 else 1.0
    return [(stream.start_time or 0) + round(place * step / time_base) for place in range(_PLACES)]


def _key_frame(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    """The first key frame from here on, decoded alone."""
    for count, packet in enumerate(demux(container, stream)):
        if packet.size == 0 or count > _LONGEST_SEARCH:
            return None
        if packet.is_keyframe:
            frames = packet.decode() or stream.codec_context.decode(None)
            stream.codec_context.flush_buffers()
            if frames:
                return frames[0]
    return None


def _first_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Whatever decodes first, for streams in which no key frame is marked or sound."""
    for count, packet in enumerate(demux(container, stream)):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        if frames or count > _LONGEST_SEARCH:
            yield from frames
            return


def _render(frame: VideoFrame, stream: VideoStream, rotation: int | None) -> Any:
    """`frame` as it is shown: 8-bit RGB, square pixels, upright, at most _LONG_EDGE long."""
    mapping = mapping_of(frame)
    if mapping is None and frame.colorspace not in _MATRICES and not frame.format.is_rgb:
        frame.colorspace = _BT709 if min(frame.width, frame.height) >= 720 else _BT601
    wide = max(1.0, frame.width * float(stream.sample_aspect_ratio or 1))
    scale = min(1.0, _LONG_EDGE / max(wide, frame.height))
    width, height = max(1, round(wide * scale)), max(1, round(frame.height * scale))
    if mapping:
        small = ToneMap(mapping).render(frame, width, height, "rgb24")
    else:
        small = frame.reformat(width, height, "rgb24", interpolation="AREA")
    picture = pyvips.Image.new_from_memory(_packed(small), width, height, 3, "uchar").copy(interpretation="srgb")
    turn, is_mirrored = orientation(frame) if rotation is None else (rotation % 360, False)
    upright = picture.rot(f"d{turn}")
    return (upright.fliphor() if is_mirrored else upright).copy_memory()


def _packed(frame: VideoFrame) -> bytes:
    plane = frame.planes[0]
    rows, length = memoryview(plane), frame.width * 3
    return b"".join(rows[at : at + length] for at in range(0, plane.line_size * frame.height, plane.line_size))
