"""Frame truth: joined segments hold exactly the source's frames at the source's times, judged by an independent FFmpeg."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

import pytest

from kinora.media import planning, segment
from kinora.media.plan import Plan
from tests.unit.media import clips
from tests.unit.media.fragments import inside, read_segment

LADDER = (96, 64)
# AVI has no presentation times: FFmpeg shows everything later by the depth of reordering, which a player does not
SHIFTED = {"mpeg4_avi", "h264_avi"}


def plan_of(name: str, file) -> Plan:
    demuxer = clips.demuxer_of(clips.clip(name))
    return planning.make_plan(file, demuxer, "0" * 64, ladder=LADDER, max_duration=3600, max_pixels=10**6)


def frame_times(path) -> list[Fraction]:
    exact = ("-fps_mode", "passthrough", "-enc_time_base", "demux")
    text = clips.ffmpeg("-copyts", "-i", str(path), "-map", "0:v:0", *exact, "-f", "framemd5", "-")
    ticks = Fraction(re.search(r"#tb 0: (\d+/\d+)", text)[1])
    return [int(line.split(",")[2]) * ticks for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("name", clips.NAMES)
def test_every_rendition_shows_the_frames_of_the_source(name, tmp_path):
    with clips.clip(name).open("rb") as file:
        plan = plan_of(name, file)
        inits = dict(segment.init_segments(file, plan))
        made = {(track, n): data for track, n, data in segment.encode_batch(file, plan, 0, len(plan.timeline) - 1)}
    wanted = frame_times(clips.clip(name))
    for rendition in plan.renditions:
        joined = tmp_path / f"{rendition.name}.mp4"
        parts = [made[rendition.track, n] for n in range(len(plan.timeline) - 1)]
        joined.write_bytes(inits[rendition.track] + b"".join(parts))
        shown = frame_times(joined)
        assert len(shown) == len(wanted)
        offset = shown[0] - wanted[0]
        assert name in SHIFTED or abs(offset + plan.origin) <= plan.probe.video.time_base
        assert all(abs(after - before - offset) <= Fraction(1, 10_000) for after, before in zip(shown, wanted, strict=True))
        check_segments(plan, rendition, parts, inits[rendition.track])


def check_segments(plan, rendition, parts, init):
    segments = [read_segment(part, rendition.delay) for part in parts]
    assert all(before.end == after.start for before, after in pairwise(segments))
    seconds = [(cut * plan.probe.video.time_base - plan.origin) for cut in plan.timeline]
    timescale = int.from_bytes(inside(init, b"moov", b"trak", b"mdia", b"mdhd")[12:16])
    for number, one in enumerate(segments):
        assert abs(Fraction(one.start, timescale) - seconds[number]) <= Fraction(1, timescale)
        assert abs(Fraction(one.end, timescale) - seconds[number + 1]) <= Fraction(1, timescale)
        assert min(one.presented) == one.presented[0] == one.start
        assert max(one.presented) < one.end
        assert len(set(one.presented)) == len(one.presented)
        assert all(
            decoded <= presented + rendition.delay for decoded, presented in zip(one.decoded, one.presented, strict=True)
        )
        assert all(before < after for before, after in pairwise(one.decoded))
        assert one.is_sync[0]
        assert 5 in one.nal_types
        assert len(parts[number]) * 8 / (seconds[number + 1] - seconds[number]) <= rendition.bandwidth
    config = init[init.index(b"avcC") + 4 :]
    assert rendition.codecs == f"avc1.{config[1:4].hex()}"


@pytest.mark.parametrize(
    "name", ["film", "open_gop", "long_gop_ts", "odd", "interlaced_ts", "variable_mkv", "h264_avi", "rotated"]
)
def test_a_segment_made_alone_equals_the_one_made_in_a_batch(name):
    with clips.clip(name).open("rb") as file:
        plan = plan_of(name, file)
        count = len(plan.timeline) - 1
        batch = {(track, n): data for track, n, data in segment.encode_batch(file, plan, 0, count)}
        for rendition in plan.renditions:
            for n in range(count):
                assert segment.encode(file, plan, rendition.name, n) == batch[rendition.track, n]


def test_a_batch_may_begin_anywhere_and_be_left_early():
    with clips.clip("long_gop").open("rb") as file:
        plan = plan_of("long_gop", file)
        batch = segment.encode_batch(file, plan, 2, 5)
        track, n, data = next(batch)
        batch.close()
        assert (track, n) == ("video/r96_h264", 2)
        assert data == segment.encode(file, plan, "r96_h264", 2)
        file.seek(0)


def test_a_segment_that_was_not_planned_is_refused():
    with clips.clip("half_second").open("rb") as file:
        plan = plan_of("half_second", file)
        for rendition, n in (("r96_h264", 1), ("r96_h264", -1), ("r1080_h264", 0)):
            with pytest.raises(KeyError):
                segment.encode(file, plan, rendition, n)
        with pytest.raises(KeyError):
            next(segment.encode_batch(file, plan, 0, 2))
