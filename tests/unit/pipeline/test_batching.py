"""How work is cut into tasks: the beginning first, everything once, and no task longer than it may be at any source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinora.media.plan import Plan
from kinora.model import SegmentId, StageName
from kinora.pipeline.batching import batches, send_encode_tasks
from kinora.pipeline.plans import load_plan
from tests.house import House, house
from tests.unit.media import clips

HOUR = 3600
SEGMENT_SECONDS = 4


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> House:
    with house(tmp_path_factory.mktemp("house"), ladder="90") as made:
        made.ingest(made.put("even.mp4", clips.clip("even").read_bytes()))
        made.work("prepare")
        yield made


def film_of(home: House, width: int, height: int) -> Plan:
    """An hour of pictures of that size with the small ladder of a small original."""
    plan = load_plan(home.services, home.job().hash)
    source = plan.probe.video
    ticks = int(SEGMENT_SECONDS / source.time_base)
    timeline = tuple(n * ticks for n in range(HOUR // SEGMENT_SECONDS + 1))
    return replace(plan, timeline=timeline, probe=replace(plan.probe, video=replace(source, width=width, height=height)))


def tasks_for(home: House, plan: Plan) -> list[tuple[int, int]]:
    """The runs of segments that are sent, in order; the queue is empty afterwards."""
    for message in home.services.queues.receive("encode", 1000):
        home.services.queues.delete("encode", message.receipt)
    send_encode_tasks(home.services, home.job(), plan)
    runs = [(body["first"], body["stop"]) for body in home.waiting("encode") if body["task"] == "encode"]
    while messages := home.services.queues.receive("encode", 10):
        for message in messages:
            home.services.queues.delete("encode", message.receipt)
    return runs


def test_a_large_source_makes_small_tasks_however_small_its_renditions_are(home):
    small = tasks_for(home, film_of(home, 192, 108))
    large = tasks_for(home, film_of(home, 3840, 2160))
    assert max(stop - first for first, stop in small) > 200
    seconds = home.services.settings.task_seconds
    decoding = 3840 * 2160 * 30 * SEGMENT_SECONDS * 5e-9
    assert 0.5 * seconds < max(stop - first for first, stop in large) * decoding <= seconds


def test_every_segment_that_is_not_marked_is_in_one_task_and_the_first_ones_are_short(home):
    plan = film_of(home, 192, 108)
    (track,) = (one.track for one in plan.renditions)
    done = {0, 5, 6, 899}
    home.services.jobs.mark_segments(home.job().id, StageName.VIDEO, [SegmentId(track, n) for n in done])
    runs = tasks_for(home, plan)
    numbers = [n for first, stop in runs for n in range(first, stop)]
    assert sorted(numbers) == numbers == [n for n in range(900) if n not in done]
    assert [stop - first for first, stop in runs[:2]] == [1, 1]


def test_runs_are_of_consecutive_numbers():
    assert list(batches([1, 2, 3, 7, 8, 20], 2)) == [(1, 3), (3, 4), (7, 9), (20, 21)]
    assert list(batches([], 5)) == []
