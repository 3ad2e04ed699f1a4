"""What the H.264 encoder does with the first picture of a segment, which begins an encoder of its own."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame

from kinora.media import segment
from kinora.media.h264 import SegmentEncoder
from kinora.media.ladder import choose_renditions
from tests.unit.media.clips import clip
from tests.unit.media.fragments import read_segment
from tests.unit.media.test_ladder import source
from tests.unit.media.test_plan import plan_clip

SIZE = 256, 144
RATE = 30
CUT = 45


def pictures() -> list[VideoFrame]:
    """A textured picture that moves by a pixel each time."""
    still = np.random.default_rng(5).integers(60, 190, (36, 96)).repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8)
    grey = np.full((SIZE[1] // 2, SIZE[0]), 128, np.uint8)
    windows = (still[:, n : n + SIZE[0]] for n in range(2 * CUT))
    return [VideoFrame.from_ndarray(np.vstack([window, grey]), "yuv420p") for window in windows]


def whole_stream(shown: list[VideoFrame]) -> bytes:
    """The key picture at `CUT` of one long stream with the same settings."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.thread_count = *SIZE, "yuv420p", 1
    codec.time_base = Fraction(1, RATE)
    codec.options = {"preset": "veryfast", "crf": "23", "x264-params": "keyint=infinite:scenecut=0:annexb=0"}
    packets = []
    for n, picture in enumerate(shown):
        picture.pts, picture.time_base = n, codec.time_base
        picture.pict_type = PictureType.I if n == CUT else PictureType.NONE
        packets += codec.encode(picture)
    _, second = [packet for packet in [*packets, *codec.encode(None)] if packet.is_keyframe]
    return bytes(second)


def test_the_first_picture_is_as_fine_as_a_key_picture_within_a_stream():
    shown = pictures()
    inside = whole_stream(shown)
    video = source(*SIZE)
    (rung,) = choose_renditions(video, Fraction(RATE), (SIZE[1],), [Fraction(CUT, RATE)])
    rendition = replace(rung, max_rate=10**7, buffer_size=10**7)
    with SegmentEncoder(video, rendition) as encoder:
        for n, picture in enumerate(shown[CUT:]):
            encoder.add(n * 90_000 // RATE, picture)
        first = encoder.finish()[0]
    assert abs(len(first.data) / len(inside) - 1) < 0.05


def test_no_sample_carries_the_encoders_remarks():
    plan = plan_clip("film")
    with clip("film").open("rb") as file:
        made = segment.encode(file, plan, plan.renditions[0].name, 0)
    assert read_segment(made).nal_types == [5]
    assert b"x264" not in made
