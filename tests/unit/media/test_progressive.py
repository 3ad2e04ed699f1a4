"""The progressive MP4 against its HLS segments, judged by an independent FFmpeg: the same frames, times and samples."""

from __future__ import annotations

import io
import re
from fractions import Fraction

import pytest

from kinora.errors import CorruptMedia
from kinora.media import audio, planning, segment
from kinora.media.fragment import Sample, write_fragment
from kinora.media.plan import Plan
from kinora.media.progressive import ProgressiveMovie
from kinora.media.sample_table import Track
from tests.unit.media import clips
from tests.unit.media.fragments import boxes, inside

LADDER = (64,)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Sound that begins before the pictures and lasts longer, with frames at uneven times."""
    path = tmp_path_factory.mktemp("mixed") / "mixed.mkv"
    pictures = "-itsoffset 0.35 -f lavfi -i testsrc2=s=96x54:r=24000/1001:d=9"
    sound = "-f lavfi -i sine=r=44100:d=10"
    vary = ("-vf", r"select=not(mod(n\,3))+not(mod(n\,7))", "-fps_mode", "vfr")
    coded = "-c:v libx264 -preset ultrafast -bf 3 -g 30 -c:a flac"
    clips.ffmpeg(*f"{pictures} {sound} {coded}".split(), *vary, str(path))
    return path


def plan_of(path, demuxer: str = "matroska") -> Plan:
    with path.open("rb") as file:
        return planning.make_plan(file, demuxer, "0" * 64, ladder=LADDER, max_duration=3600, max_pixels=10**6)


def tracks_of(path, plan: Plan) -> dict[str, tuple[bytes, list[bytes]]]:
    with path.open("rb") as file:
        made = {track: (init, []) for track, init in segment.init_segments(file, plan)} if plan.renditions else {}
        for track, _, data in segment.encode_batch(file, plan, 0, len(plan.timeline) - 1) if plan.renditions else ():
            made[track][1].append(data)
        for one in plan.audio_tracks:
            parts = audio.encode_batch(file, plan, one.track, 0, plan.segment_count(one.track))
            made[one.track] = audio.init_segment(file, plan, one.track), [data for _, _, data in parts]
    return made


def movie_of(parts, window=None) -> ProgressiveMovie:
    return ProgressiveMovie([Track(init, [lambda d=d: io.BytesIO(d) for d in data]) for init, data in parts], window)


def bytes_of(movie: ProgressiveMovie) -> bytes:
    pieces = []
    stream = movie.open()
    while piece := stream.read(10_000):
        pieces.append(piece)
    return b"".join(pieces)


def frames(path, stream: str) -> list[tuple[Fraction, str]]:
    """Time in seconds and digest of every decoded frame."""
    exact = ("-fps_mode", "passthrough", "-enc_time_base", "demux") if stream == "v" else ()
    text = clips.ffmpeg("-copyts", "-i", str(path), "-map", f"0:{stream}:0", *exact, "-f", "framemd5", "-")
    ticks = Fraction(re.search(r"#tb 0: (\d+/\d+)", text)[1])
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    return [(int(row[2]) * ticks, row[5].strip()) for row in rows]


@pytest.fixture(scope="module", params=["mixed", "film", "late_start"])
def example(request, mixed, tmp_path_factory):
    path = mixed if request.param == "mixed" else clips.clip(request.param)
    plan = plan_of(path, clips.demuxer_of(path))
    parts = tracks_of(path, plan)
    folder = tmp_path_factory.mktemp(request.param)
    movie = movie_of(list(parts.values()))
    target = folder / "progressive.mp4"
    target.write_bytes(bytes_of(movie))
    assert target.stat().st_size == movie.size
    for track, (init, data) in parts.items():
        (folder / f"{track[0]}.mp4").write_bytes(init + b"".join(data))
    return folder, plan, movie


def test_it_shows_and_sounds_as_its_segments_do(example):
    folder, plan, movie = example
    whole = folder / "progressive.mp4"
    assert frames(whole, "v") == frames(folder / "v.mp4", "v")
    if plan.audio_tracks:
        assert [one[1] for one in frames(whole, "a")] == [one[1] for one in frames(folder / "a.mp4", "a")]
        assert abs(frames(whole, "a")[0][0] - frames(folder / "a.mp4", "a")[0][0]) < Fraction(1, 40_000)
    assert abs(movie.duration - plan.probe.duration) < 0.1


def test_the_header_comes_first_and_the_tracks_take_turns(example):
    folder, plan, _ = example
    data = (folder / "progressive.mp4").read_bytes()
    assert data[4:8] == b"ftyp"
    moov = data.index(b"moov") - 4
    assert data[moov + int.from_bytes(data[moov : moov + 4]) + 4 :][:4] == b"mdat"
    places = []
    for number, (_, trak) in enumerate(
        one for one in boxes(inside(data[moov:][: int.from_bytes(data[moov : moov + 4])], b"moov")) if one[0] == b"trak"
    ):
        co64 = inside(trak, b"mdia", b"minf", b"stbl", b"co64")
        places += [(int.from_bytes(co64[at : at + 8]), number) for at in range(8, len(co64), 8)]
    order = [number for _, number in sorted(places)]
    if plan.audio_tracks:
        assert all(len(set(order[at : at + 6])) == 2 for at in range(len(order) // 2))


def test_a_window_holds_its_sound_to_the_sample(mixed, tmp_path):
    plan = plan_of(mixed)
    track = plan.audio_tracks[0].track
    init, data = tracks_of(mixed, plan)[track]
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    whole.write_bytes(init + b"".join(data))
    begin, end = Fraction(123_457, 44_100), Fraction(300_000, 44_100)
    cut.write_bytes(bytes_of(movie_of([(init, data)], (begin, end))))
    raw = ("-f", "s16le", "-ac", "1")
    for path in (whole, cut):
        clips.ffmpeg("-i", str(path), *raw, str(path.with_suffix(".raw")))
    heard = cut.with_suffix(".raw").read_bytes()
    wanted = whole.with_suffix(".raw").read_bytes()[2 * 123_457 :][: len(heard)]
    assert heard == wanted
    assert 0 <= len(heard) // 2 - (300_000 - 123_457) < 1024


def test_gaps_lengthen_the_sample_before_and_overlaps_are_refused(mixed):
    plan = plan_of(mixed)
    init, _ = tracks_of(mixed, plan)[plan.audio_tracks[0].track]

    def part(n: int, start: int) -> bytes:
        return write_fragment(n, [Sample(start, is_sync=True, data=b"x" * n)], start, start + 1024)

    movie = bytes_of(movie_of([(init, [part(1, 0), part(2, 5000)])]))
    assert movie.endswith(b"xxx")
    stts = movie[movie.index(b"stts") :]
    assert int.from_bytes(stts[16:20]) == 5000
    with pytest.raises(CorruptMedia, match="overlap"):
        movie_of([(init, [part(1, 2048), part(2, 0)])])
    with pytest.raises(CorruptMedia, match="moof"):
        movie_of([(init, [b"\0\0\0\x08styp"])])
    with pytest.raises(CorruptMedia, match="window"):
        movie_of([(init, [part(1, 0)])], (Fraction(5), Fraction(6)))
