"""Storyboards of clips whose grey is their time: every tile shows what its cue says, and every moment has a cue."""

from __future__ import annotations

import io
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from kinora.errors import CorruptMedia, UnsupportedMedia
from kinora.media.storyboard import layout_of, make_sheets
from kinora.media.storyboard_layout import COLUMNS, ROWS, rewrite_sheets, timestamp, write_vtt
from tests.unit.media import clips
from tests.unit.media.test_plan import CountingFile, plan_clip, plan_file
from tests.unit.media.test_segment import damaged

CUE = re.compile(
    r"(\d\d):(\d\d):(\d\d)\.(\d{3}) --> (\d\d):(\d\d):(\d\d)\.(\d{3})\n(sheet_\d+\.jpg)#xywh=(\d+),(\d+),(\d+),(\d+)\n"
)
DARKEST, RANGE = 20, 200


def grey_clock(path: Path, seconds: int, *options: str, rate: int = 4) -> Path:
    """A clip whose brightness grows by RANGE from DARKEST on."""
    grey = f"color=black:s=128x72:r={rate}:d={seconds},format=yuv420p,geq=lum='{DARKEST}+T*{RANGE / seconds}':cb=128:cr=128"
    coder = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", "-bf", "2", "-x264-params", "scenecut=0"]
    clips.ffmpeg("-f", "lavfi", "-i", grey, *coder, *options, str(path))
    return path


def seconds(*parts: str) -> float:
    hours, minutes, whole, thousandths = (int(part) for part in parts)
    return hours * 3600 + minutes * 60 + whole + thousandths / 1000


def cues(vtt: str) -> list[tuple[float, float, str, tuple[int, ...]]]:
    """Start, end, sheet and `x, y, width, height` of every cue; nothing else is in the file."""
    header, _, body = vtt.partition("\n\n")
    assert header == "WEBVTT"
    assert CUE.sub("", body).strip() == ""
    found = CUE.findall(body)
    return [(seconds(*cue[:4]), seconds(*cue[4:8]), cue[8], tuple(map(int, cue[9:]))) for cue in found]


def tiles(path: Path) -> list[tuple[float, float, Image.Image]]:
    with path.open("rb") as file:
        plan = plan_file(file, clips.demuxer_of(path))
        sheets = {f"sheet_{n}.jpg": Image.open(io.BytesIO(data)) for n, data in make_sheets(file, plan)}
    found = cues(write_vtt(plan, layout_of(plan)))
    assert {sheet for _, _, sheet, _ in found} == set(sheets)
    assert found[0][0] == 0
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert found[-1][1] == pytest.approx(plan.probe.duration, abs=0.001)
    return [(start, end, sheets[sheet].crop((x, y, x + w, y + h))) for start, end, sheet, (x, y, w, h) in found]


def shown_time(tile: Image.Image, length: int) -> float:
    brightness = sum(tile.convert("L").tobytes()) / (tile.width * tile.height)
    return (brightness * 219 / 255 + 16 - DARKEST) * length / RANGE


@pytest.mark.parametrize(
    ("length", "options", "name"),
    [
        (10, ("-g", "4"), "short.mp4"),
        (40, ("-g", "9999"), "one_gop.mp4"),
        (130, ("-g", "16"), "long.mp4"),
        (130, ("-g", "16"), "long.mkv"),
        (130, ("-g", "16"), "long.ts"),
        (130, ("-g", "9999"), "long_gop.mp4"),
        (125, ("-g", "16", "-output_ts_offset", "50"), "late.ts"),
    ],
)
def test_every_tile_shows_the_beginning_of_its_cue(tmp_path, length, options, name):
    found = tiles(grey_clock(tmp_path / name, length, *options))
    assert len(found) >= length / 10
    for start, end, tile in found:
        assert shown_time(tile, length) == pytest.approx(start, abs=0.3 + length / 100)
        assert 0 < end - start <= 10


def test_tiles_fill_sheets_row_by_row_and_the_last_one_as_far_as_needed(tmp_path):
    path = grey_clock(tmp_path / "two.mp4", 60)
    with path.open("rb") as file:
        plan = plan_file(file, "mov")
        sheets = [Image.open(io.BytesIO(data)).size for _, data in make_sheets(file, plan)]
        assert sheets == [(128 * COLUMNS, 72 * ROWS), (128 * COLUMNS, 72)]
        assert len(cues(write_vtt(plan, layout_of(plan)))) == 30
        assert [n for n, _ in make_sheets(file, plan, 1)] == [1]


@pytest.mark.parametrize(
    ("name", "size", "count"),
    [
        ("rotated", (90, 160), 9),
        ("anamorphic", (160, 60), 1),
        ("portrait", (90, 160), 2),
        ("tiny", (16, 16), 1),
        ("one_frame", (160, 90), 1),
        ("pq", (160, 90), 1),
        ("mjpeg_avi", (160, 90), 5),
    ],
)
def test_aspect_and_rotation_are_kept(name, size, count):
    found = tiles(clips.clip(name))
    assert [tile.size for _, _, tile in found] == [size] * count


def test_a_long_video_is_not_read_whole(tmp_path):
    noisy = "testsrc2=s=320x180:r=10:d=130,noise=alls=60:allf=t"
    path = tmp_path / "noisy.mp4"
    clips.ffmpeg("-f", "lavfi", "-i", noisy, "-c:v", "libx264", "-preset", "ultrafast", "-g", "40", str(path))
    file = CountingFile(path.read_bytes())
    plan = plan_file(file, "mov")
    file.read_bytes = 0
    assert sum(1 for _ in make_sheets(file, plan)) == 2
    assert file.read_bytes < len(file.getvalue()) / 2


@pytest.mark.parametrize("name", ["film", "film_mkv", "transport", "long_gop"])
def test_damage_leaves_no_tile_out(name):
    file = io.BytesIO(damaged(name))
    plan = plan_file(file, clips.demuxer_of(clips.clip(name)))
    ((_, sheet),) = make_sheets(file, plan)
    assert Image.open(io.BytesIO(sheet)).height == -(-len(cues(write_vtt(plan, layout_of(plan)))) // COLUMNS) * 90


def test_sound_alone_has_no_storyboard_and_no_bytes_are_corrupt(tmp_path):
    clips.ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", str(tmp_path / "tone.mp4"))
    with (tmp_path / "tone.mp4").open("rb") as file, pytest.raises(UnsupportedMedia):
        layout_of(plan_file(file, "mov"))
    with pytest.raises(CorruptMedia):
        list(make_sheets(io.BytesIO(b""), plan_clip("even")))


@pytest.mark.parametrize(
    ("time", "text"),
    [(Fraction(0), "00:00:00.000"), (Fraction(7199_9996, 10_000), "02:00:00.000"), (Fraction(360_001), "100:00:01.000")],
)
def test_timestamps(time, text):
    assert timestamp(time) == text


def test_a_token_goes_into_every_sheets_address():
    rewritten = rewrite_sheets("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nsheet_0.jpg#xywh=0,0,1,1\n", "token=a.b")
    assert rewritten == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nsheet_0.jpg?token=a.b#xywh=0,0,1,1\n"
