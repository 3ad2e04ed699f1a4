"""Sound and pictures that do not end together: players go on to the end of both, and find both wherever they seek."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from kinora.media import audio, segment
from kinora.media.plan import Plan
from kinora.media.timeline import Timeline, hold_last
from tests.unit.media import clips
from tests.unit.media.test_plan import plan_clip


def sound_end(plan: Plan) -> Fraction:
    (track,) = plan.audio_tracks
    return Fraction(track.offset + plan.audio_timeline[track.name][-1] * track.frame_samples, track.sample_rate)


def picture_end(plan: Plan) -> Fraction:
    return plan.timeline[-1] * plan.probe.video.time_base - plan.origin


def pictures(name: str, plan: Plan, n: int) -> list[np.ndarray]:
    with clips.clip(name).open("rb") as file:
        (_, init), *_ = segment.init_segments(file, plan)
        data = init + segment.encode(file, plan, plan.renditions[0].name, n)
    with av.open(io.BytesIO(data)) as container:
        return [picture.to_ndarray(format="gray") for picture in container.decode(video=0)]


@pytest.mark.parametrize("name", ["sound_longer", "sound_shorter", "sound_with_one_picture"])
def test_both_end_together(name):
    plan = plan_clip(name)
    assert abs(sound_end(plan) - picture_end(plan)) < Fraction(1, 20)
    assert all((after - before) * plan.probe.video.time_base <= 10 for before, after in pairwise(plan.timeline))


def test_the_last_picture_stays_as_long_as_there_is_sound():
    plan = plan_clip("sound_longer")
    count = len(plan.timeline) - 1
    real = next(n for n in range(count) if plan.timeline[n + 1] * plan.probe.video.time_base >= 2)
    first, *_, last = (one.astype(int) for one in pictures("sound_longer", plan, real))
    assert abs(first - last).mean() > 6
    for n in range(real + 1, count):
        (held,) = pictures("sound_longer", plan, n)
        assert abs(held.astype(int) - last).mean() < 6


def test_sound_that_has_ended_is_silence():
    plan = plan_clip("sound_shorter")
    (track,) = plan.audio_tracks
    with clips.clip("sound_shorter").open("rb") as file:
        init = audio.init_segment(file, plan, track.track)
        data = init + audio.encode(file, plan, track.track, plan.segment_count(track.track) - 1)
    with av.open(io.BytesIO(data)) as container:
        assert max(abs(frame.to_ndarray()).max() for frame in container.decode(audio=0)) < 1e-3


def test_pictures_are_not_reordered_where_a_decoder_would_wait_for_them():
    delays = {name: plan_clip(name).renditions[0].delay for name in ("slow", "one_frame", "even")}
    assert delays["slow"] == delays["one_frame"] == 0 < delays["even"]


@pytest.mark.parametrize(
    ("stop", "cuts"), [("10.5", (0, 500, 1050)), ("12", (0, 500, 1000, 1200)), ("19", (0, 500, 1000, 1450, 1900))]
)
def test_a_timeline_that_is_held(stop, cuts):
    held = hold_last(Timeline((0, 500, 1000), (0, 400)), Fraction(stop), Fraction(1, 100))
    assert held.cuts == cuts
    assert held.entries == (0, *[400] * (len(cuts) - 2))
