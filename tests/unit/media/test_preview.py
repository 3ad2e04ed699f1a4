"""Animated previews, read by Pillow: how long, how large, of which moments, and of the shortest clips."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from PIL import Image, ImageSequence

from kinora.errors import CorruptMedia, UnsupportedMedia
from kinora.media.preview import Preview, make_preview
from tests.unit.media import clips
from tests.unit.media.test_plan import CountingFile, plan_clip, plan_file
from tests.unit.media.test_segment import damaged
from tests.unit.media.test_storyboard import grey_clock, shown_time


def preview_of(path) -> Preview:
    with path.open("rb") as file:
        return make_preview(file, plan_file(file, clips.demuxer_of(path)))


def frames(data: bytes) -> list[tuple[Image.Image, float]]:
    """Every picture with its milliseconds."""
    opened = Image.open(io.BytesIO(data))
    return [(frame.convert("RGB"), frame.info.get("duration", 0)) for frame in ImageSequence.Iterator(opened)]


@pytest.mark.parametrize(
    "name", ["even", "film", "variable_mkv", "slow", "transport", "interlaced_ts", "mpeg4_avi", "vp9", "pal"]
)
def test_both_files_are_animated_endless_and_shorter_than_the_clip(name):
    made = preview_of(clips.clip(name))
    duration = plan_clip(name).probe.duration
    for data, form in ((made.webp, "WEBP"), (made.gif, "GIF")):
        opened = Image.open(io.BytesIO(data))
        assert (opened.format, opened.size, opened.info["loop"]) == (form, (made.width, made.height), 0)
        shown = frames(data)
        assert len(shown) > 1
        assert all(delay >= 20 for _, delay in shown)
        assert sum(delay for _, delay in shown) / 1000 == pytest.approx(made.duration)
        assert 2 < made.duration <= min(6, duration) + 0.001


@pytest.mark.parametrize("name", ["half_second", "one_frame", "tiny", "fast"])
def test_short_clips_are_shown_whole(name):
    made = preview_of(clips.clip(name))
    duration = plan_clip(name).probe.duration
    assert duration - 0.03 <= made.duration <= duration
    assert (len(frames(made.webp)) == 1, len(frames(made.gif)) == 1) == (name == "one_frame", name == "one_frame")


@pytest.mark.parametrize(
    ("name", "size"), [("rotated", (108, 192)), ("anamorphic", (256, 96)), ("portrait", (108, 192)), ("heavy", None)]
)
def test_aspect_and_rotation_are_kept_and_nothing_is_enlarged(name, size):
    made = preview_of(clips.clip(name))
    video = plan_clip(name).probe.video
    assert max(made.width, made.height) <= 320
    assert made.width / made.height == pytest.approx(video.width / video.height, rel=0.02)
    assert size in {None, (made.width, made.height)}


def test_scenes_come_from_all_over_the_video_in_its_order(tmp_path):
    made = preview_of(grey_clock(tmp_path / "long.mp4", 120, "-g", "16"))
    times = [shown_time(frame, 120) for frame, _ in frames(made.webp)]
    assert all(after > before - 1 for before, after in pairwise(times))
    assert sum(after - before > 10 for before, after in pairwise(times)) == 3
    assert (times[0], times[-1]) == (pytest.approx(15, abs=5), pytest.approx(105, abs=5))


def test_pictures_are_those_of_the_video():
    made = preview_of(clips.clip("even"))
    raw = clips.raw_luma(clips.clip("even"), "scale=192:108")
    first = Image.frombytes("L", (192, 108), raw[: 192 * 108])
    shown = frames(made.webp)[0][0].convert("L")
    wanted = [(value - 16) * 255 / 219 for value in first.tobytes()]
    assert sum(abs(a - b) for a, b in zip(shown.tobytes(), wanted, strict=True)) / len(wanted) < 20


def test_only_the_scenes_are_read(tmp_path):
    path = tmp_path / "noisy.mp4"
    noisy = "testsrc2=s=320x180:r=10:d=120,noise=alls=60:allf=t"
    clips.ffmpeg("-f", "lavfi", "-i", noisy, "-c:v", "libx264", "-preset", "ultrafast", "-g", "40", str(path))
    file = CountingFile(path.read_bytes())
    plan = plan_file(file, "mov")
    file.read_bytes = 0
    make_preview(file, plan)
    assert file.read_bytes < len(file.getvalue()) / 3


@pytest.mark.parametrize("name", ["film", "film_mkv", "transport", "long_gop"])
def test_damage_leaves_a_preview(name):
    file = io.BytesIO(damaged(name))
    made = make_preview(file, plan_file(file, clips.demuxer_of(clips.clip(name))))
    assert len(frames(made.gif)) > 1


def test_what_has_no_pictures_has_no_preview(tmp_path):
    clips.ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", str(tmp_path / "tone.mp4"))
    with pytest.raises(UnsupportedMedia):
        preview_of(tmp_path / "tone.mp4")
    with pytest.raises(CorruptMedia):
        make_preview(io.BytesIO(b""), plan_clip("even"))
