from __future__ import annotations

from fractions import Fraction

import pytest
from av.audio.frame import AudioFrame

from kinora.media.audio_clock import position_of, split_into_runs
from kinora.media.audio_decode import Decoded

RATE = 44_100
MILLISECOND = Fraction(1, 1000)


def frames(times: list[Fraction | None], *, size: int = 1024, lost_before: int | None = None) -> list[Decoded]:
    made = []
    for n, time in enumerate(times):
        frame = AudioFrame("fltp", "stereo", size)
        frame.sample_rate = RATE
        made.append(Decoded(frame, time, after_loss=n == lost_before))
    return made


def exact(first: int, count: int, *, size: int = 1024) -> list[Fraction]:
    return [Fraction((first + n) * size, RATE) for n in range(count)]


def rounded(times: list[Fraction]) -> list[Fraction]:
    return [Fraction(round(time * 1000), 1000) for time in times]


def floored(times: list[Fraction]) -> list[Fraction]:
    return [Fraction(int(time * 1000), 1000) for time in times]


@pytest.mark.parametrize("stamp", [rounded, floored])
@pytest.mark.parametrize("first", [0, 1, 7, 1000, 123_457])
def test_timestamps_in_milliseconds_give_whole_frames_wherever_reading_begins(stamp: object, first: int) -> None:
    (run,) = split_into_runs(frames(stamp(exact(first, 60))), Fraction(0))
    assert position_of(run, Fraction(0), MILLISECOND) == first * 1024


def test_exact_timestamps_are_taken_as_they_are() -> None:
    times = [time + Fraction(333, RATE) for time in exact(5, 20)]
    (run,) = split_into_runs(frames(times), Fraction(0))
    assert position_of(run, Fraction(0), Fraction(1, RATE)) == 5 * 1024 + 333


def test_positions_count_from_the_origin() -> None:
    (run,) = split_into_runs(frames(exact(10, 5)), Fraction(4 * 1024, RATE))
    assert position_of(run, Fraction(-4 * 1024, RATE), Fraction(1, RATE)) == 6 * 1024


def test_small_jitter_breaks_nothing() -> None:
    times = [time + Fraction((-1) ** n * 20, 1000) for n, time in enumerate(exact(0, 100))]
    (run,) = split_into_runs(frames(times), Fraction(0))
    assert abs(position_of(run, Fraction(0), MILLISECOND)) <= 0.001 * RATE


def test_a_clock_that_drifts_is_followed() -> None:
    drift = Fraction(1_000_200, 1_000_000)
    for first in (1_000, 10_000):
        (run,) = split_into_runs(frames([time * drift for time in exact(first, 100)]), Fraction(0))
        assert abs(position_of(run, Fraction(0), Fraction(1, 90_000)) - first * 1024 * drift) < 0.001 * RATE


@pytest.mark.parametrize("jump", [Fraction(3, 10), Fraction(-3, 10)])
def test_a_jump_begins_a_run_at_its_own_time(jump: Fraction) -> None:
    times = exact(0, 40)
    times[20:] = [time + jump for time in times[20:]]
    before, after = split_into_runs(frames(times), Fraction(0))
    assert before.samples == after.samples == 20 * 1024
    assert position_of(before, Fraction(0), Fraction(1, RATE)) == 0
    assert position_of(after, Fraction(0), Fraction(1, RATE)) == 20 * 1024 + jump * RATE


def test_a_loss_begins_a_run_however_short_it_was() -> None:
    times = exact(0, 10) + exact(11, 10)
    before, after = split_into_runs(frames(times, lost_before=10), Fraction(0))
    assert before.samples == 10 * 1024
    assert position_of(after, Fraction(0), Fraction(1, RATE)) == 11 * 1024


def test_frames_without_a_time_follow_those_before() -> None:
    times: list[Fraction | None] = [*exact(0, 10)]
    times[3] = times[4] = None
    (run,) = split_into_runs(frames(times), Fraction(0))
    assert run.samples == 10 * 1024
    assert position_of(run, Fraction(0), Fraction(1, RATE)) == 0


def test_frames_of_which_no_time_is_known_are_left_out() -> None:
    assert split_into_runs(frames([None, None]), Fraction(0)) == []


def test_a_trimmed_first_frame_does_not_move_the_others() -> None:
    whole = frames(exact(0, 10))
    trimmed = frames([Fraction(0)], size=400) + whole[1:]
    (run,) = split_into_runs(trimmed, Fraction(0))
    assert position_of(run, Fraction(0), Fraction(1, RATE)) == 624


def test_a_change_of_form_begins_a_run() -> None:
    mono = AudioFrame("fltp", "mono", 1024)
    mono.sample_rate = RATE
    runs = split_into_runs([*frames(exact(0, 3)), Decoded(mono, Fraction(3 * 1024, RATE), after_loss=False)], Fraction(0))
    assert [run.samples for run in runs] == [3 * 1024, 1024]
