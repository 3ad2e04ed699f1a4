from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import m3u8
import numpy as np
import pytest

from kinora.media import audio, hls
from kinora.media.plan import OPUS_FRAME, Plan
from tests.unit.media.sound import ffmpeg, joined, lag, make, plan_for, samples, segments, snr

OPUS = 1  # the number of the track


@pytest.fixture(
    scope="module", params=[("s.wav", "wav", 48_000, ()), ("s.mp4", "mov", 44_100, ("-c:a", "aac", "-ac", "1"))], ids=str
)
def sweep(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    name, demuxer, rate, options = request.param
    path = make(tmp_path_factory.mktemp("opus") / name, *options, rate=rate)
    return path, plan_for(path, demuxer, codecs=("aac", "opus"))


def test_opus_is_a_track_beside_aac(sweep: tuple[Path, Plan]) -> None:
    _, plan = sweep
    aac, opus = plan.audio_tracks
    assert (opus.name, opus.codecs, opus.sample_rate) == (aac.name.replace("aac", "opus"), "opus", 48_000)
    assert (opus.channels, opus.default, opus.copied) == (aac.channels, True, False)
    assert Plan.from_json(plan.to_json()) == plan
    with_picture = m3u8.loads(hls.multivariant_playlist(plan))
    assert [one.stream_info.codecs for one in with_picture.playlists] == ["mp4a.40.2", "opus"]


def test_a_segment_made_alone_has_the_bytes_of_the_batch(sweep: tuple[Path, Plan]) -> None:
    path, plan = sweep
    track = plan.audio_tracks[OPUS].track
    batch = segments(path, plan, OPUS)
    assert len(batch) == plan.segment_count(track) > 2
    for n in reversed(range(len(batch))):
        with path.open("rb") as file:
            assert audio.encode(file, plan, track, n) == batch[n]


def test_joined_segments_are_the_source_in_place(sweep: tuple[Path, Plan]) -> None:
    path, plan = sweep
    cuts = plan.audio_timeline[plan.audio_tracks[OPUS].name]
    wanted, got = samples(path, plan, OPUS), samples(joined(path, plan, OPUS), plan, OPUS)
    assert got.shape[1] == cuts[-1] * OPUS_FRAME
    assert abs(got.shape[1] - wanted.shape[1]) <= OPUS_FRAME
    for at in (100_000, cuts[-2] * OPUS_FRAME - 10_000):
        assert lag(wanted[0], got[0], at) == 0


def test_joins_cannot_be_told_from_the_rest(sweep: tuple[Path, Plan]) -> None:
    path, plan = sweep
    name = plan.audio_tracks[OPUS].name
    cuts = plan.audio_timeline[name]
    uncut = replace(plan, audio_timeline={**plan.audio_timeline, name: (0, cuts[-1])})
    whole, got = (samples(joined(path, one, OPUS), one, OPUS) for one in (uncut, plan))
    assert snr(whole, got) > 30
    wanted = samples(path, plan, OPUS)[:, : got.shape[1]]
    length = wanted.shape[1] - 2 * OPUS_FRAME
    largest = np.abs(wanted - whole[:, : wanted.shape[1]])[:, OPUS_FRAME:length].max()
    for cut in cuts[1:-1]:
        near = slice((cut - 1) * OPUS_FRAME, (cut + 3) * OPUS_FRAME)
        assert np.abs(wanted[:, near] - got[:, near]).max() < max(1.2 * largest, 0.02)


def test_fragments_state_their_place_and_nothing_is_skipped(sweep: tuple[Path, Plan]) -> None:
    path, plan = sweep
    track = plan.audio_tracks[OPUS]
    cuts = plan.audio_timeline[track.name]
    for n, segment in enumerate(segments(path, plan, OPUS)):
        at = segment.index(b"tfdt")
        assert struct.unpack(">Q", segment[at + 8 : at + 16]) == (cuts[n] * OPUS_FRAME,)
    with path.open("rb") as file:
        header = audio.init_segment(file, plan, track.track)
        assert header == audio.init_segment(file, plan, track.track)
    at = header.index(b"dOps")
    assert struct.unpack(">BBHI", header[at + 4 : at + 12]) == (0, track.channels, 0, 48_000)
    assert b"edts" not in header


def test_hiss_after_silence_stays_within_the_declared_rate(tmp_path: Path) -> None:
    for channels in (1, 2):
        hiss = "|".join(f"if(lt(t\\,3)\\,0\\,random({channel})-0.5)" for channel in range(2))
        path = make(tmp_path / f"{channels}.wav", "-ac", str(channels), sound=hiss, seconds=12)
        plan = plan_for(path, "wav", cuts=tuple(Fraction(n) for n in range(13)), codecs=("aac", "opus"))
        track = plan.audio_tracks[OPUS]
        cuts = plan.audio_timeline[track.name]
        made = segments(path, plan, OPUS)
        rates = [len(one) * 8 * 50 / (cuts[n + 1] - cuts[n]) for n, one in enumerate(made)]
        assert max(rates) < track.bandwidth


def test_numbers_that_are_no_sound_become_silence(tmp_path: Path) -> None:
    path = make(tmp_path / "float.wav", "-c:a", "pcm_f32le", sound="0.5*sin(2*PI*440*t)", seconds=3)
    data = bytearray(path.read_bytes())
    for at, hostile in ((200_000, b"\x00\x00\xc0\x7f"), (400_000, b"\x00\x00\x80\x7f"), (600_000, b"\xff\xff\x7f\x7f")):
        data[at : at + 400] = hostile * 100
    path.write_bytes(data)
    plan = plan_for(path, "wav", codecs=("aac", "opus"))
    got = samples(joined(path, plan, OPUS), plan, OPUS)
    assert np.isfinite(got).all()
    assert np.abs(got).max() < 1.1


def test_ffmpeg_plays_the_stream_from_its_playlist(tmp_path: Path) -> None:
    plan = plan_for(make(tmp_path / "s.wav"), "wav", codecs=("aac", "opus"))
    track = plan.audio_tracks[OPUS].track
    (tmp_path / "playlist.m3u8").write_text(hls.media_playlist(plan, track))
    with (tmp_path / "s.wav").open("rb") as file:
        (tmp_path / "init.mp4").write_bytes(audio.init_segment(file, plan, track))
    for n, segment in enumerate(segments(tmp_path / "s.wav", plan, OPUS)):
        (tmp_path / f"seg_{n}.m4s").write_bytes(segment)
    form = ["-f", "f32le", "-ac", "2", "-"]
    played = (
        np.frombuffer(ffmpeg("-allowed_extensions", "ALL", "-i", tmp_path / "playlist.m3u8", *form), "<f4").reshape(-1, 2).T
    )
    assert np.array_equal(played, samples(joined(tmp_path / "s.wav", plan, OPUS), plan, OPUS))
