from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kinora.media import audio, hls
from kinora.media.aac_config import is_plain_lc
from kinora.media.plan import Plan
from tests.unit.media.sound import FRAME, ffmpeg, joined, lag, make, plan_for, samples, segments

AAC = ("-c:a", "aac", "-b:a", "160k", "-aac_pns", "0")  # noise substitution decodes to other noise each time
ORIGINALS = {
    "48 kHz": (48_000, AAC),
    "44.1 kHz mono": (44_100, (*AAC, "-ac", "1")),
    "in front": (48_000, (*AAC, "-movflags", "faststart")),
    "fragmented": (48_000, (*AAC, "-movflags", "frag_keyframe+empty_moov+delay_moov")),
    "QuickTime": (44_100, (*AAC, "-f", "mov")),
    "5.1": (48_000, (*AAC, "-b:a", "384k", "-ac", "6")),
}


@pytest.fixture(scope="module", params=ORIGINALS, ids=str)
def copied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan, int]:
    rate, options = ORIGINALS[request.param]
    path = make(tmp_path_factory.mktemp("copy") / "s.mp4", *options, rate=rate)
    plan = plan_for(path, "mov")
    return path, plan, 1 if request.param == "5.1" else 0


def packets(source: Path | bytes) -> list[str]:
    """The checksums of the packets, as the independent FFmpeg reads them."""
    where = "-" if isinstance(source, bytes) else source
    made = ffmpeg("-i", where, "-c", "copy", "-f", "framemd5", "-", data=source if isinstance(source, bytes) else None)
    return [line.split(",")[5].strip() for line in made.decode().splitlines() if not line.startswith("#")]


def test_the_packets_are_the_originals_own(copied: tuple[Path, Plan, int]) -> None:
    path, plan, number = copied
    track = plan.audio_tracks[number]
    assert track.copied
    assert track.codec == "aac"
    made = packets(joined(path, plan, number))
    own = packets(path)
    first = own.index(made[0])
    assert first <= 1
    assert made == own[first : first + len(made)]
    assert len(made) == plan.audio_timeline[track.name][-1] >= len(own) - 2


def test_copied_sound_is_the_source_in_place_sample_for_sample(copied: tuple[Path, Plan, int]) -> None:
    path, plan, number = copied
    wanted, got = samples(path, plan, number), samples(joined(path, plan, number), plan, number)
    length = min(wanted.shape[1], got.shape[1]) - FRAME
    assert np.array_equal(wanted[:, FRAME:length], got[:, FRAME:length])
    assert abs(got.shape[1] - wanted.shape[1]) <= FRAME


def test_a_copied_segment_made_alone_has_the_bytes_of_the_batch(copied: tuple[Path, Plan, int]) -> None:
    path, plan, number = copied
    track = plan.audio_tracks[number].track
    batch = segments(path, plan, number)
    assert len(batch) == plan.segment_count(track) > 2
    for n in reversed(range(len(batch))):
        with path.open("rb") as file:
            assert audio.encode(file, plan, track, n) == batch[n]


def test_the_declared_rates_hold(copied: tuple[Path, Plan, int]) -> None:
    path, plan, number = copied
    track = plan.audio_tracks[number]
    cuts = plan.audio_timeline[track.name]
    made = segments(path, plan, number)
    seconds = [Fraction((stop - start) * FRAME, track.sample_rate) for start, stop in pairwise(cuts)]
    assert all(len(one) * 8 / length < track.bandwidth for one, length in zip(made, seconds, strict=True))
    assert sum(map(len, made)) * 8 / sum(seconds) == pytest.approx(track.bit_rate, rel=0.1)


