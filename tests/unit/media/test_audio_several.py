from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import m3u8
import numpy as np
import pytest

from kinora.errors import CorruptMedia
from kinora.media import audio, hls
from kinora.media.plan import Plan
from kinora.media.planning import make_plan
from kinora.media.probe import probe
from tests.unit.media.sound import FRAME, ffmpeg, joined, lag, make, plan_for, samples, segments, snr

TONES = "|".join(f"0.2*sin(2*PI*{300 + 100 * channel}*t)" for channel in range(6))


def film(path: Path, *options: str, streams: int, picture: bool = True, seconds: int = 3) -> Path:
    """A film with so many tones for sound; stream k of them (from 0) is at 300 + 100 k Hz."""
    inputs: list[str] = []
    for k in range(streams):
        inputs += ["-f", "lavfi", "-i", f"sine=f={300 + 100 * k}:r=48000:d={seconds}"]
    if picture:
        inputs += ["-f", "lavfi", "-i", f"color=s=64x64:r=10:d={seconds}"]
    maps = [word for k in range(streams + picture) for word in ("-map", str(k))]
    ffmpeg(*inputs, *maps, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "flac", *options, path)
    return path


def whole_plan(path: Path, demuxer: str) -> Plan:
    with path.open("rb") as file:
        return make_plan(file, demuxer, "0" * 64, ladder=(240,), max_duration=100, max_pixels=10**6)


def test_every_stream_becomes_a_track_of_its_own(tmp_path: Path) -> None:
    tags = [f"-metadata:s:a:{k}={word}" for k, word in enumerate(("language=eng", "language=ger", "language=eng"))]
    options = [part for tag in tags for part in tag.split("=", 1)]
    plan = whole_plan(film(tmp_path / "f.mkv", *options, streams=3), "matroska")
    assert [track.name for track in plan.audio_tracks] == ["eng_aac_1ch", "ger_aac_1ch", "eng_aac_1ch_2"]
    assert [track.language for track in plan.audio_tracks] == ["en", "de", "en"]
    assert [track.default for track in plan.audio_tracks] == [True, False, False]
    for number in range(3):
        got = samples(joined(tmp_path / "f.mkv", plan, number), plan, number)
        spectrum = np.abs(np.fft.rfft(got[0, FRAME : FRAME + 48_000]))
        assert int(spectrum.argmax()) == 300 + 100 * number


def test_the_plan_keeps_everything_in_json(tmp_path: Path) -> None:
    plan = whole_plan(film(tmp_path / "f.mkv", "-disposition:a:1", "comment", streams=2), "matroska")
    assert Plan.from_json(plan.to_json()) == plan
    assert [track.role for track in plan.audio_tracks] == ["", "commentary"]


def test_at_most_eight_streams_are_used_the_default_one_among_them(tmp_path: Path) -> None:
    path = film(tmp_path / "f.mkv", streams=10, picture=False, seconds=1)
    with path.open("rb") as file:
        found = probe(file, "matroska")
        chosen = tuple(replace(one, default=one.index == 9) for one in found.audio)
        tracks, timelines = audio.plan_tracks(file, replace(found, audio=chosen), Fraction(0), ())
    assert [track.source_index for track in tracks] == [9, 0, 1, 2, 3, 4, 5, 6]
    assert set(timelines) == {track.name for track in tracks}
    assert len(timelines) == 8


def test_a_broken_stream_is_left_out(tmp_path: Path) -> None:
    path = film(tmp_path / "f.mp4", "-c:a:0", "alac", "-c:a:1", "aac", streams=2)
    with path.open("rb") as file:
        found = probe(file, "mov")
        absurd = replace(found, audio=(replace(found.audio[0], sample_rate=1), found.audio[1]))
        tracks, _ = audio.plan_tracks(file, absurd, Fraction(0), (Fraction(0), Fraction(3)))
        assert [(track.source_index, track.default) for track in tracks] == [(found.audio[1].index, True)]
        silent = replace(found, audio=(replace(found.audio[0], sample_rate=1),))
        assert audio.plan_tracks(file, silent, Fraction(0), (Fraction(0), Fraction(3))) == ((), {})
        with pytest.raises(CorruptMedia):
            audio.plan_tracks(file, replace(silent, video=None), Fraction(0), ())


def test_a_film_whose_sound_is_garbage_is_published_without_sound(tmp_path: Path) -> None:
    path = film(tmp_path / "f.mp4", "-c:a", "alac", "-movflags", "faststart", streams=1)
    data = path.read_bytes()
    with path.open("rb") as file:
        sound = probe(file, "mov").audio[0]
    with av.open(str(path)) as container:
        entries = [(one.pos, one.size) for one in container.streams[sound.index].index_entries]
    broken = bytearray(data)
    for position, size in entries:
        broken[position : position + size] = b"\xff" * size
    path.write_bytes(broken)
    plan = whole_plan(path, "mov")
    assert plan.renditions
    assert plan.audio_tracks == ()
    assert "mp4a" not in hls.multivariant_playlist(plan)


@pytest.fixture(scope="module", params=["5.1 flac in mkv", "5.1 aac in mp4", "7.1 wav"])
def surround(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan, str]:
    folder = tmp_path_factory.mktemp("surround")
    if request.param == "7.1 wav":
        tones = TONES + "|0.2*sin(2*PI*300*t)|0.2*sin(2*PI*400*t)"
        path, demuxer = make(folder / "s.wav", sound=f"{tones}:c=7.1", seconds=16.3), "wav"
    elif request.param == "5.1 aac in mp4":
        path, demuxer = make(folder / "s.mp4", "-c:a", "aac", "-b:a", "384k", sound=f"{TONES}:c=5.1", seconds=16.3), "mov"
    else:
        path, demuxer = make(folder / "s.mkv", "-c:a", "flac", sound=f"{TONES}:c=5.1", seconds=16.3), "matroska"
    return path, plan_for(path, demuxer), str(request.param)


