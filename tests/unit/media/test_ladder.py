"""The choice of renditions."""

from __future__ import annotations

from fractions import Fraction

import pytest

from kinora.media.ladder import choose_renditions
from kinora.media.plan import VideoSource

RUNGS = (1080, 720, 480, 360, 240)


def source(width: int, height: int) -> VideoSource:
    return VideoSource(
        index=0,
        codec="h264",
        time_base=Fraction(1, 90_000),
        width=width,
        height=height,
        rotation=0,
        pixel_format="yuv420p",
        frame_rate=Fraction(30),
        start=0,
        end=900_000,
        color_primaries="unknown",
        color_transfer="unknown",
        color_space="unknown",
        color_range="unknown",
    )


def renditions(width: int, height: int, rate: int = 30, rungs=RUNGS):
    return choose_renditions(source(width, height), Fraction(rate), rungs, [Fraction(4), Fraction(2)])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1920, 1080), [(1920, 1080), (1280, 720), (854, 480), (640, 360), (426, 240)]),
        ((1080, 1920), [(1080, 1920), (720, 1280), (480, 854), (360, 640), (240, 426)]),
        ((2560, 1440), [(1920, 1080), (1280, 720), (854, 480), (640, 360), (426, 240)]),
        ((1600, 900), [(1600, 900), (1280, 720), (854, 480), (640, 360), (426, 240)]),
        ((1316, 740), [(1280, 720), (854, 480), (640, 360), (426, 240)]),
        ((320, 180), [(320, 180)]),
        ((641, 361), [(640, 360), (426, 240)]),
        ((175, 99), [(174, 98)]),
        ((2, 2), [(2, 2)]),
        ((1, 1), [(2, 2)]),
    ],
)
def test_rungs_go_by_short_edge_and_never_above_the_source(size, expected):
    assert [(one.width, one.height) for one in renditions(*size)] == expected


def test_names_and_tracks_say_the_short_edge():
    assert [one.track for one in renditions(320, 180)] == ["video/r180_h264"]
    assert renditions(1080, 1920)[0].name == "r1080_h264"


@pytest.mark.parametrize(
    ("size", "rate", "codecs"),
    [
        ((1920, 1080), 30, "avc1.640028"),
        ((1920, 1080), 60, "avc1.64002a"),
        ((1280, 720), 30, "avc1.64001f"),
        ((3840, 2160), 60, "avc1.640034"),
        ((128, 96), 15, "avc1.64000a"),
    ],
)
def test_the_codec_string_names_the_lowest_level_that_fits(size, rate, codecs):
    assert renditions(*size, rate=rate, rungs=(2160, 1080, 720, 96))[0].codecs == codecs


def test_rates_fall_with_size_and_bandwidth_allows_for_a_full_buffer():
    made = renditions(1920, 1080)
    rates = [one.max_rate for one in made]
    assert rates == sorted(rates, reverse=True)
    assert 5_000_000 <= rates[0] <= 7_000_000
    assert all(one.bandwidth > one.max_rate + 0.9 * one.buffer_size / 2 for one in made)
    assert renditions(1920, 1080, rate=60)[0].max_rate > rates[0]
