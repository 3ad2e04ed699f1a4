from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from kinora.errors import CorruptMedia, LimitExceeded
from kinora.media import audio
from kinora.media.plan import Probe
from kinora.media.probe import probe
from tests.unit.media.sound import FRAME, make, plan_for


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("minute") / "minute.wav", seconds=60.01, sound="0.1*sin(2*PI*440*t)")


def seconds(frames: int, rate: int = 48_000) -> float:
    return frames * FRAME / rate


def test_without_video_a_segment_takes_about_six_seconds(minute: Path) -> None:
    plan = plan_for(minute, "wav")
    cuts = plan.audio_timeline["und_aac_2ch"]
    assert cuts[0] == 0
    assert cuts[-1] == -(-60.01 * 48_000 // FRAME)
    assert all(5 < seconds(stop - start) < 7 for start, stop in pairwise(cuts))


def test_boundaries_lie_at_the_frame_nearest_to_the_videos(minute: Path) -> None:
    wanted = (*(Fraction(n * 4004, 1000) for n in range(15)), Fraction(60))
    cuts = plan_for(minute, "wav", cuts=wanted).audio_timeline["und_aac_2ch"]
    assert len(cuts) == len(wanted)
    for cut, near in zip(cuts[1:-1], wanted[1:-1], strict=True):
        assert abs(Fraction(cut * FRAME, 48_000) - near) <= Fraction(FRAME, 96_000)


def test_sound_longer_than_the_video_goes_on_in_segments_of_sane_length(minute: Path) -> None:
    cuts = plan_for(minute, "wav", cuts=(Fraction(0), Fraction(4), Fraction(8))).audio_timeline["und_aac_2ch"]
    assert seconds(cuts[1]) == pytest.approx(4, abs=0.02)
    assert all(1 <= seconds(stop - start) <= 10 for start, stop in pairwise(cuts))
    assert seconds(cuts[-1]) == pytest.approx(60.01, abs=0.03)


def test_sound_shorter_than_the_video_goes_on_as_silence(tmp_path: Path) -> None:
    path = make(tmp_path / "short.wav", seconds=8.3)
    plan = plan_for(path, "wav", cuts=tuple(Fraction(4 * n) for n in range(9)))
    assert [round(seconds(cut), 1) for cut in plan.audio_timeline["und_aac_2ch"]] == [4 * n for n in range(9)]
    assert seconds(1) * plan.audio_tracks[0].silent_from / FRAME == pytest.approx(8.3, abs=0.03)


def test_sound_that_ends_a_little_before_the_video_is_not_lengthened(tmp_path: Path) -> None:
    path = make(tmp_path / "short.wav", seconds=8.3)
    cuts = plan_for(path, "wav", cuts=(Fraction(0), Fraction(4), Fraction(17, 2))).audio_timeline["und_aac_2ch"]
    assert [round(seconds(cut), 1) for cut in cuts] == [0, 4.0, 8.3]


@pytest.mark.parametrize("length", [0.005, 0.5, 1.5])
def test_a_short_sound_is_one_segment(tmp_path: Path, length: float) -> None:
    plan = plan_for(make(tmp_path / "short.wav", seconds=length), "wav")
    assert plan.audio_timeline["und_aac_2ch"] == (0, -(-int(length * 48_000) // FRAME))


@pytest.mark.parametrize(
    ("rate", "planned"),
    [(44_100, 44_100), (48_000, 48_000), (8_000, 48_000), (22_050, 44_100), (88_200, 44_100), (32_000, 48_000)],
)
def test_the_rate_is_the_sources_or_the_one_in_the_simpler_ratio(tmp_path: Path, rate: int, planned: int) -> None:
    plan = plan_for(make(tmp_path / "rate.wav", rate=rate, seconds=1), "wav")
    assert plan.audio_tracks[0].sample_rate == planned


def test_the_track_says_what_it_is(tmp_path: Path) -> None:
    path = make(tmp_path / "mono.mkv", "-ac", "1", "-c:a", "flac", "-metadata:s:a:0", "language=deu", seconds=1)
    track = plan_for(path, "matroska").audio_tracks[0]
    assert (track.channels, track.codec, track.codecs, track.default) == (1, "aac", "mp4a.40.2", True)
    assert (track.name, track.language) == ("deu_aac_1ch", "de")
    assert track.track == f"audio/{track.name}"
    assert 64_000 <= track.bit_rate <= 96_000 < track.bandwidth


def test_the_default_stream_comes_first(tmp_path: Path) -> None:
    path = make(
        tmp_path / "two.mkv",
        "-map",
        "0",
        "-map",
        "0",
        "-c:a",
        "flac",
        "-disposition:a:0",
        "0",
        "-disposition:a:1",
        "default",
        seconds=1,
    )
    tracks = plan_for(path, "matroska").audio_tracks
    assert [(track.source_index, track.default) for track in tracks] == [(1, True), (0, False)]


def test_the_end_is_where_sound_ends_not_where_the_container_says(minute: Path) -> None:
    with minute.open("rb") as file:
        found = probe(file, "wav")
        for claimed in (20, 58, 61, 100, 5_000):
            source = replace(found.audio[0], end=int(claimed / found.audio[0].time_base))
            _, timelines = audio.plan_tracks(file, replace(found, audio=(source,)), Fraction(0), ())
            assert timelines["und_aac_2ch"][-1] == -(-60.01 * 48_000 // FRAME)


def test_sound_that_ends_before_the_origin_gives_no_track(minute: Path) -> None:
    plan = plan_for(minute, "wav", origin=Fraction(100))
    assert plan.audio_tracks == ()
    assert plan.audio_timeline == {}


def test_no_audio_gives_no_track(minute: Path) -> None:
    with minute.open("rb") as file:
        assert audio.plan_tracks(file, Probe("wav", 1.0, None, ()), Fraction(0), ()) == ((), {})


def test_a_stream_of_which_nothing_can_be_decoded_is_corrupt(tmp_path: Path) -> None:
    path = make(tmp_path / "bad.m4a", "-c:a", "alac", seconds=4)
    with path.open("rb") as file:
        found = probe(file, "mov")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    size = int.from_bytes(data[start - 8 : start - 4]) - 8
    data[start : start + size] = b"\xff" * size
    path.write_bytes(data)
    with path.open("rb") as file, pytest.raises(CorruptMedia):
        audio.plan_tracks(file, found, Fraction(0), ())


@pytest.mark.parametrize("rate", [1, 2**31 - 1])
def test_an_absurd_rate_is_corrupt(minute: Path, rate: int) -> None:
    with minute.open("rb") as file:
        found = probe(file, "wav")
        source = replace(found.audio[0], sample_rate=rate)
        with pytest.raises(CorruptMedia):
            audio.plan_tracks(file, replace(found, audio=(source,)), Fraction(0), ())


def test_a_stream_that_is_not_there_is_corrupt(minute: Path) -> None:
    with minute.open("rb") as file:
        found = probe(file, "wav")
        with pytest.raises(CorruptMedia):
            audio.plan_tracks(file, replace(found, audio=(replace(found.audio[0], index=7),)), Fraction(0), ())


def test_sound_far_beyond_the_declared_end_is_too_long(tmp_path: Path) -> None:
    path = make(tmp_path / "gap.mkv", "-c:a", "pcm_s16le", "-af", "asetpts=if(gte(T\\,1)\\,PTS+SR*100000\\,PTS)", seconds=2)
    with path.open("rb") as file:
        found = replace(probe(file, "matroska"), duration=2.0)
        with pytest.raises(LimitExceeded):
            audio.plan_tracks(file, found, Fraction(0), ())
