"""Chooses the renditions of one video: sizes by short edge, rates, H.264 levels. Called by planning; pure arithmetic.

Nothing is upscaled; every size is even; the declared BANDWIDTH holds for every segment because the rate is capped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

from kinora.media.plan import Rendition, VideoSource
from kinora.media.video_clock import output_timescale

CRF = 23
AV1_CRF = 40
_AV1_PART = Fraction(7, 10)  # of H.264's rate that AV1 may take at most
_SMALLEST_AV1 = 16  # pixels
_OWN_SIZE_MARGIN = Fraction(11, 10)  # a source is worth a rung of its own if it is 10 % above the next rung
_REFERENCE_RATE = 6_000_000  # bits per second that 1920×1080 at 30 frames per second may take
_REFERENCE_PIXELS = 1920 * 1080
_LOWEST_RATE = 64_000
_FULLEST_BUFFER = Fraction(9, 10)  # x264 starts every segment with its buffer this full
_SAMPLE_OVERHEAD = 20  # bytes of headers per picture in a fragment, and those that every fragment has once
_FRAGMENT_OVERHEAD = 1000
# ITU-T H.264 table A-1: level_idc, macroblocks per second, macroblocks per picture, kbit/s in Main profile, DPB macroblocks
_LEVELS = (
    (10, 1485, 99, 64, 396),
    (11, 3000, 396, 192, 900),
    (12, 6000, 396, 384, 2376),
    (13, 11880, 396, 768, 2376),
    (20, 11880, 396, 2000, 2376),
    (21, 19800, 792, 4000, 4752),
    (22, 20250, 1620, 4000, 8100),
    (30, 40500, 1620, 10000, 8100),
    (31, 108000, 3600, 14000, 18000),
    (32, 216000, 5120, 20000, 20480),
    (40, 245760, 8192, 20000, 32768),
    (42, 522240, 8704, 50000, 34816),
    (50, 589824, 22080, 135000, 110400),
    (51, 983040, 36864, 240000, 184320),
    (52, 2073600, 36864, 240000, 184320),
    (60, 4177920, 139264, 240000, 696320),
    (61, 8355840, 139264, 480000, 696320),
    (62, 16711680, 139264, 800000, 696320),
)
_REORDERED = 2  # places by which the encoder moves a picture ahead of others at most
_SLOWEST_REORDERED = 4  # pictures per second
_REFERENCES = 4  # pictures that the decoder holds at most with the settings of the encoder


def choose_renditions(
    video: VideoSource,
    frame_rate: Fraction,
    rungs: Sequence[int],
    durations: Sequence[Fraction],
    *,
    with_own_size: bool = False,
) -> tuple[Rendition, ...]:
    """The renditions from the largest down. `rungs` are short edges in pixels, `durations` the segments' in seconds.

    `with_own_size` makes the source's own size the top rung.
    """
    edges = _short_edges(video, rungs, with_own_size=with_own_size)
    return tuple(_rendition(video, rung, frame_rate, durations) for rung in edges)


def in_av1(rendition: Rendition, durations: Sequence[Fraction]) -> Rendition | None:
    """The same rung in AV1, for less; its `codecs` are the encoder's to say. None if it is too small for that codec."""
    if min(rendition.width, rendition.height) < _SMALLEST_AV1:
        return None
    highest = max(int(rendition.max_rate * _AV1_PART), _LOWEST_RATE)
    return replace(
        rendition,
        name=rendition.name.replace("_h264", "_av1"),
        codec="av1",
        crf=AV1_CRF,
        max_rate=highest,
        buffer_size=int(highest * _FULLEST_BUFFER / 2),
        bandwidth=_bandwidth(highest, Fraction(rendition.frame_rate), durations),
        delay=0,
    )


def _short_edges(video: VideoSource, rungs: Sequence[int], *, with_own_size: bool) -> list[int]:
    own = _even(min(video.width, video.height))
    ladder = sorted(rungs, reverse=True)
    below = [rung for rung in ladder if rung <= own]
    if with_own_size:
        return [own, *(rung for rung in below if own > rung * _OWN_SIZE_MARGIN)]
    if below and (below[0] == ladder[0] or own <= below[0] * _OWN_SIZE_MARGIN):
        return below
    return [own, *below]


def _rendition(video: VideoSource, rung: int, frame_rate: Fraction, durations: Sequence[Fraction]) -> Rendition:
    short = min(video.width, video.height)
    width, height = (
        _even(Fraction(edge * rung, short)) if short > rung else _even(edge) for edge in (video.width, video.height)
    )
    highest = max_rate(width * height, frame_rate)
    return Rendition(
        name=f"r{rung}_h264",
        codec="h264",
        width=width,
        height=height,
        crf=CRF,
        max_rate=highest,
        buffer_size=highest // 2,
        codecs=f"avc1.6400{_level(width, height, frame_rate, highest):02x}",
        bandwidth=_bandwidth(highest, frame_rate, durations),
        frame_rate=round(float(frame_rate), 3),
        delay=_delay(video, frame_rate),
    )


def _delay(video: VideoSource, frame_rate: Fraction) -> int:
    """Ticks in which as many pictures are shown, or a bit more, as the encoder moves one ahead.

    Slow or very few pictures are not reordered: before it shows one a decoder would wait seconds for the following ones.
    """
    pictures = (video.end - video.start) * video.time_base * frame_rate
    if frame_rate < _SLOWEST_REORDERED or pictures <= _REORDERED:
        return 0
    return ceil(_REORDERED / frame_rate * output_timescale(video.time_base))


def _even(edge: Fraction | int) -> int:
    """The nearest even number, but never above a whole number of source pixels."""
    return max(edge // 2 * 2 if isinstance(edge, int) else floor(edge / 2 + Fraction(1, 2)) * 2, 2)


def max_rate(pixels: int, frame_rate: Fraction) -> int:
    """Bits per second at most: small pictures need more per pixel, fast ones less per picture."""
    by_size = (pixels / _REFERENCE_PIXELS) ** 0.86
    by_speed = (max(float(frame_rate), 24.0) / 30) ** 0.6
    return max(int(_REFERENCE_RATE * by_size * by_speed / 1000) * 1000, _LOWEST_RATE)


def _bandwidth(max_rate: int, frame_rate: Fraction, durations: Sequence[Fraction]) -> int:
    """What no segment exceeds (RFC 8216 §4.3.4.2): the capped rate and a full buffer more, spent in the shortest segment."""
    shortest = min(durations)
    overhead = 8 * (frame_rate * _SAMPLE_OVERHEAD + _FRAGMENT_OVERHEAD / shortest)
    return ceil(max_rate * (1 + _FULLEST_BUFFER / 2 / shortest) + overhead)


def _level(width: int, height: int, frame_rate: Fraction, max_rate: int) -> int:
    """The lowest level_idc that allows size, rate and reference pictures in High profile."""
    blocks = -(-width // 16) * -(-height // 16)
    longest = -(-max(width, height) // 16)
    for level, per_second, per_picture, kilobits, held in _LEVELS:
        fits_picture = blocks <= per_picture and longest * longest <= 8 * per_picture and blocks * _REFERENCES <= held
        if fits_picture and blocks * frame_rate <= per_second and max_rate <= kilobits * 1250:
            return level
    return _LEVELS[-1][0]