def test_surround_is_kept_beside_stereo(surround: tuple[Path, Plan, str]) -> None:
    path, plan, kind = surround
    assert [(track.name, track.channels) for track in plan.audio_tracks] == [("und_aac_2ch", 2), ("und_aac_6ch", 6)]
    assert plan.audio_tracks[1].copied is ("aac" in kind)
    got = samples(joined(path, plan, 1), plan, 1)
    assert got.shape == (6, plan.audio_timeline["und_aac_6ch"][-1] * FRAME)
    loudest = [int(np.abs(np.fft.rfft(one[FRAME : FRAME + 48_000])).argmax()) for one in got]
    fronts = [300, 400, 500]
    assert loudest[:3] == fronts
    if "7.1" not in kind:
        assert loudest[4:] == [700, 800]
        wanted = samples(path, plan, 1)
        assert lag(wanted[0], got[0], 500_000, within=70) == 0  # a tone repeats after 160 samples
        assert snr(wanted[0, 2 * FRAME : 700_000], got[0, 2 * FRAME : 700_000]) > 20


def test_a_surround_segment_made_alone_has_the_bytes_of_the_batch(surround: tuple[Path, Plan, str]) -> None:
    path, plan, _ = surround
    track = plan.audio_tracks[1].track
    batch = segments(path, plan, 1)
    for n in reversed(range(len(batch))):
        with path.open("rb") as file:
            assert audio.encode(file, plan, track, n) == batch[n]


def test_loud_surround_stays_within_its_declared_rate(tmp_path: Path) -> None:
    hiss = "|".join(f"if(lt(t\\,3)\\,0\\,random({channel})-0.5)" for channel in range(6))
    path = make(tmp_path / "s.wav", sound=f"{hiss}:c=5.1", seconds=12)
    plan = plan_for(path, "wav", cuts=tuple(Fraction(n) for n in range(13)))
    track = plan.audio_tracks[1]
    cuts = plan.audio_timeline[track.name]
    for n, segment in enumerate(segments(path, plan, 1)):
        assert len(segment) * 8 * track.sample_rate / ((cuts[n + 1] - cuts[n]) * FRAME) < track.bandwidth


def test_channels_without_places_are_no_surround(tmp_path: Path) -> None:
    path = make(tmp_path / "s.wav", sound="|".join(["0.1*sin(2*PI*300*t)"] * 11), seconds=1)
    assert [track.channels for track in plan_for(path, "wav").audio_tracks] == [2]


def test_every_group_offers_the_same_choices(tmp_path: Path) -> None:
    five = ["-f", "lavfi", "-i", f"aevalsrc={TONES}:c=5.1:s=48000:d=2", "-f", "lavfi", "-i", "sine=d=2:r=48000"]
    picture = ["-f", "lavfi", "-i", "color=s=64x64:r=10:d=2", "-map", "0", "-map", "1", "-map", "1", "-map", "2"]
    tags = [
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fre", "-metadata:s:a:2", "language=eng"),
        *("-metadata:s:a:2", "title=Director", "-disposition:a:2", "comment", "-disposition:a:1", "visual_impaired"),
    ]
    ffmpeg(*five, *picture, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "flac", *tags, tmp_path / "f.mkv")
    plan = whole_plan(tmp_path / "f.mkv", "matroska")
    master = m3u8.loads(hls.multivariant_playlist(plan))
    groups: dict[str, list[m3u8.Media]] = {}
    for one in master.media:
        groups.setdefault(one.group_id, []).append(one)
    assert list(groups) == ["aac-stereo", "aac-surround"]
    stereo, five_one = groups.values()
    assert [(one.name, one.language) for one in stereo] == [("en", "en"), ("fr", "fr"), ("Director", "en")]
    assert [(one.name, one.language) for one in five_one] == [(one.name, one.language) for one in stereo]
    assert [one.channels for one in five_one] == ["6", "1", "1"]
    for group in groups.values():
        assert [one.default for one in group] == ["YES", "NO", "NO"]
        assert [one.autoselect for one in group] == ["YES", "YES", "NO"]
        assert [one.characteristics for one in group] == [None, "public.accessibility.describes-video", None]
    assert [one.stream_info.audio for one in master.playlists] == ["aac-stereo", "aac-surround"]
    low, high = (one.stream_info.bandwidth for one in master.playlists)
    assert high - low == 480_000 - 200_000


def test_sound_alone_in_two_languages_is_a_choice(tmp_path: Path) -> None:
    plan = whole_plan(film(tmp_path / "f.mkv", "-metadata:s:a:1", "language=eng", streams=2, picture=False), "matroska")
    master = m3u8.loads(hls.multivariant_playlist(plan))
    assert [one.uri for one in master.playlists] == ["audio/und_aac_1ch/playlist.m3u8"]
    assert [(one.uri, one.default) for one in master.media] == [
        ("audio/und_aac_1ch/playlist.m3u8", "YES"),
        ("audio/eng_aac_1ch/playlist.m3u8", "NO"),
    ]
    assert master.playlists[0].stream_info.audio == "aac-stereo"
