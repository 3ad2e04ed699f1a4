"""AV1 renditions: the same pictures at the same times as in H.264, the same bytes however they are made, and nothing but the truth
in their headers."""

from __future__ import annotations

import io
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import av
import imageio_ffmpeg
import m3u8
import numpy as np
import pytest

from kinora.media import av1, hls, segment
from kinora.media.ladder import in_av1
from kinora.media.plan import Plan
from kinora.media.planning import make_plan
from tests.unit.media.clips import clip, demuxer_of
from tests.unit.media.fragments import inside, read_segment

CLIPS = ("film", "variable_mkv", "long_gop_ts", "rotated", "one_frame", "slow", "open_gop_hevc", "odd")


def planned(name: str, ladder: tuple[int, ...] = (96, 64)) -> Plan:
    path = clip(name)
    with path.open("rb") as file:
        return make_plan(
            file, demuxer_of(path), "0" * 64, ladder=ladder, max_duration=60, max_pixels=1 << 20, codecs=("h264", "av1")
        )


def made(name: str, plan: Plan) -> tuple[dict[str, bytes], dict[tuple[str, int], bytes]]:
    """Init segments by track, and all segments from one batch by track and number."""
    with clip(name).open("rb") as file:
        headers = dict(segment.init_segments(file, plan))
        batch = segment.encode_batch(file, plan, 0, len(plan.timeline) - 1)
        return headers, {(track, n): data for track, n, data in batch}


def whole(headers, segments, track: str) -> bytes:
    return headers[track] + b"".join(data for (one, _), data in segments.items() if one == track)


def pictures(data: bytes) -> tuple[list[Fraction], list[np.ndarray]]:
    times, luma = [], []
    with av.open(io.BytesIO(data)) as container:
        for picture in container.decode(video=0):
            times.append(picture.pts * picture.time_base)
            plane = picture.planes[0]
            luma.append(np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].astype(float))
    return times, luma


@pytest.mark.parametrize("name", CLIPS)
def test_av1_shows_the_pictures_of_h264_at_the_same_times(name):
    plan = planned(name)
    headers, segments = made(name, plan)
    twins = [one for one in plan.renditions if one.codec == "av1"]
    assert [one.name for one in twins] == [one.name.replace("h264", "av1") for one in plan.renditions if one.codec == "h264"]
    for twin in twins:
        times, luma = pictures(whole(headers, segments, twin.track))
        other_times, other = pictures(whole(headers, segments, twin.track.replace("av1", "h264")))
        assert times == other_times
        assert max(float(np.abs(one - two).mean()) for one, two in zip(luma, other, strict=True)) < 9
    subset = twins[-1]
    with clip(name).open("rb") as file:
        for n in range(len(plan.timeline) - 1):
            assert segment.encode(file, plan, subset.name, n) == segments[subset.track, n]


def test_segments_are_closed_and_headers_true():
    plan = planned("film")
    headers, segments = made("film", plan)
    for twin in (one for one in plan.renditions if one.codec == "av1"):
        header = headers[twin.track]
        entry = header.index(b"av1C")
        config = header[entry + 4 : entry - 4 + int.from_bytes(header[entry - 4 : entry])]
        assert config[0] == 0x81
        assert twin.codecs == f"av01.{config[1] >> 5}.{config[1] & 31:02d}M.08"
        assert header[header.index(b"av01", 40) + 4 :][:6] == bytes(6)
        for (track, _), data in segments.items():
            if track != twin.track:
                continue
            read = read_segment(data)
            payload = inside(data, b"mdat")
            assert payload.startswith(config[4:])
            assert read.is_sync == [True] + [False] * (len(read.is_sync) - 1)
            assert read.decoded == read.presented
            sizes = np.frombuffer(inside(data, b"moof", b"traf", b"trun")[12:], ">u4").reshape(-1, 4)[:, 1]
            starts = [0, *np.cumsum(sizes)[:-1]]
            assert not any(payload[int(start) : int(start) + 2] == b"\x12\x00" for start in starts)


@pytest.mark.parametrize(("size", "level"), [((1920, 1080), "08"), ((1280, 720), "05"), ((426, 240), "00")])
def test_the_codec_string_tells_the_level(size, level):
    """AV1 specification, annex A.3: 1080p30 is level 4.0, 720p30 3.1, 240p30 2.0."""
    plan = planned("even")
    twin = replace(plan.renditions[-1], width=size[0], height=size[1], frame_rate=30.0)
    assert av1.with_true_codecs(plan.probe.video, twin).codecs == f"av01.0.{level}M.08"


def test_bytes_are_the_same_under_load():
    plan = planned("even")
    twin = plan.renditions[-2]

    def once(_: int) -> bytes:
        with clip("even").open("rb") as file:
            return segment.encode(file, plan, twin.name, 1)

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(once, range(18)))) == 1


def test_what_is_too_large_is_encoded_again_until_it_fits():
    plan = planned("heavy", (360,))
    tight = [replace(one, max_rate=60_000, buffer_size=27_000) if one.codec == "av1" else one for one in plan.renditions]
    free = made("heavy", plan)[1]
    narrow = replace(plan, renditions=tuple(tight))
    headers, segments = made("heavy", narrow)
    for n in range(len(plan.timeline) - 1):
        seconds = (plan.timeline[n + 1] - plan.timeline[n]) * plan.probe.video.time_base
        size = 8 * len(inside(segments["video/r360_av1", n], b"mdat"))
        assert size <= 60_000 * seconds + 27_000 < 8 * len(free["video/r360_av1", n])
        with clip("heavy").open("rb") as file:
            assert segment.encode(file, narrow, "r360_av1", n) == segments["video/r360_av1", n]
    assert len(pictures(whole(headers, segments, "video/r360_av1"))[0]) == 240


def test_an_independent_ffmpeg_reads_every_picture(tmp_path):
    plan = planned("ntsc")
    headers, segments = made("ntsc", plan)
    (tmp_path / "film.mp4").write_bytes(whole(headers, segments, plan.renditions[-1].track))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(tmp_path / "film.mp4"), "-f", "framecrc", "-"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert sum(not line.startswith("#") for line in ran.stdout.splitlines()) == 270


def test_both_codecs_are_offered_and_the_first_one_is_h264():
    plan = planned("even")
    playlist = m3u8.loads(hls.multivariant_playlist(plan))
    codecs = [one.stream_info.codecs[:4] for one in playlist.playlists]
    assert codecs == ["avc1", "avc1", "av01", "av01"]
    assert all(one.bandwidth <= two.bandwidth for one, two in zip(plan.renditions[2:], plan.renditions[:2], strict=True))


def test_what_is_too_small_for_av1_is_left_out():
    plan = planned("even")
    assert in_av1(replace(plan.renditions[0], width=30, height=14), [Fraction(4)]) is None
    assert planned("tiny").renditions[-1].name == "r16_av1"
