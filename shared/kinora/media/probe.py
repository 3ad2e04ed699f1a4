"""Reads what a video or audio original is: its streams, their times, sizes and colours. Called by planning and by ingest.

Decodes one picture, because only a decoded picture tells rotation, interlacing and the true first time; nothing else is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from kinora.errors import CorruptMedia, UnsupportedMedia
from kinora.media import colour
from kinora.media.container import decoding, demux, film_of, open_original
from kinora.media.orientation import orientation
from kinora.media.plan import AudioSource, Probe, VideoSource
from kinora.media.sample_tables import check_sample_counts

_LONGEST_SEARCH = 1000  # packets in which a first picture must appear


def probe(file: BinaryIO, demuxer: str) -> Probe:
    """Describe the original; the first default video stream is used, cover art is none.

    Raises CorruptMedia if it cannot be read, UnsupportedMedia if it has no stream that can be decoded, LimitExceeded if one
    picture is too large to be decoded at all.
    """
    if demuxer == "mov":
        check_sample_counts(file)
    with open_original(file, demuxer) as container, decoding():
        seconds = container.duration / av.time_base if container.duration else 0.0
        audio = tuple(_audio_source(stream, seconds) for stream in container.streams.audio if _is_usable(stream))
        stream = film_of(container)
        video = _video_source(container, stream, seconds) if stream else None
    if video is None and not audio:
        raise UnsupportedMedia("no stream that can be decoded", public_message="There is no picture and no sound in it.")
    return Probe(container=demuxer, duration=max(seconds, 0.0), video=video, audio=audio)


def _is_usable(stream: AudioStream) -> bool:
    return stream.codec_context is not None and stream.codec_context.sample_rate > 0 and stream.codec_context.channels > 0


def _video_source(container: InputContainer, stream: VideoStream, seconds: float) -> VideoSource:
    picture = next(_pictures(container, stream), None)
    if picture is None:
        raise CorruptMedia("no picture can be decoded", public_message="No picture of the video can be decoded.")
    time_base = stream.time_base or Fraction(1, av.time_base)
    start = _start(picture, container.format.name)
    rotation, is_mirrored = orientation(picture)
    width, height = _shown_size(picture, stream.sample_aspect_ratio or Fraction(1), rotation)
    context = stream.codec_context
    return VideoSource(
        index=stream.index,
        codec=context.codec.canonical_name,
        time_base=time_base,
        width=width,
        height=height,
        rotation=rotation,
        pixel_format=picture.format.name,
        frame_rate=stream.average_rate or stream.guessed_rate,
        start=start,
        end=start + (stream.duration or round(seconds / time_base)),
        color_primaries=colour.PRIMARIES.get(picture.color_primaries, colour.UNKNOWN),
        color_transfer=colour.TRANSFERS.get(picture.color_trc, colour.UNKNOWN),
        color_space=colour.MATRICES.get(picture.colorspace, colour.UNKNOWN),
        color_range=colour.RANGES.get(picture.color_range, colour.UNKNOWN),
        interlaced=picture.interlaced_frame,
        mirrored=is_mirrored,
    )


def _pictures(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for count, packet in enumerate(demux(container, stream)):
        if count > _LONGEST_SEARCH:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue


def picture_time(picture: VideoFrame) -> int | None:
    """The time of a decoded picture in its stream's time base, as far as the container says."""
    return picture.dts if picture.pts is None else picture.pts


def _start(picture: VideoFrame, demuxer: str) -> int:
    """When the first picture is shown. AVI stores no such times and begins at 0."""
    return 0 if demuxer == "avi" else picture_time(picture) or 0


def _shown_size(picture: VideoFrame, aspect: Fraction, rotation: int) -> tuple[int, int]:
    """Display pixels: the width carries the sample aspect ratio, then the picture is turned."""
    width, height = max(round(picture.width * aspect), 1), picture.height
    return (height, width) if rotation in {90, 270} else (width, height)


def _audio_source(stream: AudioStream, seconds: float) -> AudioSource:
    time_base = stream.time_base or Fraction(1, av.time_base)
    start = stream.start_time or 0
    return AudioSource(
        index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        time_base=time_base,
        sample_rate=stream.codec_context.sample_rate,
        channels=stream.codec_context.channels,
        start=start,
        end=start + (stream.duration or round(seconds / time_base)),
        language=stream.language or "und",
        title=stream.metadata.get("title", ""),
        default=bool(stream.disposition & Disposition.default),
        layout=stream.codec_context.layout.name,
        role=_role(stream.disposition),
    )


def _role(disposition: Disposition) -> str:
    if disposition & (Disposition.visual_impaired | Disposition.descriptions):
        return "description"
    return "commentary" if disposition & Disposition.comment else ""
