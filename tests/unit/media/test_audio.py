from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from kinora.media import audio, hls
from kinora.media.audio_decode import decode_stretch, open_audio
from kinora.media.plan import Plan
from tests.unit.media.sound import FRAME, ffmpeg, joined, lag, make, plan_for, samples, segments, snr

SOURCES = {
    "wav": ("s.wav", "wav", 48_000, ()),
    "mp3 44.1 kHz mono": ("s.mp3", "mp3", 44_100, ("-c:a", "libmp3lame", "-b:a", "128k", "-ac", "1")),
    "mp3 without header": ("n.mp3", "mp3", 48_000, ("-c:a", "libmp3lame", "-write_xing", "0")),
    "aac in mp4, primed": ("s.mp4", "mov", 48_000, ("-c:a", "aac", "-b:a", "256k")),
    "aac in mkv, rounded times": ("s.mkv", "matroska", 44_100, ("-c:a", "aac", "-b:a", "256k")),
    "aac in mpeg-ts": ("s.ts", "mpegts", 44_100, ("-c:a", "aac", "-b:a", "256k")),
    "aac at a low rate, noise substituted": ("l.mp4", "mov", 48_000, ("-c:a", "aac", "-b:a", "48k")),
    "opus in webm": ("s.webm", "matroska", 48_000, ("-c:a", "libopus", "-b:a", "192k")),
    "vorbis in webm": ("v.webm", "matroska", 48_000, ("-c:a", "libvorbis", "-q:a", "8")),
    "flac": ("s.flac", "flac", 44_100, ()),
    "22.05 kHz, resampled": ("r.wav", "wav", 22_050, ()),
    "96 kHz, resampled": ("h.wav", "wav", 96_000, ()),
    "odd rate, resampled": ("o.wav", "wav", 11_111, ()),
}


