"""Bit rates that were measured (draft-pantos-hls-rfc8216bis §4.4.6.2); called once all segments of a stream exist. Arithmetic only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate
from math import ceil

from kinora.media.plan import Plan

_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """In bits per second: `peak` is what no segment, and no run of about a target duration, exceeds."""

    peak: int
    average: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of a plan: the rates of every complete track, and of its I-frame playlist if there is one, by track."""

    tracks: Mapping[str, Rates] = field(default_factory=dict)
    i_frames: Mapping[str, Rates] = field(default_factory=dict)


def measured_rates(sizes: Sequence[int], durations: Sequence[int]) -> Rates:
    """The rates of segments of these sizes in bytes and durations in microseconds.

    The peak is taken over all runs of segments that last from a half to one and a half times the longest segment, and over
    single ones however short they are: no segment exceeds it, either.
    """
    ends = [0, *accumulate(durations)]
    bits = [0, *accumulate(8 * size for size in sizes)]
    target = max(durations)
    peak = Fraction(0)
    for first in range(len(sizes)):
        for stop in range(first + 1, len(sizes) + 1):
            length = ends[stop] - ends[first]
            if 2 * length > 3 * target and stop > first + 1:
                break
            if length and (2 * length >= target or stop == first + 1):
                peak = max(peak, Fraction((bits[stop] - bits[first]) * _SECOND, length))
    return Rates(ceil(peak), ceil(Fraction(bits[-1] * _SECOND, max(ends[-1], 1))))


def with_measured_peaks(plan: Plan, measured: Measured) -> Plan:
    """The plan with what was measured in place of the bounds; tracks that are not complete keep theirs."""
    peaks = {track: rates.peak for track, rates in measured.tracks.items()}
    return replace(
        plan,
        renditions=tuple(replace(one, bandwidth=peaks.get(one.track, one.bandwidth)) for one in plan.renditions),
        audio_tracks=tuple(replace(one, bandwidth=peaks.get(one.track, one.bandwidth)) for one in plan.audio_tracks),
    )


def average(choices: Sequence[Sequence[str]], measured: Measured) -> int | None:
    """The average of one track of each of `choices`, the largest that can be chosen; None unless all of them are measured."""
    rates = [[measured.tracks.get(track) for track in tracks] for tracks in choices]
    if any(one is None for tracks in rates for one in tracks):
        return None
    return sum(max(one.average for one in tracks if one is not None) for tracks in rates)