def test_packets_off_the_origin_keep_their_place(tmp_path: Path) -> None:
    whole = make(tmp_path / "s.mp4", *AAC)
    ffmpeg("-ss", "1.3", "-i", whole, "-c", "copy", tmp_path / "cut.mp4")
    plan = plan_for(tmp_path / "cut.mp4", "mov")
    track = plan.audio_tracks[0]
    assert track.copied
    assert 0 < track.offset < FRAME
    made = segments(tmp_path / "cut.mp4", plan)
    at = made[1].index(b"tfdt")
    place = track.offset + plan.audio_timeline[track.name][1] * FRAME
    assert struct.unpack(">Q", made[1][at + 8 : at + 16]) == (place,)
    first = hls.media_playlist(plan, track.track).split("#EXTINF:")[1].split(",")[0]
    assert float(first) == pytest.approx(place / 48_000, abs=1e-6)
    wanted = samples(tmp_path / "cut.mp4", plan)
    got = samples(joined(tmp_path / "cut.mp4", plan), plan)
    assert np.array_equal(wanted[:, FRAME * 2 + track.offset : FRAME * 50], got[:, FRAME * 2 : FRAME * 50 - track.offset])


FALLBACKS = {
    "another codec": ("f.mp4", "mov", 48_000, ("-c:a", "libmp3lame")),
    "no sample table": ("f.mkv", "matroska", 48_000, AAC),
    "a clock that does not count samples": ("f.ts", "mpegts", 48_000, AAC),
    "no container": ("f.aac", "aac", 48_000, AAC),
    "an unusual rate": ("f.mp4", "mov", 32_000, AAC),
    "too high a bit rate": (
        "f.mp4",
        "mov",
        48_000,
        (*AAC, "-b:a", "570k", "-aac_coder", "fast", "-cutoff", "23000", "-aac_ms", "0"),
    ),
    "four channels": ("f.mp4", "mov", 48_000, (*AAC, "-ac", "4")),
    "a gap in the times": ("f.mp4", "mov", 48_000, ("-af", "asetpts=if(gte(T\\,3)\\,PTS+SR*0.7\\,PTS)", *AAC)),
}


@pytest.mark.parametrize("case", FALLBACKS)
def test_what_is_not_exact_is_encoded(tmp_path: Path, case: str) -> None:
    name, demuxer, rate, options = FALLBACKS[case]
    path = make(tmp_path / name, *options, rate=rate, sound="random(0)-0.5|random(1)-0.5", seconds=6)
    plan = plan_for(path, demuxer)
    assert [track.copied for track in plan.audio_tracks] == [False]
    assert samples(joined(path, plan), plan).shape[1] > 5.9 * plan.audio_tracks[0].sample_rate


def test_a_table_that_grows_as_it_is_read_is_not_relied_on(tmp_path: Path) -> None:
    path = make(tmp_path / "s.mp4", *AAC, "-movflags", "dash+global_sidx", "-frag_duration", "1000000", seconds=60)
    plan = plan_for(path, "mov")
    batch = segments(path, plan)
    for n in reversed(range(len(batch))):
        with path.open("rb") as file:
            assert audio.encode(file, plan, plan.audio_tracks[0].track, n) == batch[n]
    wanted, got = samples(path, plan), samples(joined(path, plan), plan)
    assert abs(got.shape[1] - wanted.shape[1]) <= FRAME
    assert not plan.audio_tracks[0].copied


def test_sound_that_begins_after_the_picture_is_led_by_encoded_silence(tmp_path: Path) -> None:
    path = make(tmp_path / "late.mp4", *AAC, seconds=3)
    plan = plan_for(path, "mov", origin=Fraction(-1, 2))
    assert not plan.audio_tracks[0].copied
    assert np.abs(samples(joined(path, plan), plan)[:, :20_000]).max() < 1e-3


def test_an_edit_list_with_a_hole_is_encoded(tmp_path: Path) -> None:
    """Two edits of one track: FFmpeg's table then has hidden packets, or times that are no grid."""
    path = make(tmp_path / "edit.mp4", *AAC, "-movie_timescale", "1000", seconds=6)
    data = path.read_bytes()
    at = data.index(b"elst") - 4
    edits = struct.pack(">IIiIIiI", 0, 2, 1500, 1024, 0x10000, 0, 0)[:8]
    rows = struct.pack(">IiIIiI", 1500, 1024, 0x10000, 2000, 1024 + 48_000 * 3, 0x10000)
    elst = struct.pack(">I4s", 16 + len(rows), b"elst") + edits + rows
    (old,) = struct.unpack(">I", data[at : at + 4])
    grown = bytearray(data[:at] + elst + data[at + old :])
    for name in (b"edts", b"trak", b"moov"):
        place = data.index(name) - 4
        (size,) = struct.unpack(">I", data[place : place + 4])
        grown[place : place + 4] = struct.pack(">I", size + len(elst) - old)
    path.write_bytes(grown)
    plan = plan_for(path, "mov")
    assert not plan.audio_tracks[0].copied
    assert abs(samples(joined(path, plan), plan).shape[1] - 3.5 * 48_000) <= 2 * FRAME


