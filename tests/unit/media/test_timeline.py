"""The cutting of timelines, as arithmetic on picture times."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from kinora.media.index import PictureTime
from kinora.media.timeline import cut_timeline, durations

TICK = Fraction(1, 1000)


def pictures(seconds: float, *, keyframes: set[float], rate: int = 25) -> list[PictureTime]:
    step = 1000 // rate
    return [PictureTime(pts, step, pts / 1000 in keyframes, is_shown=True) for pts in range(0, round(seconds * 1000), step)]


def cut(times: list[PictureTime], first: int = 0):
    return cut_timeline(times, first, TICK, Fraction(25))


def seconds_of(timeline) -> list[float]:
    return [float(length) for length in durations(timeline.cuts, TICK)]


@pytest.mark.parametrize(
    ("length", "every", "expected"),
    [
        (16, 1, [1, 1, 2, 4, 4, 4]),
        (16, 2, [1, 1, 2, 4, 4, 4]),
        (12, 3, [1, 1, 1, 3, 3, 3]),
        (12, 5, [1, 1, 3, 5, 2]),
        (20, 10, [1, 1, 2, 6, 10]),
        (0.48, 1, [0.48]),
        (3, 1, [1, 1, 1]),
        (2.48, 1, [1, 1.48]),
    ],
)
def test_cuts_lie_at_the_keyframes_nearest_to_four_seconds_after_a_quick_beginning(length, every, expected):
    keyframes = {float(second) for second in range(0, 100, every)}
    assert seconds_of(cut(pictures(length, keyframes=keyframes))) == expected


@pytest.mark.parametrize(
    ("length", "every", "expected"),
    [(16, 1, [1, 1, 2, 4, 4, 4]), (16, 2, [2, 2, 2, 4, 4, 2]), (12, 5, [5, 5, 2]), (20, 10, [10, 10])],
)
def test_for_copying_no_gop_is_divided_for_a_quick_beginning(length, every, expected):
    keyframes = {float(second) for second in range(0, 100, every)}
    timeline = cut_timeline(pictures(length, keyframes=keyframes), 0, TICK, Fraction(25), at_keyframes=True)
    assert seconds_of(timeline) == expected


def test_a_picture_that_stands_for_long_is_not_divided():
    times = [PictureTime(pts, 5000, is_keyframe=pts == 0, is_shown=True) for pts in (0, 5000, 10_000)]
    assert seconds_of(cut(times)) == [5, 5, 5]


def test_a_tail_under_one_second_joins_its_predecessor():
    assert seconds_of(cut(pictures(8.52, keyframes={0, 4, 8}))) == [1, 1, 2, 4.52]


def test_a_tail_that_would_make_its_predecessor_too_long_is_shared_out():
    lengths = seconds_of(cut(pictures(14.6, keyframes={0, 4, 13.92})))
    assert len(lengths) == 5
    assert min(lengths[3:]) > 5


def test_long_gops_are_divided_into_equal_parts_and_decoded_from_their_keyframe():
    timeline = cut(pictures(28, keyframes={0.0, 16.0}))
    lengths = seconds_of(timeline)
    assert sum(lengths) == 28
    assert lengths[:3] == [1, 1, 2]
    assert all(3 <= length <= 5 for length in lengths[3:])
    assert 16_000 in timeline.cuts
    assert timeline.entries == tuple(16_000 if start >= 16_000 else 0 for start in timeline.cuts[:-1])


def test_no_segment_is_longer_than_ten_seconds_whatever_the_keyframes():
    for gap in (0.04, 0.4, 1.2, 3.72, 6.2, 9.96, 10.04, 13.0, 40.0):
        keyframes = {round(place * gap, 2) for place in range(int(61 / gap) + 1)}
        timeline = cut(pictures(60.4, keyframes=keyframes))
        assert max(seconds_of(timeline)) <= 10
        assert min(seconds_of(timeline)) >= 1
        assert all(before < after for before, after in pairwise(timeline.cuts))


def test_one_picture_lasts_as_long_as_the_container_says_or_one_frame():
    assert cut([PictureTime(5, 400, is_keyframe=True, is_shown=True)], 5).cuts == (5, 405)
    assert cut([PictureTime(5, 0, is_keyframe=True, is_shown=True)], 5).cuts == (5, 45)


def test_the_last_picture_without_duration_lasts_as_long_as_the_one_before():
    times = [PictureTime(pts, 0, is_keyframe=pts == 0, is_shown=True) for pts in (0, 40, 120)]
    assert cut(times).cuts == (0, 200)


def test_hidden_pictures_are_not_shown_but_are_where_decoding_starts():
    times = [PictureTime(pts, 40, is_keyframe=pts == -400, is_shown=pts >= 0) for pts in range(-400, 2000, 40)]
    timeline = cut(times)
    assert timeline.cuts == (0, 1000, 2000)
    assert timeline.entries == (-400, -400)


def test_pictures_before_the_first_visible_one_are_left_out():
    times = pictures(4, keyframes={1.0})
    assert cut(times, 1000).cuts == (1000, 2000, 3000, 4000)
    assert cut(times, 9000) is None
