"""Copied renditions: the original's own pictures at their own times; and everything that must be encoded instead."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from kinora.media import planning, segment
from kinora.media.h264_stream import Unreadable, has_slice_groups, read_parameter_sets, read_sequence
from kinora.media.index import PictureTime, read_pictures
from kinora.media.plan import Plan
from kinora.media.timeline import Timeline
from kinora.media.video_copy import Refusal, VideoCopy, find_video_copy
from tests.unit.media import clips
from tests.unit.media.fragments import inside, read_segment
from tests.unit.media.test_frame_truth import check_segments

LADDER = (192, 108, 64)
EXACT = [
    *("web", "web_front", "web_fragmented", "web_mkv", "web_mov", "web_ts", "web_flash", "web_late"),
    *("web_variable", "web_baseline", "web_high", "web_short", "web_slices", "web_unusual"),
]
INEXACT = {
    "web_open_gop": Refusal.OPEN_GOP,
    "web_refresh": Refusal.OPEN_GOP,
    "web_long_gop": Refusal.LONG_GOP,
    "web_interlaced": Refusal.INTERLACED,
    "web_ten_bit": Refusal.PIXEL_FORMAT,
    "web_444": Refusal.PIXEL_FORMAT,
    "web_rotated": Refusal.ROTATED,
    "web_trimmed": Refusal.EDIT_LIST,
    "web_anamorphic": Refusal.SIZE,
    "web_heavy": Refusal.BIT_RATE,
    "web_large": Refusal.TOO_LARGE,
    "web_avi": Refusal.CONTAINER,
    "web_hdr": Refusal.COLOUR,
    "vp9": Refusal.CODEC,
}


def plan_of(file, name: str) -> Plan:
    demuxer = clips.demuxer_of(clips.clip(name))
    return planning.make_plan(file, demuxer, "0" * 64, ladder=LADDER, max_duration=3600, max_pixels=10**6)


def pictures_of(path) -> list[tuple[Fraction, str]]:
    """When each frame is shown, and the checksum of its pixels, by an independent FFmpeg."""
    exact = ("-fps_mode", "passthrough", "-enc_time_base", "demux")
    text = clips.ffmpeg("-copyts", "-i", str(path), "-map", "0:v:0", *exact, "-f", "framemd5", "-")
    ticks = Fraction(re.search(r"#tb 0: (\d+/\d+)", text)[1])
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    return [(int(row[2]) * ticks, row[5]) for row in rows]


@pytest.mark.parametrize("name", EXACT)
def test_copied_segments_hold_the_originals_own_pictures_at_their_times(name, tmp_path):
    with clips.clip(name).open("rb") as file:
        plan = plan_of(file, name)
        top = plan.renditions[0]
        assert (plan.not_copied, top.copied) == ("", True)
        init = dict(segment.init_segments(file, plan))[top.track]
        count = len(plan.timeline) - 1
        parts = [data for _, _, data in segment.encode_batch(file, plan, 0, count, {top.name})]
        assert parts == [segment.encode(file, plan, top.name, n) for n in range(count)]
    joined = tmp_path / "joined.mp4"
    joined.write_bytes(init + b"".join(parts))
    shown, wanted = pictures_of(joined), pictures_of(clips.clip(name))
    assert [pixels for _, pixels in shown] == [pixels for _, pixels in wanted]
    assert all(
        abs(mine - theirs + plan.origin) <= Fraction(1, 10_000) for (mine, _), (theirs, _) in zip(shown, wanted, strict=True)
    )
    check_segments(plan, top, parts, init)


def test_smaller_renditions_are_encoded_from_the_originals_pictures_as_ever():
    with clips.clip("web").open("rb") as file:
        plan = plan_of(file, "web")
        assert [(one.name, one.copied) for one in plan.renditions] == [("r108_h264", True), ("r64_h264", False)]
        encoded = replace(plan, renditions=(replace(plan.renditions[0], copied=False), *plan.renditions[1:]))
        for (track, _, data), other in zip(
            segment.encode_batch(file, plan, 1, 2, {"r64_h264"}),
            segment.encode_batch(file, encoded, 1, 2, {"r64_h264"}),
            strict=True,
        ):
            assert track == "video/r64_h264"
            assert data == other[2]


def test_a_batch_of_all_renditions_brings_copied_ones_first():
    with clips.clip("web_mkv").open("rb") as file:
        plan = plan_of(file, "web_mkv")
        made = [(track, n) for track, n, _ in segment.encode_batch(file, plan, 1, 3)]
    assert made == [("video/r108_h264", 1), ("video/r108_h264", 2), ("video/r64_h264", 1), ("video/r64_h264", 2)]


def test_an_own_size_takes_the_place_of_the_rung_that_is_nearly_as_large():
    with clips.clip("web_unusual").open("rb") as file:
        plan = planning.make_plan(file, "mov", "0" * 64, ladder=(192, 96, 64), max_duration=3600, max_pixels=10**6)
    assert [(one.name, one.width, one.height) for one in plan.renditions] == [("r100_h264", 160, 100), ("r64_h264", 102, 64)]


@pytest.mark.parametrize("name", INEXACT)
def test_what_is_not_exact_is_encoded(name):
    with clips.clip(name).open("rb") as file:
        plan = plan_of(file, name)
    assert plan.not_copied == INEXACT[name]
    assert not any(one.copied for one in plan.renditions)
    assert Plan.from_json(plan.to_json()) == plan


def changed_times(change) -> VideoCopy | Refusal:
    """The verdict on the clip `web` if its pictures had the times that `change` makes of them."""
    with clips.clip("web").open("rb") as file:
        plan = plan_of(file, "web")
        pictures = read_pictures(file, "mov", 0).pictures
        timeline = Timeline(plan.timeline, plan.entries)
        return find_video_copy(file, "mov", plan.probe.video, timeline, change(pictures), LADDER)


def reordered_widely(pictures: list[PictureTime]) -> list[PictureTime]:
    return [pictures[0], *sorted(pictures[1:20], key=lambda one: -one.pts), *pictures[20:]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda pictures: [replace(one, is_shown=place > 3) for place, one in enumerate(pictures)], Refusal.EDIT_LIST),
        (lambda pictures: [*pictures[:7], replace(pictures[7], pts=pictures[6].pts), *pictures[8:]], Refusal.TIMES),
        (lambda pictures: [*pictures[:7], replace(pictures[7], pts=-5), *pictures[8:]], Refusal.OPEN_GOP),
        (lambda pictures: [pictures[1], pictures[0], *pictures[2:]], Refusal.OPEN_GOP),
        (reordered_widely, Refusal.REORDERING),
        (lambda pictures: [*pictures[:9], replace(pictures[9], size=200_000), *pictures[10:]], Refusal.BIT_RATE),
    ],
)
def test_odd_times_and_rates_are_encoded(change, reason):
    assert isinstance(changed_times(lambda pictures: pictures), VideoCopy)
    assert changed_times(change) is reason


def other_parameters() -> bytes:
    """The clip `web` with, in its last segment, the coded pictures of another stream that brings its own parameter sets."""
    data = clips.clip("web").read_bytes()
    record = data[data.index(b"avcC") + 4 :]
    size = int.from_bytes(record[6:8])
    sets = record[8 : 8 + size]
    with io.BytesIO(data) as file:
        plan = plan_of(file, "web")
        last = next(one for one in read_pictures(file, "mov", 0).pictures if one.pts == plan.timeline[-2])
    changed = bytearray(data)
    foreign = bytes((*sets[:3], sets[3] + 1, *sets[4:]))
    unit = len(foreign).to_bytes(4) + foreign
    position = last.position
    rest = last.size - len(unit)
    changed[position : position + len(unit)] = unit
    filler = b"\x0c" + b"\xff" * (rest - 5)
    changed[position + len(unit) : position + last.size] = (rest - 4).to_bytes(4) + filler
    return bytes(changed)


def test_other_parameter_sets_within_the_stream_are_encoded():
    with io.BytesIO(other_parameters()) as file:
        assert plan_of(file, "web").not_copied == Refusal.PARAMETER_SETS


def test_a_segment_that_turns_out_not_to_be_exact_is_encoded_among_copied_ones(tmp_path):
    with clips.clip("web").open("rb") as file:
        plan = plan_of(file, "web")
        name, count = plan.renditions[0].name, len(plan.timeline) - 1
        init = next(data for _, data in segment.init_segments(file, plan))
        whole = [segment.encode(file, plan, name, n) for n in range(count)]
        pictures = read_pictures(file, "mov", 0).pictures
    middle = next(one for one in pictures if one.pts == plan.timeline[1])
    data = bytearray(clips.clip("web").read_bytes())
    later = pictures[pictures.index(middle) + 5]
    data[later.position : later.position + 4] = b"\xff" * 4  # a NAL unit longer than its picture
    with io.BytesIO(data) as file:
        made = [part for _, _, part in segment.encode_batch(file, plan, 0, count, {name})]
        assert made == [segment.encode(file, plan, name, n) for n in range(count)]
    assert [one == other for one, other in zip(made, whole, strict=True)] == [n != 1 for n in range(count)]
    parts = [read_segment(part, plan.renditions[0].delay) for part in made]
    assert all(before.end == after.start for before, after in pairwise(parts))
    assert {7, 8, 5} <= set(parts[1].nal_types)
    (tmp_path / "joined.mp4").write_bytes(init + b"".join(made))
    shown, wanted = pictures_of(tmp_path / "joined.mp4"), pictures_of(clips.clip("web"))
    outside = [
        n for n, (time, _) in enumerate(wanted) if not plan.timeline[1] <= time / plan.probe.video.time_base < plan.timeline[2]
    ]
    assert len(shown) >= len(wanted) - 1
    lost = len(wanted) - len(shown)
    assert [shown[n - lost * (wanted[n][0] / plan.probe.video.time_base >= plan.timeline[2])][1] for n in outside] == [
        wanted[n][1] for n in outside
    ]


def test_the_header_is_the_originals_configuration():
    with clips.clip("web_ts").open("rb") as file:
        plan = plan_of(file, "web_ts")
        init = next(data for _, data in segment.init_segments(file, plan))
    record = init[init.index(b"avcC") + 4 :]
    original = clips.clip("web").read_bytes()
    own = original[original.index(b"avcC") + 4 :]
    assert record[: 8 + int.from_bytes(own[6:8])] == own[: 8 + int.from_bytes(own[6:8])]
    sequence = read_sequence(read_parameter_sets(own).sequence[0])
    assert (sequence.width, sequence.height, sequence.codecs) == (192, 108, plan.renditions[0].codecs)
    assert int.from_bytes(inside(init, b"moov", b"trak", b"edts", b"elst")[12:16]) == plan.renditions[0].delay


def test_baseline_that_does_not_call_itself_constrained_is_copied_unless_it_has_slice_groups():
    data = clips.clip("web_baseline").read_bytes().replace(b"\x42\xc0", b"\x42\x00")
    with io.BytesIO(data) as file:
        assert plan_of(file, "web_baseline").renditions[0].codecs.startswith("avc1.4200")
    picture = read_parameter_sets(data[data.index(b"avcC") + 4 :]).picture[0]
    assert not has_slice_groups(picture)
    assert has_slice_groups(b"\x68\xc5")


@pytest.mark.parametrize("record", [b"", b"\x01", b"\x01\x4d\x40\x1e\xff\xe1\x00\x09\x67\x4d", bytes.fromhex("014d401effe1")])
def test_a_configuration_that_is_cut_off_is_unreadable(record):
    with pytest.raises(Unreadable):
        read_sequence(b"".join(read_parameter_sets(record).sequence))


@pytest.mark.parametrize("unit", [b"\x67\x4d\x40\x1e", b"\x67\x64\x00\x1e\xac\xb0"])
def test_parameters_that_are_cut_off_are_unreadable(unit):
    with pytest.raises(Unreadable):
        read_sequence(unit)


def test_only_idr_pictures_are_entry_points():
    """The clip begins closed and goes on with open groups of half a second: no boundary lies at them, but the file marks them."""
    with clips.clip("web_inner").open("rb") as file:
        plan = plan_of(file, "web_inner")
        assert plan.renditions[0].copied
        marked = [one.is_keyframe for one in read_pictures(file, "mov", 0).pictures]
        part = read_segment(segment.encode(file, plan, plan.renditions[0].name, 0))
    assert marked.count(True) > 2
    assert part.is_sync == [True] + [False] * (len(marked) - 1)