@pytest.mark.parametrize(
    ("config", "is_plain"),
    [
        ("1190", True),  # AAC-LC, 48 kHz, stereo
        ("119056e500", True),  # and it says that there is no SBR
        ("119056e580", False),  # backward compatible signalling of SBR
        ("119056e5a548", False),  # and of parametric stereo
        ("2b118800", False),  # HE-AAC
        ("eb09880000", False),  # HE-AAC v2
        ("1194", False),  # frames of 960 samples
        ("1188", False),  # mono where stereo is declared
        ("1210", False),  # 44.1 kHz where 48 kHz is declared
        ("1180", False),  # channels in a program config element
        ("0990", False),  # AAC Main
        ("", False),
    ],
)
def test_only_plain_configurations_are_copied(config: str, is_plain: bool) -> None:
    assert is_plain_lc(bytes.fromhex(config), 48_000, 2) is is_plain


def test_he_aac_is_encoded(tmp_path: Path) -> None:
    path = make(tmp_path / "s.mp4", *AAC, seconds=3)
    data = path.read_bytes()
    plain, replicated = bytes.fromhex("119056e500"), bytes.fromhex("119056e580")
    assert data.count(plain) == 1
    path.write_bytes(data.replace(plain, replicated))
    assert [track.copied for track in plan_for(path, "mov").audio_tracks] == [False]


def test_a_beginning_that_does_not_decode_is_encoded(tmp_path: Path) -> None:
    path = make(tmp_path / "s.mp4", *AAC, seconds=9)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start : start + 2000] = b"\xff" * 2000
    path.write_bytes(data)
    assert [track.copied for track in plan_for(path, "mov").audio_tracks] == [False]


def test_a_segment_with_damaged_packets_is_encoded_and_its_neighbours_are_copied(tmp_path: Path) -> None:
    path = make(tmp_path / "s.mp4", *AAC)
    plan = plan_for(path, "mov")
    whole = segments(path, plan)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    middle = start + (len(data) - start) // 2
    data[middle : middle + 3000] = b"\xff" * 3000
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    assert plan_for(damaged, "mov").audio_tracks == plan.audio_tracks
    made = segments(damaged, plan)
    assert [one == other for one, other in zip(made, whole, strict=True)] == [True, False, True]
    got, wanted = samples(joined(damaged, plan), plan), samples(path, plan)
    assert got.shape == samples(joined(path, plan), plan).shape
    assert lag(wanted[0], got[0], 12 * 48_000) == 0
    with damaged.open("rb") as file:
        assert audio.encode(file, plan, plan.audio_tracks[0].track, 1) == made[1]


def test_a_track_that_is_cut_off_after_planning_is_filled_with_silence(tmp_path: Path) -> None:
    path = make(tmp_path / "s.mp4", *AAC, "-movflags", "faststart")
    plan = plan_for(path, "mov")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    got = samples(joined(path, plan), plan)
    assert got.shape[1] == plan.audio_timeline["und_aac_2ch"][-1] * FRAME
    assert np.abs(got[:, 14 * 48_000 :]).max() < 1e-3


def test_the_header_does_not_depend_on_where_packets_come_from(copied: tuple[Path, Plan, int]) -> None:
    path, plan, number = copied
    track = plan.audio_tracks[number]
    encoded = replace(plan, audio_tracks=(replace(track, copied=False),))
    with path.open("rb") as file:
        assert audio.init_segment(file, plan, track.track) == audio.init_segment(file, encoded, track.track)
