"""Plans of whole originals: limits, origin, what is read, and that they survive being stored."""

from __future__ import annotations

import io
import json
from fractions import Fraction

import pytest

from kinora.errors import CorruptMedia, LimitExceeded
from kinora.media.index import read_pictures
from kinora.media.plan import Plan
from kinora.media.planning import make_plan
from tests.unit.media import clips


class CountingFile(io.BytesIO):
    """Notes which bytes were read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.read_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.read_bytes += len(data)
        return data


def plan_clip(name: str, **limits) -> Plan:
    with clips.clip(name).open("rb") as file:
        return plan_file(file, clips.demuxer_of(clips.clip(name)), **limits)


def plan_file(file, demuxer: str, *, max_duration: int = 3600, max_pixels: int = 10**6) -> Plan:
    return make_plan(file, demuxer, "ab" * 32, ladder=(96, 64), max_duration=max_duration, max_pixels=max_pixels)


@pytest.mark.parametrize("name", ["film", "transport", "rotated", "sound_with_cover"])
def test_a_plan_is_the_same_every_time_and_after_being_stored(name):
    plan = plan_clip(name)
    assert plan == plan_clip(name)
    assert Plan.from_json(plan.to_json()) == plan


def test_a_plan_that_was_stored_before_indexes_were_kept_is_still_read():
    plan = plan_clip("film")
    stored = json.loads(plan.to_json())
    del stored["places"]
    assert Plan.from_json(json.dumps(stored).encode()) == plan


def test_the_timeline_follows_the_keyframes():
    plan = plan_clip("film")
    ticks = plan.probe.video.time_base
    assert [cut * ticks for cut in plan.timeline] == [Fraction(1001 * frames, 24_000) for frames in (0, 24, 48, 96, 192, 216)]
    assert plan.entries == (0, 0, *plan.timeline[2:-1])
    assert plan.probe.duration == pytest.approx(9.009)


def test_the_origin_is_the_earliest_start_of_what_is_used():
    plan = plan_clip("late_start")
    starts = [plan.probe.video.start * plan.probe.video.time_base]
    starts += [sound.start * sound.time_base for sound in plan.probe.audio]
    assert plan.origin == min(starts) > 7


def test_sound_alone_has_no_video_timeline():
    plan = plan_clip("sound_with_cover")
    assert (plan.timeline, plan.renditions, plan.entries) == ((), (), ())
    assert len(plan.audio_tracks) == 1


def test_limits_are_checked():
    with pytest.raises(LimitExceeded, match="pixels"):
        plan_clip("half_second", max_pixels=192 * 108 - 1)
    with pytest.raises(LimitExceeded, match="seconds"):
        plan_clip("even", max_duration=8)
    assert plan_clip("even", max_duration=9, max_pixels=192 * 108).timeline


@pytest.mark.parametrize("name", ["heavy", "heavy_front"])
def test_the_pictures_of_an_mp4_are_not_fetched_to_find_their_times(name):
    data = clips.clip(name).read_bytes()
    file = CountingFile(data)
    times = read_pictures(file, "mov", 0).pictures
    assert [time.is_keyframe for time in times] == [number % 30 == 0 for number in range(len(times))]
    assert len(times) == 240
    assert file.read_bytes < len(data) / 3


@pytest.mark.parametrize("name", ["front", "fragmented", "film_mkv", "transport", "flash", "mjpeg_avi"])
def test_a_truncated_file_is_planned_as_far_as_it_goes(name):
    data = clips.clip(name).read_bytes()
    demuxer = clips.demuxer_of(clips.clip(name))
    whole = plan_file(io.BytesIO(data), demuxer)
    cut = plan_file(io.BytesIO(data[: len(data) * 6 // 10]), demuxer)
    assert cut.timeline[0] == whole.timeline[0]
    assert whole.timeline[0] < cut.timeline[-1] < whole.timeline[-1]


def test_an_mp4_that_lost_its_index_is_corrupt():
    data = clips.clip("film").read_bytes()
    with pytest.raises(CorruptMedia):
        plan_file(io.BytesIO(data[: len(data) // 2]), "mov")


def test_a_stream_that_begins_between_keyframes_starts_at_its_first_keyframe():
    data = clips.clip("transport").read_bytes()
    whole = plan_clip("transport")
    late = plan_file(io.BytesIO(data[188 * (len(data) // 188 // 3) :]), "mpegts")
    assert late.timeline[-1] == whole.timeline[-1]
    assert whole.timeline[0] < late.timeline[0]
