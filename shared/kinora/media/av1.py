"""The AV1 encoder of a rendition (SVT-AV1), beside that of H.264 and used like it. Called by the segment function and planning.

The encoder gives the same bytes on every machine and with any number of threads, but only without a limit of its own on the
rate: what is too large for its rendition is therefore encoded again, coarser.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from math import ceil, log2
from typing import Any, cast

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from kinora.media.fragment import Sample
from kinora.media.h264 import SegmentEncoder, configure, write_header
from kinora.media.plan import Rendition, VideoSource

os.environ.setdefault("SVT_LOG", "1")  # the library writes pages about every encoder to standard error otherwise

_CODEC = "libsvtav1"
# From preset 10 on the library warns of visible artefacts.
_OPTIONS = {"preset": "9", "svtav1-params": "keyint=-1:lp=1"}
_COARSEST = 63
_STEPS_PER_HALF = 8  # by how much CRF grows, at most, for half the bytes
_TEMPORAL_DELIMITER = b"\x12\x00"  # stands before every packet, and nowhere in a file (AV1-ISOBMFF §2.4)
_SEQUENCE_HEADER = 0x0A  # an OBU of that type, with its size
_TIERED_LEVEL = 8  # level 4.0, from which on the sequence header tells the tier


class Av1SegmentEncoder(SegmentEncoder):
    """Encodes the pictures of one segment; the first one becomes the only key frame, and samples come as pictures are shown."""

    def _open(self, video: VideoSource, rendition: Rendition) -> VideoCodecContext:
        return _open(video, rendition)

    def _sample(self, packet: Packet[Any]) -> Sample:
        return Sample(packet.pts or 0, packet.is_keyframe, bytes(packet).removeprefix(_TEMPORAL_DELIMITER))


def init_segment(video: VideoSource, rendition: Rendition) -> bytes:
    """The CMAF header that fits every segment of `rendition`, with an `av01` sample entry (AV1-ISOBMFF §2.2, §2.3)."""
    made = write_header(_CODEC, _options(rendition), video, rendition)
    promised = _open_with_header(video, rendition)
    found = sequence_header(video, rendition)
    if made.count(promised) != 1 or len(promised) != len(found):
        raise RuntimeError("the sequence header is not where it should be")
    return made.replace(promised, found)


def with_true_codecs(video: VideoSource, rendition: Rendition) -> Rendition:
    """`rendition` with the profile, level and tier that the encoder writes (AV1-ISOBMFF §5)."""
    header = sequence_header(video, rendition)
    bits = int.from_bytes(header[2:])
    length = 8 * (len(header) - 2)
    profile, level = bits >> (length - 3), bits >> (length - 29) & 0x1F
    tier = "H" if level >= _TIERED_LEVEL and bits >> (length - 30) & 1 else "M"
    return replace(rendition, codecs=f"av01.{profile}.{level:02d}{tier}.08")


@lru_cache(maxsize=64)
def sequence_header(video: VideoSource, rendition: Rendition) -> bytes:
    """The sequence header OBU that every segment begins with. It does not depend on the pictures, but the encoder knows the
    last of its bits only with the first of them."""
    codec = _open(video, rendition)
    picture = VideoFrame(rendition.width, rendition.height, "yuv420p")
    for plane in picture.planes:
        plane.update(bytes(plane.buffer_size))
    picture.pts, picture.time_base, picture.pict_type = 0, codec.time_base, PictureType.NONE
    packets = [*codec.encode(picture), *codec.encode(None)]
    data = bytes(packets[0]).removeprefix(_TEMPORAL_DELIMITER)
    if data[0] != _SEQUENCE_HEADER:
        raise RuntimeError("a key frame without a sequence header")
    return data[: 2 + data[1]]


def coarser(rendition: Rendition, samples: Sequence[Sample], seconds: Fraction) -> Rendition | None:
    """How a segment of that many seconds must be encoded again; None if it keeps to the rate that its rendition declares."""
    if rendition.codec != "av1" or rendition.crf >= _COARSEST:
        return None
    bits = 8 * sum(len(sample.data) for sample in samples)
    limit = rendition.max_rate * seconds + rendition.buffer_size
    if bits <= limit:
        return None
    steps = ceil(_STEPS_PER_HALF * log2(bits / limit)) + 1
    return replace(rendition, crf=min(rendition.crf + steps, _COARSEST))


def _open_with_header(video: VideoSource, rendition: Rendition) -> bytes:
    codec = _open(video, rendition)
    codec.open()
    return bytes(codec.extradata or b"")


def _open(video: VideoSource, rendition: Rendition) -> VideoCodecContext:
    codec = cast("VideoCodecContext", av.CodecContext.create(_CODEC, "w"))
    configure(codec, video, rendition)
    codec.flags |= Flags.global_header
    codec.options = _options(rendition)
    return codec


def _options(rendition: Rendition) -> dict[str, str]:
    return {**_OPTIONS, "crf": str(rendition.crf)}