@pytest.fixture(scope="module", params=SOURCES, ids=str)
def sweep(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    name, demuxer, rate, options = SOURCES[request.param]
    path = make(tmp_path_factory.mktemp("sweep") / name, *options, rate=rate)
    return path, plan_for(path, demuxer)


def test_a_segment_made_alone_has_the_bytes_of_the_batch(sweep: tuple[Path, Plan]) -> None:
    path, plan = sweep
    track = plan.audio_tracks[0].track
    batch = segments(path, plan)
    assert len(batch) == plan.segment_count(track) > 2
    for n in reversed(range(len(batch))):
        with path.open("rb") as file:
            assert audio.encode(file, plan, track, n) == batch[n]


def test_joined_segments_are_the_source_in_place(sweep: tuple[Path, Plan]) -> None:
    path, plan = sweep
    cuts = plan.audio_timeline[plan.audio_tracks[0].name]
    wanted, got = samples(path, plan), samples(joined(path, plan), plan)
    assert got.shape[1] == cuts[-1] * FRAME
    assert abs(got.shape[1] - wanted.shape[1]) <= FRAME
    assert lag(wanted[0], got[0], 100_000) == 0
    assert lag(wanted[0], got[0], cuts[-2] * FRAME - 10_000) == 0


def test_joins_are_as_clean_as_the_rest(sweep: tuple[Path, Plan]) -> None:
    path, plan = sweep
    name = plan.audio_tracks[0].name
    cuts = plan.audio_timeline[name]
    whole = samples(joined(path, replace(plan, audio_timeline={name: (0, cuts[-1])})), plan)
    got, wanted = samples(joined(path, plan), plan), samples(path, plan)
    stop = min(wanted.shape[1], got.shape[1]) - FRAME
    source = wanted[:, 2 * FRAME : stop]
    in_pieces, in_one = (source - made[:, 2 * FRAME : stop] for made in (got, whole))
    assert snr(source, source - in_pieces) > snr(source, source - in_one) - 1.5
    largest = np.abs(in_one).max()
    for cut in cuts[1:-1]:
        near = np.abs(in_pieces[:, (cut - 3) * FRAME : (cut - 1) * FRAME])  # two frames around the join
        assert near.max() < max(1.5 * largest, 0.02)


def test_fragments_state_their_place_and_share_one_header(sweep: tuple[Path, Plan]) -> None:
    path, plan = sweep
    track = plan.audio_tracks[0]
    cuts = plan.audio_timeline[track.name]
    for n, segment in enumerate(segments(path, plan)):
        at = segment.index(b"tfdt")
        assert struct.unpack(">Q", segment[at + 8 : at + 16]) == (cuts[n] * FRAME,)
    with path.open("rb") as file:
        header = audio.init_segment(file, plan, track.track)
        assert header == audio.init_segment(file, plan, track.track)
    at = header.index(b"mdhd")
    assert struct.unpack(">I", header[at + 16 : at + 20]) == (track.sample_rate,)
    assert b"edts" not in header


def test_ffmpeg_plays_the_stream_from_its_playlists(tmp_path: Path) -> None:
    plan = plan_for(make(tmp_path / "s.wav", rate=44_100), "wav")
    track = plan.audio_tracks[0].track
    folder = tmp_path / "stream" / track
    folder.mkdir(parents=True)
    (folder / "playlist.m3u8").write_text(hls.media_playlist(plan, track))
    with (tmp_path / "s.wav").open("rb") as file:
        (folder / "init.mp4").write_bytes(audio.init_segment(file, plan, track))
    for n, segment in enumerate(segments(tmp_path / "s.wav", plan)):
        (folder / f"seg_{n}.m4s").write_bytes(segment)
    master = tmp_path / "stream" / "master.m3u8"
    master.write_text(hls.multivariant_playlist(plan))
    played = np.frombuffer(ffmpeg("-allowed_extensions", "ALL", "-i", master, "-f", "f32le", "-"), "<f4").reshape(-1, 2).T
    assert np.array_equal(played, samples(joined(tmp_path / "s.wav", plan), plan))


def test_surround_becomes_stereo_without_clipping(tmp_path: Path) -> None:
    loud = "|".join(["0.9*sin(2*PI*300*t)"] * 6)
    path = make(tmp_path / "5.1.mp4", "-c:a", "aac", "-ac", "6", sound=loud, seconds=3)
    plan = plan_for(path, "mov")
    assert plan.probe.audio[0].channels == 6
    assert plan.audio_tracks[0].name == "und_aac_2ch"
    got = samples(joined(path, plan), plan)
    assert 0.7 < np.abs(got).max() < 1.0


def test_more_channels_than_there_are_names_for_give_the_first_two(tmp_path: Path) -> None:
    tones = "|".join(f"0.3*sin(2*PI*{300 + 100 * channel}*t)" for channel in range(11))
    path = make(tmp_path / "many.wav", sound=tones, seconds=2)
    got = samples(joined(path, plan_for(path, "wav")), plan_for(path, "wav"))
    spectrum = np.abs(np.fft.rfft(got[:, FRAME : FRAME + 48_000]))
    assert [int(one.argmax()) for one in spectrum] == [300, 400]


def test_sound_that_starts_late_is_led_by_silence(tmp_path: Path) -> None:
    path = make(tmp_path / "late.wav", sound="0.5*sin(2*PI*440*t)", seconds=5)
    plan = plan_for(path, "wav", origin=Fraction(-5, 2))
    got = samples(joined(path, plan), plan)
    assert got.shape[1] == -(-int(7.5 * 48_000) // FRAME) * FRAME
    assert np.abs(got[:, : 120_000 - 2 * FRAME]).max() < 1e-3
    assert np.abs(got[:, 120_000 + FRAME : 121_000 + FRAME]).max() > 0.25
    assert lag(samples(path, plan)[0], got[0][120_000:], 30_000) == 0


def test_sound_before_the_origin_is_left_out(tmp_path: Path) -> None:
    path = make(tmp_path / "early.wav", seconds=5)
    plan = plan_for(path, "wav", origin=Fraction(3, 2))
    got = samples(joined(path, plan), plan)
    assert lag(samples(path, plan)[0][72_000:], got[0], 30_000) == 0


def test_a_start_that_is_not_zero_is_the_origin(tmp_path: Path) -> None:
    path = make(tmp_path / "offset.mkv", "-c:a", "aac", "-output_ts_offset", "3.217")
    plan = plan_for(path, "matroska")
    assert plan.origin > 3
    wanted, got = samples(path, plan), samples(joined(path, plan), plan)
    assert lag(wanted[0], got[0], 60_000) == 0
    assert abs(got.shape[1] - wanted.shape[1]) <= FRAME


@pytest.mark.parametrize(("name", "demuxer", "options"), [("g.mkv", "matroska", ("-c:a", "pcm_s16le")), ("g.ts", "mpegts", ())])
def test_a_gap_inside_is_silence_and_what_follows_is_in_time(
    tmp_path: Path, name: str, demuxer: str, options: tuple[str]
) -> None:
    jump = "asetpts=if(gte(T\\,3)\\,PTS+SR*0.7\\,PTS),asetnsamples=1024"
    path = make(tmp_path / name, "-af", jump, *options, sound="0.5*sin(2*PI*440*t)", seconds=9)
    plan = plan_for(path, demuxer)
    got = samples(joined(path, plan), plan)
    assert abs(got.shape[1] - 9.7 * 48_000) <= 2 * FRAME
    middle = np.abs(got[:, int(3.15 * 48_000) : int(3.6 * 48_000)])
    assert middle.max() < 0.01
    for second in (1.0, 2.5, 4.0, 6.2, 9.0):
        at = int(second * 48_000)
        assert np.abs(got[0, at : at + 500]).max() > 0.4


def test_lost_packets_are_silence_and_the_rest_stays_in_time(tmp_path: Path) -> None:
    path = make(tmp_path / "whole.m4a", "-c:a", "alac", seconds=9)
    plan = plan_for(path, "mov")
    clean = samples(path, plan)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 3
    data[start : start + 20_000] = b"\xff" * 20_000
    damaged = tmp_path / "damaged.m4a"
    damaged.write_bytes(data)
    got = samples(joined(damaged, plan), plan)
    assert got.shape == samples(joined(path, plan), plan).shape
    powers = (got[0, : 8 * 48_000].reshape(-1, 4800) ** 2).mean(axis=1)
    assert 1 <= int((powers < 1e-4).sum()) < 20
    assert lag(clean[0], got[0], 8 * 48_000 - 30_000) == 0


def test_a_file_cut_short_is_filled_with_silence_up_to_its_planned_end(tmp_path: Path) -> None:
    path = make(tmp_path / "cut.m4a", "-c:a", "aac", "-movflags", "+faststart", seconds=9)
    plan = plan_for(path, "mov")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    got = samples(joined(path, plan), plan)
    assert abs(got.shape[1] - 9 * 48_000) < 2 * FRAME
    assert np.abs(got[0, : 3 * 48_000]).max() > 0.4
    assert np.abs(got[0, 6 * 48_000 :]).max() < 1e-3


def test_of_a_file_that_was_cut_short_before_what_is_there_is_planned(tmp_path: Path) -> None:
    path = make(tmp_path / "cut.m4a", "-c:a", "aac", "-movflags", "+faststart", seconds=9)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    plan = plan_for(path, "mov")
    assert abs(samples(joined(path, plan), plan).shape[1] - samples(path, plan).shape[1]) <= FRAME


@pytest.mark.parametrize("offset", ["0", "3.217"])
def test_sound_that_ends_long_before_the_picture_ends_there(tmp_path: Path, offset: str) -> None:
    video = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-output_ts_offset", offset)
    path = make(tmp_path / "film.mkv", *video, seconds=5, picture="color=s=64x64:r=10:d=30")
    plan = plan_for(path, "matroska")
    wanted, got = samples(path, plan), samples(joined(path, plan), plan)
    assert abs(got.shape[1] - wanted.shape[1]) <= FRAME


class _Metered:
    """A file that counts what is read of it."""

    def __init__(self, path: Path, fail_after: int | None = None) -> None:
        self._file = path.open("rb")
        self._fail_after = fail_after
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.count += len(data)
        if self._fail_after is not None and self.count > self._fail_after:
            raise TimeoutError("the store does not answer")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


@pytest.fixture(scope="module", params=[("f.mp4", "mov"), ("f.mkv", "matroska"), ("f.ts", "mpegts")], ids=lambda one: one[1])
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    name, demuxer = request.param
    video = ("-c:v", "libx264", "-preset", "ultrafast", "-b:v", "3M", "-g", "50")
    options = (*video, "-c:a", "aac", "-shortest")
    noise = "testsrc2=s=320x240:r=25:d=60,noise=alls=40:allf=t"
    path = make(tmp_path_factory.mktemp("film") / name, *options, seconds=60, sound="0.4*sin(2*PI*440*t)", picture=noise)
    return path, plan_for(path, demuxer)


def test_a_segment_reads_only_its_part_of_the_original(film: tuple[Path, Plan]) -> None:
    path, plan = film
    track = plan.audio_tracks[0].track
    file = _Metered(path)
    audio.encode(file, plan, track, plan.segment_count(track) - 2)  # type: ignore[arg-type]
    file.close()
    assert file.count < path.stat().st_size / 4


def test_an_error_of_the_store_is_no_silence(film: tuple[Path, Plan]) -> None:
    path, plan = film
    track = plan.audio_tracks[0].track
    file = _Metered(path, fail_after=400_000)
    with pytest.raises(TimeoutError):
        list(audio.encode_batch(file, plan, track, 0, plan.segment_count(track)))  # type: ignore[arg-type]
    file.close()


@pytest.mark.parametrize("seconds", [13.2, 1.2])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_declared_bandwidth_holds_for_noise(tmp_path: Path, channels: int, seconds: float) -> None:
    noise = "1.9*random(0)-0.95|1.9*random(1)-0.95"
    path = make(tmp_path / "noise.wav", "-ac", str(channels), sound=noise, seconds=seconds)
    plan = plan_for(path, "wav")
    track = plan.audio_tracks[0]
    cuts = plan.audio_timeline[track.name]
    for n, segment in enumerate(segments(path, plan)):
        assert len(segment) * 8 * track.sample_rate / ((cuts[n + 1] - cuts[n]) * FRAME) < track.bandwidth


def test_numbers_that_are_no_sound_become_silence(tmp_path: Path) -> None:
    path = make(tmp_path / "float.wav", "-c:a", "pcm_f32le", sound="0.5*sin(2*PI*440*t)", seconds=3)
    data = bytearray(path.read_bytes())
    for at, hostile in ((200_000, b"\x00\x00\xc0\x7f"), (400_000, b"\x00\x00\x80\x7f"), (600_000, b"\xff\xff\x7f\x7f")):
        data[at : at + 400] = hostile * 100
    path.write_bytes(data)
    plan = plan_for(path, "wav")
    got = samples(joined(path, plan), plan)
    assert np.isfinite(got).all()
    assert 0.4 < np.abs(got).max() < 1


def test_a_clock_that_stands_still_ends_the_stretch(tmp_path: Path) -> None:
    path = make(
        tmp_path / "still.mkv", "-c:a", "pcm_s16le", "-af", "asetnsamples=4800", sound="0.5*sin(2*PI*440*t)", seconds=40
    )
    still = tmp_path / "copy.mkv"
    ffmpeg("-i", path, "-c", "copy", "-bsf:a", "setts=ts=if(gt(N\\,20)\\,STARTPTS+2000\\,PTS)", still)
    with still.open("rb") as file, open_audio(file, "matroska", 0) as source:
        decoded = list(decode_stretch(source, Fraction(2), Fraction(3)))
    assert 0 < sum(one.frame.samples for one in decoded) / 48_000 <= 5  # of the 38 s that claim to be at this second


def test_what_the_plan_does_not_have_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "s.wav", seconds=1)
    plan = plan_for(path, "wav")
    with path.open("rb") as file:
        with pytest.raises(KeyError):
            audio.encode(file, plan, "audio/other", 0)
        for n in (-1, 1):
            with pytest.raises(IndexError):
                audio.encode(file, plan, "audio/und_aac_2ch", n)
