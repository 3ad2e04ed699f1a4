"""How much of a long original is fetched from storage: to plan it, and to make one segment of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from kinora.media import audio, segment
from kinora.media.plan import Plan
from kinora.media.planning import make_plan
from kinora.storage.reader import BUFFER_BYTES
from tests.unit.media import clips
from tests.unit.media.long_clips import SECONDS, CountingReader, long_clip

INDEXED = ["mp4", "mp4_front", "mkv", "mkv_simple", "avi"]
SCANNED = ["mkv_live", "flv", "ts", "ts_wrapped"]


@cache
def planned(name: str) -> tuple[Plan, int, int]:
    """The plan, how many bytes were fetched for it, and the file's size."""
    path = long_clip(name)
    with CountingReader(path) as reader:
        plan = make_plan(reader, clips.demuxer_of(path), "0" * 64, ladder=(360, 64), max_duration=3600, max_pixels=10**6)
        return plan, reader.fetched, reader.size


def most_for_a_segment(plan: Plan, size: int) -> int:
    """Twice what is stored in the time of the longest segment, and read-ahead at every place that is looked at."""
    longest = max(after - before for before, after in zip(plan.timeline, plan.timeline[1:], strict=False))
    own = size * float(longest * plan.probe.video.time_base) / SECONDS
    return round(2 * own) + 20 * BUFFER_BYTES


@pytest.mark.parametrize("name", INDEXED)
def test_planning_reads_the_index_and_a_few_places(name):
    plan, fetched, size = planned(name)
    assert fetched < size / 4
    assert abs(plan.probe.duration - SECONDS) < 2


@pytest.mark.parametrize("name", SCANNED)
def test_what_has_no_index_is_read_about_once(name):
    plan, fetched, size = planned(name)
    assert size <= fetched < size * 1.2
    assert abs(plan.probe.duration - SECONDS) < 2


@pytest.mark.parametrize("name", INDEXED + SCANNED)
def test_a_segment_reads_its_own_neighbourhood(name):
    plan, _, size = planned(name)
    most = most_for_a_segment(plan, size)
    n = len(plan.timeline) * 9 // 10
    with CountingReader(long_clip(name)) as reader:
        assert segment.encode(reader, plan, plan.renditions[-1].name, n)
        assert reader.fetched < most
    with CountingReader(long_clip(name)) as reader:
        assert audio.encode(reader, plan, plan.audio_tracks[0].track, n)
        assert reader.fetched < most


@pytest.mark.parametrize("name", ["mkv_simple", "mkv_live", "flv", "ts"])
def test_a_copied_segment_reads_its_own_neighbourhood(name):
    plan, _, size = planned(name)
    top = plan.renditions[0]
    assert (plan.not_copied, top.copied) == ("", True)
    with CountingReader(long_clip(name)) as reader:
        assert segment.encode(reader, plan, top.name, len(plan.timeline) // 2)
        assert reader.fetched < most_for_a_segment(plan, size)


@pytest.mark.parametrize("name", ["mkv_live", "flv"])
def test_an_index_that_is_kept_changes_no_segment(name):
    plan = planned(name)[0]
    assert plan.places
    assert Plan.from_json(plan.to_json()) == plan
    without = replace(plan, places=())
    n = len(plan.timeline) - 3
    with CountingReader(long_clip(name)) as reader:
        for rendition in plan.renditions:
            assert segment.encode(reader, plan, rendition.name, n) == segment.encode(reader, without, rendition.name, n)
        track = plan.audio_tracks[0].track
        assert audio.encode(reader, plan, track, n) == audio.encode(reader, without, track, n)


def test_segments_are_the_same_behind_a_clock_that_starts_again_from_zero():
    (plain, _, _), (wrapped, _, _) = planned("ts"), planned("ts_wrapped")
    assert [cut - plain.timeline[0] for cut in plain.timeline] == [cut - wrapped.timeline[0] for cut in wrapped.timeline]
    n = len(plain.timeline) * 3 // 4
    assert (wrapped.timeline[n] * wrapped.probe.video.time_base) > 2**33 / 90_000
    with CountingReader(long_clip("ts")) as one, CountingReader(long_clip("ts_wrapped")) as other:
        for rendition in plain.renditions:
            assert segment.encode(one, plain, rendition.name, n) == segment.encode(other, wrapped, rendition.name, n)
        track = plain.audio_tracks[0].track
        assert audio.encode(one, plain, track, n) == audio.encode(other, wrapped, track, n)
