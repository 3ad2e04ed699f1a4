"""The audio side of an output: plans tracks, writes their init segments, encodes any of their segments.

Called by planning and by the pipeline. Packets are copied where that is exact. A segment is a pure function of the original, the plan and its number: alone or in a
batch it has the same bytes. Joined segments decode to the source's samples in place, without edit lists: no delay, gap or drift.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from kinora.media import audio_opus
from kinora.media.audio_aac import encode_frames, write_init
from kinora.media.audio_copy import copy_packets
from kinora.media.audio_decode import AudioInput, open_audio
from kinora.media.audio_render import render
from kinora.media.audio_tracks import plan_tracks
from kinora.media.fragment import Sample, write_fragment
from kinora.media.plan import AudioSource, AudioTrack, Plan

__all__ = ["encode", "encode_batch", "init_segment", "plan_tracks"]

# The encoder hears two frames before a segment (its windows and its rate control settle) and one after (its last window
# reaches into it): joins are then as clean as the rest; with one frame before they are not, with more nothing is gained.
_PRE_ROLL, _POST_ROLL = 2, 1
# Opus predicts from what it has encoded: after a second its packets are those of an encoder that has heard everything.
_OPUS_PRE_ROLL = 50


def init_segment(file: BinaryIO, plan: Plan, track: str) -> bytes:  # noqa: ARG001 - the same call for every kind of track
    """The init segment of `track` (`audio/und_aac_2ch`); raises KeyError if the plan has no such track."""
    planned = _track(plan, track)
    if planned.codec == "opus":
        return audio_opus.write_init(planned.channels, planned.bit_rate)
    return write_init(planned.sample_rate, planned.channels, planned.bit_rate)


def encode(file: BinaryIO, plan: Plan, track: str, n: int) -> bytes:
    """Segment `n` of `track`; raises KeyError or IndexError if the plan does not have it, CorruptMedia if nothing opens."""
    return next(segment for _, _, segment in encode_batch(file, plan, track, n, n + 1))


def encode_batch(file: BinaryIO, plan: Plan, track: str, first: int, stop: int) -> Iterator[tuple[str, int, bytes]]:
    """Yield `(track, n, bytes)` for the segments `[first, stop)`, opening the original once.

    Damaged or missing stretches of the original are silence; errors of `file` itself pass unchanged.
    """
    planned = _track(plan, track)
    cuts = plan.audio_timeline[planned.name]
    if not 0 <= first < stop < len(cuts):
        raise IndexError(f"{track} has no segments {first} to {stop}")
    with open_audio(file, plan.probe.container, planned.source_index, plan.places) as source:
        for n in range(first, stop):
            yield track, n, _segment(file, source, plan, planned, n, (cuts[n], cuts[n + 1]))


def _segment(file: BinaryIO, source: AudioInput, plan: Plan, track: AudioTrack, n: int, frames: tuple[int, int]) -> bytes:
    begin, end = (track.offset + frame * track.frame_samples for frame in frames)
    packets = copy_packets(file, source, track, plan.origin, frames) if track.copied else None
    if packets is None:
        packets = _encoded(source, plan, track, (begin, end))
    samples = [Sample(begin + k * track.frame_samples, is_sync=True, data=packet) for k, packet in enumerate(packets)]
    return write_fragment(n + 1, samples, begin, end)


def _encoded(source: AudioInput, plan: Plan, track: AudioTrack, window: tuple[int, int]) -> list[bytes]:
    """The packets for the samples of `window`, counted from the origin."""
    size = track.frame_samples
    begin, end = window
    count = (end - begin) // size
    stream = _source(plan, track)
    is_opus = track.codec == "opus"
    heard = (begin - _OPUS_PRE_ROLL * size, end) if is_opus else (begin - _PRE_ROLL * size, end + _POST_ROLL * size)
    shift = audio_opus.LOOKAHEAD if is_opus else 0
    planes = render(source, track, plan.origin, stream.start * stream.time_base, (heard[0] + shift, heard[1] + shift))
    if is_opus:
        return audio_opus.encode_frames(planes, track.bit_rate, skip=_OPUS_PRE_ROLL, count=count)
    return encode_frames(planes, track.sample_rate, track.bit_rate, skip=_PRE_ROLL, count=count)


def _track(plan: Plan, track: str) -> AudioTrack:
    for one in plan.audio_tracks:
        if one.track == track:
            return one
    raise KeyError(track)


def _source(plan: Plan, track: AudioTrack) -> AudioSource:
    return next(one for one in plan.probe.audio if one.index == track.source_index)
