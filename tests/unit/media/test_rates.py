"""Measured rates, checked against a search over every run of segments, and where the first picture of a segment ends."""

from __future__ import annotations

import struct
from fractions import Fraction

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinora.media import hls, segment
from kinora.media.iframes import first_sample_end, headers_end
from kinora.media.planning import make_plan
from kinora.media.rates import Measured, Rates, measured_rates
from tests.unit.media.clips import clip
from tests.unit.media.fragments import inside
from tests.unit.media.test_hls import plan as full_plan

SECOND = 1_000_000


def test_equal_segments_have_one_rate():
    assert measured_rates([1000, 1000, 1000], [4 * SECOND] * 3) == Rates(2000, 2000)


def test_two_segments_that_are_short_together_count_together():
    rates = measured_rates([8000, 3000, 3000], [4 * SECOND, SECOND, 2 * SECOND])
    assert rates == Rates(24000, 16000)
    rates = measured_rates([8000, 2000, 3000, 2000], [6 * SECOND, 2 * SECOND, SECOND, 2 * SECOND])
    assert rates.peak == 24000


def test_a_single_short_segment_is_all_there_is():
    assert measured_rates([500], [SECOND // 2]) == Rates(8000, 8000)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10 * SECOND)), min_size=1, max_size=12))
def test_the_peak_is_the_worst_run(segments):
    sizes, durations = [size for size, _ in segments], [duration for _, duration in segments]
    target = max(durations)
    runs = [
        Fraction(8 * sum(sizes[a:b]) * SECOND, sum(durations[a:b]))
        for a in range(len(sizes))
        for b in range(a + 1, len(sizes) + 1)
        if target / 2 <= sum(durations[a:b]) <= target * 3 / 2 or b == a + 1
    ]
    rates = measured_rates(sizes, durations)
    assert rates.peak == -(-max(runs) // 1)
    assert rates.average == -(-8 * sum(sizes) * SECOND // sum(durations))


@pytest.fixture(scope="module")
def made() -> bytes:
    path = clip("even")
    with path.open("rb") as file:
        plan = make_plan(file, "mov", "0" * 64, ladder=(1080,), max_duration=60, max_pixels=1 << 20)
        return segment.encode(file, plan, plan.renditions[0].name, 0)


def box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def test_the_first_picture_ends_where_its_sample_does(made):
    end = first_sample_end(made)
    (size,) = struct.unpack_from(">I", inside(made, b"moof", b"traf", b"trun"), 12 + 4)
    assert made[:end].endswith(inside(made, b"mdat")[:size])
    assert end == made.index(b"mdat") + 4 + size


def test_a_beginning_that_is_too_short_says_how_much_is_needed(made):
    needed = headers_end(made[:64])
    assert made[needed + 4 : needed + 8] == b"mdat"
    assert first_sample_end(made[: needed - 1]) is None
    assert first_sample_end(made[:needed]) == first_sample_end(made)


def test_default_sizes_and_optional_fields_are_understood():
    """As other muxers write fragments: one size for all samples, flags of the first one in front."""
    tfhd = box(b"tfhd", struct.pack(">IIII", 0x02_0000 | 0x8 | 0x10, 1, 512, 77))
    moof = box(b"moof", box(b"traf", tfhd, box(b"trun", struct.pack(">IIiI", 0x5, 3, 100, 0))))
    assert first_sample_end(moof + box(b"mdat", bytes(231))) == 100 + 77
    assert first_sample_end(moof[:-4]) is None
    assert first_sample_end(b"") is None


def test_an_i_frame_playlist_names_the_first_picture_of_every_segment():
    plan = full_plan()
    track = plan.renditions[0].track
    count = plan.segment_count(track)
    playlist = m3u8.loads(hls.i_frame_playlist(plan, track, range(1000, 1000 + count)))
    normal = m3u8.loads(hls.media_playlist(plan, track))
    assert playlist.is_i_frames_only
    assert [one.byterange for one in playlist.segments] == [f"{1000 + n}@0" for n in range(count)]
    assert [(one.uri, one.duration) for one in playlist.segments] == [(one.uri, one.duration) for one in normal.segments]
    assert playlist.segments[0].init_section.uri == "init.mp4"
    assert playlist.is_endlist


def test_what_is_measured_replaces_the_bounds():
    plan = full_plan()
    top, sound = plan.renditions[0], plan.audio_tracks[0]
    tracks = {one.track: Rates(300_000, 200_000) for one in plan.renditions} | {sound.track: Rates(90_000, 80_000)}
    measured = Measured(tracks, {top.track: Rates(40_000, 30_000)})
    playlist = m3u8.loads(hls.multivariant_playlist(plan, measured))
    assert {(one.stream_info.bandwidth, one.stream_info.average_bandwidth) for one in playlist.playlists} == {
        (390_000, 280_000)
    }
    (i_frames,) = playlist.iframe_playlists
    info = i_frames.iframe_stream_info
    assert (info.bandwidth, info.average_bandwidth, info.codecs) == (40_000, 30_000, top.codecs)
    assert (info.resolution, info.video_range) == ((top.width, top.height), "SDR")
    assert i_frames.uri == f"{top.track}/iframes.m3u8"


def test_what_is_not_complete_keeps_its_bound():
    plan = full_plan()
    playlist = m3u8.loads(hls.multivariant_playlist(plan, Measured({plan.renditions[0].track: Rates(3, 2)})))
    assert {one.stream_info.average_bandwidth for one in playlist.playlists} == {None}
    assert not playlist.iframe_playlists


def test_every_variant_says_its_range_and_that_it_has_no_captions():
    playlist = m3u8.loads(hls.multivariant_playlist(full_plan()))
    for one in playlist.playlists:
        assert one.stream_info.video_range == "SDR"
        assert one.stream_info.closed_captions == "NONE"
        assert one.stream_info.frame_rate
        assert one.stream_info.resolution
