from __future__ import annotations

import re
from pathlib import Path

import m3u8
import pytest

from kinora.media import hls
from kinora.media.plan import Plan
from kinora.media.planning import make_plan
from kinora.media.subtitles import make_subtitles
from tests.unit.media.sound import ffmpeg

SUBRIP = """1
00:00:00,500 --> 00:00:01,500
Hello <i>there</i>, <font color="red">you</font> & you

2
00:00:01,600 --> 00:00:02,400
{\\an8}Two
lines --> here

3
00:00:02,500 --> 00:00:02,900
5 < 6 <script>alert(1)</script>
"""
PICTURE = ("-f", "lavfi", "-i", "color=s=64x64:r=10:d=3")
VIDEO = ("-c:v", "libx264", "-preset", "ultrafast")


def plan_of(path: Path, demuxer: str) -> Plan:
    with path.open("rb") as file:
        return make_plan(file, demuxer, "0" * 64, ladder=(240,), max_duration=100, max_pixels=10**6)


def film(folder: Path, name: str, *options: str, texts: tuple[str, ...] = (SUBRIP,)) -> Path:
    inputs: list[str] = []
    for n, text in enumerate(texts):
        (folder / f"{n}.srt").write_text(text)
        inputs += ["-i", str(folder / f"{n}.srt")]
    maps = [word for n in range(len(texts) + 1) for word in ("-map", str(n))]
    ffmpeg(*PICTURE, *inputs, *maps, *VIDEO, *options, folder / name)
    return folder / name


def made(path: Path, plan: Plan, number: int = 0) -> str:
    with path.open("rb") as file:
        return make_subtitles(file, plan, plan.subtitles[number].track).decode()


def cues(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^([\d:.]+ --> [\d:.]+)\n((?:.+\n)+)", text, re.MULTILINE)


KINDS = [
    ("f.mp4", "mov", "mov_text"),
    ("f.mkv", "matroska", "subrip"),
    ("f.mkv", "matroska", "ass"),
    ("f.mkv", "matroska", "webvtt"),
]


@pytest.mark.parametrize(("name", "demuxer", "codec"), KINDS, ids=lambda one: one)
def test_a_text_track_becomes_webvtt(tmp_path: Path, name: str, demuxer: str, codec: str) -> None:
    path = film(tmp_path, name, "-c:s", codec, "-metadata:s:s:0", "language=ger")
    plan = plan_of(path, demuxer)
    (track,) = plan.subtitles
    assert (track.name, track.language, track.codec) == ("ger", "de", codec)
    text = made(path, plan)
    assert text.startswith("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n")
    found = cues(text)
    assert [timing for timing, _ in found] == [
        "00:00:00.500 --> 00:00:01.500",
        "00:00:01.600 --> 00:00:02.400",
        "00:00:02.500 --> 00:00:02.900",
    ]
    assert "there" in found[0][1]
    assert "&amp; you" in found[0][1]
    assert found[1][1].replace("lines", "\nlines").replace("\n\n", "\n") == "Two\nlines --&gt; here\n"
    assert found[2][1].startswith("5 &lt; 6")
    assert "<script" not in text
    assert "{" not in text
    if codec == "subrip":
        assert found[0][1] == "Hello <i>there</i>, you &amp; you\n"
    judged = ffmpeg(
        "-f",
        "webvtt",
        "-i",
        "-",
        "-f",
        "srt",
        "-",
        data=text.replace("X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n", "").encode(),
    )
    assert judged.decode().count("-->") >= 3


def test_times_count_from_the_origin(tmp_path: Path) -> None:
    path = film(tmp_path, "f.mkv", "-c:s", "subrip", "-output_ts_offset", "7.5")
    plan = plan_of(path, "matroska")
    assert plan.origin > 7
    assert cues(made(path, plan))[0][0] == "00:00:00.500 --> 00:00:01.500"


def test_tracks_keep_what_the_original_says_of_them(tmp_path: Path) -> None:
    tags = [
        *("-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=eng", "-metadata:s:s:2", "language=fre"),
        *("-metadata:s:s:1", "title=Signs", "-disposition:s:0", "default", "-disposition:s:1", "forced"),
        *("-disposition:s:2", "hearing_impaired"),
    ]
    path = film(tmp_path, "f.mkv", "-c:s", "subrip", *tags, texts=(SUBRIP, SUBRIP, SUBRIP))
    plan = plan_of(path, "matroska")
    assert [one.name for one in plan.subtitles] == ["eng", "eng_2", "fre"]
    assert Plan.from_json(plan.to_json()) == plan
    master = m3u8.loads(hls.multivariant_playlist(plan))
    texts = [one for one in master.media if one.type == "SUBTITLES"]
    rows = [(one.name, one.language, one.default, one.autoselect, one.forced, one.uri) for one in texts]
    assert rows == [
        ("en", "en", "YES", "YES", "NO", "subtitles/eng/playlist.m3u8"),
        ("Signs", "en", "NO", "YES", "YES", "subtitles/eng_2/playlist.m3u8"),
        ("fr", "fr", "NO", "YES", "NO", "subtitles/fre/playlist.m3u8"),
    ]
    assert "transcribes-spoken-dialog" in texts[2].characteristics
    assert {one.stream_info.subtitles for one in master.playlists} == {"subtitles"}
    playlist = m3u8.loads(hls.media_playlist(plan, "subtitles/eng"))
    assert [one.uri for one in playlist.segments] == ["seg_0.vtt"]
    assert playlist.segments[0].duration == pytest.approx(3.0)
    assert playlist.target_duration >= 3


def test_pictures_and_nothing_are_no_texts(tmp_path: Path) -> None:
    path = film(tmp_path, "f.mkv", texts=())
    plan = plan_of(path, "matroska")
    assert plan.subtitles == ()
    assert "SUBTITLES" not in hls.multivariant_playlist(plan)
    with path.open("rb") as file, pytest.raises(KeyError):
        make_subtitles(file, plan, "subtitles/eng")


def test_a_damaged_end_ends_the_texts(tmp_path: Path) -> None:
    path = film(tmp_path, "f.mkv", "-c:s", "subrip")
    plan = plan_of(path, "matroska")
    whole = made(path, plan)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert whole.startswith(made(path, plan).rstrip("\n"))
