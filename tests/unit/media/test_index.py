"""Cues and the index of AVI: what they say is what a scan of the whole file finds, and wrong ones are not believed."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction

import av
import pytest

from kinora.media import kept_index_matroska, segment
from kinora.media.closed_groups import is_closed
from kinora.media.index import PictureIndex, read_pictures
from kinora.media.index_scan import scan_pictures
from kinora.media.kept_index import with_kept_index
from kinora.media.planning import make_plan
from kinora.media.probe import probe
from kinora.media.timeline import cut_timeline
from tests.unit.media import clips
from tests.unit.media.fragments import read_segment
from tests.unit.media.long_clips import long_clip

TICK = Fraction(1, 1000)


def timelines(index: PictureIndex, first: int, tick: Fraction):
    return [cut_timeline(index.pictures, first, tick, Fraction(30), at_keyframes=kept) for kept in (True, False)]


@pytest.mark.parametrize("name", ["mkv", "mkv_simple", "avi"])
def test_an_index_gives_the_timeline_that_a_scan_gives(name):
    path = long_clip(name)
    demuxer = clips.demuxer_of(path)
    with path.open("rb") as file:
        video = probe(file, demuxer).video
        indexed = read_pictures(file, demuxer, video.index)
        scanned = scan_pictures(file, demuxer, video.index)
    assert timelines(indexed, video.start, video.time_base) == timelines(scanned, video.start, video.time_base)
    assert [one.pts for one in indexed.pictures if one.is_keyframe] == [one.pts for one in scanned.pictures if one.is_keyframe]


def test_the_pictures_of_an_avi_are_those_of_a_scan():
    with long_clip("avi").open("rb") as file:
        indexed = read_pictures(file, "avi", 0).pictures
        scanned = scan_pictures(file, "avi", 0).pictures
    assert [(one.pts, one.size, one.is_keyframe) for one in indexed] == [
        (one.pts, one.size, one.is_keyframe) for one in scanned
    ]


def live_with_cues(places) -> io.BytesIO:
    """A Matroska file whose cues are these; it has none of its own."""
    with long_clip("mkv_live").open("rb") as file:
        return io.BytesIO(with_kept_index(file, "matroska", places).read(1 << 30) + file.read())


@pytest.fixture(scope="module")
def scanned() -> PictureIndex:
    with long_clip("mkv_live").open("rb") as file:
        return scan_pictures(file, "matroska", 0)


def test_cues_that_are_right_are_used(scanned):
    found = read_pictures(live_with_cues(scanned.places), "matroska", 0)
    assert 0 < len(found.pictures) < len(scanned.pictures) / 4
    assert timelines(found, 67, TICK) == timelines(scanned, 67, TICK)


def test_all_pictures_are_read_where_cues_are_far_apart(scanned):
    sparse = [*scanned.places[:20], *scanned.places[26:60], *scanned.places[70:]]
    found = read_pictures(live_with_cues(sparse), "matroska", 0)
    assert found.stretches
    times = {one.pts for one in found.pictures}
    gone = {time for time, _ in scanned.places} - {time for time, _ in sparse}
    assert gone <= times
    assert len(found.pictures) < len(scanned.pictures) / 2


def test_a_first_cue_that_is_missing_takes_nothing_away(scanned):
    found = read_pictures(live_with_cues(scanned.places[3:]), "matroska", 0)
    assert timelines(found, 67, TICK) == timelines(scanned, 67, TICK)


@pytest.mark.parametrize(
    "change",
    [
        lambda places: [(time + 40, byte) for time, byte in places],
        lambda places: [(time + 2000, byte) for time, byte in places[:-1]],
        lambda places: [(time, byte + 7777) for time, byte in places],
        lambda places: [*places[:-1], (places[-1][0], 1 << 40)],
        lambda places: [*places[:60], (places[60][0], places[20][1]), *places[61:]],
        lambda places: places[::40],
        lambda places: places[:1],
    ],
)
def test_cues_that_are_wrong_or_too_few_are_not_believed(scanned, change):
    found = read_pictures(live_with_cues(change(list(scanned.places))), "matroska", 0)
    assert [one.pts for one in found.pictures] == [one.pts for one in scanned.pictures]


def test_video_is_copied_by_what_cues_say_of_its_rate():
    with long_clip("mkv").open("rb") as file:
        by_cues = make_plan(file, "matroska", "0" * 64, ladder=(360,), max_duration=3600, max_pixels=10**6)
    with long_clip("mp4").open("rb") as file:
        by_table = make_plan(file, "mov", "0" * 64, ladder=(360,), max_duration=3600, max_pixels=10**6)
    top, other = by_cues.renditions[0], by_table.renditions[0]
    assert top.copied
    assert other.copied
    assert (by_cues.not_copied, top.codecs, top.delay > 0) == ("", other.codecs, other.delay > 0)
    assert top.frame_rate == pytest.approx(other.frame_rate, rel=0.005)
    assert other.bandwidth <= top.bandwidth < 1.5 * other.bandwidth + 200_000


@pytest.mark.parametrize("cut", [0, 3, 20, 40, 300, 5000])
def test_a_file_of_another_form_is_given_no_cues(cut):
    with long_clip("mkv_live").open("rb") as file:
        data = file.read(1 << 20)
    assert kept_index_matroska.write(io.BytesIO(data[:cut]), [(0, 900)]) is None or cut > 300
    assert kept_index_matroska.write(io.BytesIO(data[cut + 1 :]), [(0, 900)]) is None


@pytest.mark.parametrize(("name", "has_entries"), [("h264_avi", True), ("mpeg4_avi", False)])
def test_where_an_avi_reorders_pictures_decoding_begins_at_closed_groups_only(name, has_entries):
    """Counted from a keyframe that pictures behind it precede, all would be shown too early; from the first none is."""
    with clips.clip(name).open("rb") as file:
        plan = make_plan(file, "avi", "0" * 64, ladder=(64,), max_duration=3600, max_pixels=10**6)
        from_start = replace(plan, entries=plan.entries[:1] * len(plan.entries))
        assert (len(set(plan.entries)) > 1) == has_entries
        n = len(plan.entries) - 1
        assert segment.encode(file, plan, "r64_h264", n) == segment.encode(file, from_start, "r64_h264", n)


def packed(*kinds: int) -> bytes:
    """A packet of MPEG-4 with pictures of these kinds."""
    return b"".join(b"\x00\x00\x01\xb6" + bytes((kind << 6, 7)) for kind in kinds)


@pytest.mark.parametrize(
    ("codec", "keyframe", "following", "expected"),
    [
        ("mpeg4", packed(0), packed(1), True),
        ("mpeg4", packed(0), packed(2), False),
        ("mpeg4", packed(0, 2), packed(1), False),
        ("mpeg4", packed(0), b"", True),
        ("mpeg4", b"", packed(1), False),
        ("h264", b"\x00\x00\x01\x65\x88", b"", True),
        ("h264", b"\x00\x00\x01\x67\x42\x00\x00\x01\x41\x88", b"", False),
        ("h264", b"", b"", False),
        ("mpeg2video", b"\x00\x00\x01\x00", b"", False),
    ],
)
def test_a_group_counts_as_closed_only_where_that_is_sure(codec, keyframe, following, expected):
    assert is_closed(codec, keyframe, following) is expected


def test_one_picture_with_a_damaged_time_makes_no_hours():
    source = io.BytesIO()
    with av.open(str(clips.clip("late_start_ts"))) as container, av.open(source, "w", format="mpegts") as damaged:
        stream = damaged.add_stream_from_template(container.streams.video[0])
        for n, packet in enumerate(container.demux(container.streams.video[0])):
            if packet.size:
                packet.stream = stream
                packet.pts += 3600 * 90_000 if n == 20 else 0
                damaged.mux(packet)
    plan = make_plan(source, "mpegts", "0" * 64, ladder=[64], max_duration=10**6, max_pixels=10**6)
    with clips.clip("late_start_ts").open("rb") as file:
        whole = make_plan(file, "mpegts", "0" * 64, ladder=[64], max_duration=10**6, max_pixels=10**6)
    assert plan.timeline[-1] - plan.timeline[0] == whole.timeline[-1] - whole.timeline[0]
    made = [read_segment(data) for _, _, data in segment.encode_batch(source, plan, 0, len(plan.timeline) - 1)]
    shown = sum(len(one.is_sync) for one in made)
    with clips.clip("late_start_ts").open("rb") as file:
        assert shown == sum(one.is_shown for one in scan_pictures(file, "mpegts", whole.probe.video.index).pictures) - 1
