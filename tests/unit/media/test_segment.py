"""Segments of originals that are damaged, and what init segments say."""

from __future__ import annotations

import io
import random
import struct
from itertools import pairwise

import av
import pytest

from kinora.errors import Unavailable
from kinora.media import segment, stills
from tests.unit.media import clips
from tests.unit.media.fragments import boxes, inside, read_segment
from tests.unit.media.test_plan import plan_clip, plan_file


def damaged(name: str) -> bytes:
    """The clip with thirty small wounds outside its headers."""
    data = bytearray(clips.clip(name).read_bytes())
    chance = random.Random(7)
    for _ in range(30):
        place = chance.randrange(len(data) // 10, len(data) * 8 // 10)
        data[place : place + 40] = chance.randbytes(40)
    return bytes(data)


@pytest.mark.parametrize("name", ["film", "film_mkv", "transport", "open_gop_hevc", "vp9", "long_gop"])
def test_damage_leaves_every_segment_whole_and_the_same_every_time(name):
    file = io.BytesIO(damaged(name))
    plan = plan_file(file, clips.demuxer_of(clips.clip(name)))
    count = len(plan.timeline) - 1
    batch = {(track, n): data for track, n, data in segment.encode_batch(file, plan, 0, count)}
    delay = plan.renditions[0].delay
    parts = [read_segment(batch["video/r96_h264", n], delay) for n in range(count)]
    assert all(before.end == after.start for before, after in pairwise(parts))
    assert all(part.presented[0] == part.start for part in parts)
    for n in range(count):
        assert segment.encode(file, plan, "r64_h264", n) == batch["video/r64_h264", n]


def test_a_segment_of_which_nothing_is_left_shows_what_came_before():
    data = bytearray(clips.clip("even").read_bytes())
    plan = plan_clip("even")
    with av.open(io.BytesIO(data)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        for packet in packets:
            if plan.timeline[1] <= packet.pts < plan.timeline[2]:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    part = read_segment(segment.encode(io.BytesIO(data), plan, "r64_h264", 1))
    assert len(part.presented) == 1
    assert part.end - part.start == plan.timeline[2] - plan.timeline[1]


def test_a_storage_failure_is_not_taken_for_damage():
    class Failing(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            if self.reads > 3:
                raise Unavailable("the store is away")
            return super().read(size)

    plan = plan_clip("heavy")
    with pytest.raises(Unavailable):
        segment.encode(Failing(clips.clip("heavy").read_bytes()), plan, "r64_h264", 1)


@pytest.mark.parametrize(
    ("name", "timescale"), [("film", 24_000), ("film_mkv", 16_000), ("late_start_ts", 90_000), ("mjpeg_avi", 15_360)]
)
def test_init_segments_carry_the_sources_time_base_and_no_samples(name, timescale):
    plan = plan_clip(name)
    with clips.clip(name).open("rb") as file:
        for track, init in segment.init_segments(file, plan):
            assert track.startswith("video/r")
            assert [kind for kind, _ in boxes(init)] == [b"ftyp", b"moov"]
            assert int.from_bytes(inside(init, b"moov", b"trak", b"mdia", b"mdhd")[12:16]) == timescale
            edits = inside(init, b"moov", b"trak", b"edts", b"elst")
            assert edits[4:] == struct.pack(">IIiI", 1, 0, plan.renditions[0].delay, 1 << 16)


def test_every_segment_fits_the_one_init_segment():
    with clips.clip("film").open("rb") as file:
        plan = plan_clip("film")
        (_, init), *_ = segment.init_segments(file, plan)
        for n in range(len(plan.timeline) - 1):
            with av.open(io.BytesIO(init + segment.encode(file, plan, "r96_h264", n))) as container:
                assert len(list(container.decode(video=0))) == len(
                    read_segment(segment.encode(file, plan, "r96_h264", n)).presented
                )


@pytest.mark.parametrize(
    ("name", "unturned", "turn"),
    [
        ("rotated", "even", "transpose=cclock,"),
        ("upside_down", "half_second", "hflip,vflip,"),
        ("mirrored", "half_second", "hflip,"),
        ("mirrored_and_turned", "half_second", "transpose=clock_flip,"),
        ("half_second", "half_second", ""),
    ],
)
def test_pictures_are_turned_upright(name, unturned, turn):
    with clips.clip(name).open("rb") as file:
        plan = plan_clip(name)
        ((_, init), *_) = segment.init_segments(file, plan)
        data = init + segment.encode(file, plan, plan.renditions[0].name, 0)
    with av.open(io.BytesIO(data)) as container:
        shown = next(container.decode(video=0))
    expected = clips.raw_luma(clips.clip(unturned), f"{turn}scale={shown.width}:{shown.height}")
    plane = shown.planes[0]
    rows = bytes(plane)
    got = b"".join(rows[y * plane.line_size : y * plane.line_size + shown.width] for y in range(shown.height))
    assert sum(abs(a - b) for a, b in zip(got, expected, strict=True)) / len(got) < 6


def test_every_segment_has_the_colours_of_the_palette():
    with clips.clip("palette").open("rb") as file:
        plan = plan_clip("palette")
        (_, init), *_ = segment.init_segments(file, plan)
        name = plan.renditions[0].name
        last = len(plan.timeline) - 2
        data = init + segment.encode(file, plan, name, last)
        key = next(stills.pictures_at(file, plan, [plan.timeline[last]]))
    with av.open(io.BytesIO(data)) as container:
        shown = next(container.decode(video=0))
    number = plan.timeline[last]
    expected = clips.raw_luma(clips.clip("palette"), f"select=eq(n\\,{number}),scale={shown.width}:{shown.height}")
    for picture in (shown, key.reformat(shown.width, shown.height, "yuv420p")):
        rows, stride = bytes(picture.planes[0]), picture.planes[0].line_size
        got = b"".join(rows[y * stride : y * stride + shown.width] for y in range(shown.height))
        assert sum(abs(a - b) for a, b in zip(got, expected, strict=True)) / len(got) < 10


def test_an_original_without_pictures_has_no_segments():
    with clips.clip("sound_with_cover").open("rb") as file:
        plan = plan_clip("sound_with_cover")
        assert list(segment.init_segments(file, plan)) == []
        with pytest.raises(KeyError):
            next(segment.encode_batch(file, plan, 0, 1))
