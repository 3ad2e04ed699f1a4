"""Makes the plan of one original: probe, limits, timeline, renditions, audio tracks. Called by prepare, once per content.

The same original and ladder give the same plan; no picture but the first is decoded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import BinaryIO

from kinora.errors import CorruptMedia, LimitExceeded
from kinora.media import audio
from kinora.media.av1 import with_true_codecs
from kinora.media.index import PictureIndex, PictureTime, read_pictures
from kinora.media.kept_index import places_to_keep
from kinora.media.ladder import choose_renditions, in_av1
from kinora.media.new_beginning import Place
from kinora.media.plan import PLAN_VERSION, AudioTrack, Plan, Probe, Rendition, VideoSource
from kinora.media.probe import probe
from kinora.media.subtitles import plan_subtitles
from kinora.media.timeline import Timeline, cut_timeline, durations, hold_last
from kinora.media.video_copy import Refusal, VideoCopy, find_video_copy

_LONGEST_LACK = Fraction(1, 4)  # seconds by which pictures may end before the sound
_FASTEST = Fraction(240)  # frames per second for which rates are planned
_RATE_TOLERANCE = Fraction(1, 100)


def make_plan(
    file: BinaryIO,
    demuxer: str,
    content_hash: str,
    *,
    ladder: Sequence[int],
    max_duration: int,
    max_pixels: int,
    codecs: Sequence[str] = ("h264",),
    audio_codecs: Sequence[str] = ("aac",),
) -> Plan:
    """Plan the original. `ladder` are short edges in pixels, `max_duration` is in seconds, `max_pixels` width by height.

    Raises LimitExceeded, UnsupportedMedia, CorruptMedia.
    """
    found = probe(file, demuxer)
    _check_limits(found.video, found.duration, max_duration, max_pixels)
    timeline = Timeline((), ())
    copy: VideoCopy | Refusal | None = None
    places: tuple[Place, ...] = ()
    if found.video is not None:
        found, timeline, copy, places = _cut(file, demuxer, found, found.video, ladder)
    origin = _origin(found)
    video_cuts = [cut * found.video.time_base - origin for cut in timeline.cuts] if found.video else []
    _check_limits(found.video, found.duration, max_duration, max_pixels)
    audio_tracks, audio_timeline = audio.plan_tracks(file, found, origin, video_cuts, audio_codecs, places)
    renditions: tuple[Rendition, ...] = ()
    if found.video is not None and copy is not None:
        timeline = _as_long_as_sound(timeline, found.video, origin, audio_tracks, audio_timeline)
        renditions = _renditions(found.video, timeline, ladder, copy, codecs)
    return Plan(
        version=PLAN_VERSION,
        hash=content_hash,
        probe=found,
        origin=origin,
        timeline=timeline.cuts,
        renditions=renditions,
        audio_tracks=audio_tracks,
        audio_timeline=audio_timeline,
        entries=timeline.entries,
        subtitles=plan_subtitles(file, demuxer),
        not_copied=copy.value if isinstance(copy, Refusal) else "",
        places=places,
    )


def _cut(
    file: BinaryIO, demuxer: str, found: Probe, video: VideoSource, ladder: Sequence[int]
) -> tuple[Probe, Timeline, VideoCopy | Refusal, tuple[Place, ...]]:
    """What the timeline says about the video, the timeline, whether the video can be copied (only then it keeps to the
    keyframes where shorter segments would play sooner), and the index to keep."""
    index = read_pictures(file, demuxer, video.index)
    pictures = index.pictures
    timeline = _timeline(video, pictures, at_keyframes=True)
    found = _as_measured(found, video, timeline, index)
    copy = find_video_copy(file, demuxer, found.video or video, timeline, pictures, ladder)
    if not isinstance(copy, VideoCopy):
        timeline = _timeline(video, pictures, at_keyframes=False)
    return found, timeline, copy, places_to_keep(demuxer, index.places, timeline.entries)


def _copied(rendition: Rendition, copy: VideoCopy) -> Rendition:
    return replace(rendition, copied=True, codecs=copy.codecs, bandwidth=copy.bandwidth, delay=copy.delay)


def _in_av1(video: VideoSource, renditions: Sequence[Rendition], durations: Sequence[Fraction]) -> tuple[Rendition, ...]:
    twins = (in_av1(one, durations) for one in renditions)
    return tuple(with_true_codecs(video, twin) for twin in twins if twin)


def _renditions(
    video: VideoSource, timeline: Timeline, ladder: Sequence[int], copy: VideoCopy | Refusal, codecs: Sequence[str]
) -> tuple[Rendition, ...]:
    """The H.264 rungs, the top one copied where that is exact; then the same rungs in AV1 if it is asked for."""
    frame_rate = video.frame_rate or Fraction(1)
    lengths = durations(timeline.cuts, video.time_base)
    encoded = choose_renditions(video, frame_rate, ladder, lengths, with_own_size=isinstance(copy, VideoCopy))
    renditions = (_copied(encoded[0], copy), *encoded[1:]) if isinstance(copy, VideoCopy) else encoded
    return renditions + _in_av1(video, encoded, lengths) if "av1" in codecs else renditions


def _check_limits(video: VideoSource | None, duration: float, max_duration: int, max_pixels: int) -> None:
    if video is not None and video.width * video.height > max_pixels:
        raise LimitExceeded(f"{video.width} × {video.height} pixels are more than {max_pixels}")
    if duration > max_duration:
        raise LimitExceeded(f"{duration:.0f} seconds are more than {max_duration}")


def _timeline(video: VideoSource, pictures: Sequence[PictureTime], *, at_keyframes: bool) -> Timeline:
    timeline = cut_timeline(pictures, video.start, video.time_base, video.frame_rate, at_keyframes=at_keyframes)
    if timeline is None:
        raise CorruptMedia("no picture is shown", public_message="No picture of the video can be decoded.")
    return timeline


def _as_measured(found: Probe, video: VideoSource, timeline: Timeline, index: PictureIndex) -> Probe:
    """What the container claims about times, replaced by what is there."""
    start, end = timeline.cuts[0], timeline.cuts[-1]
    rate = _measured_rate(index, start, end) / video.time_base
    declared = video.frame_rate
    if declared is None or abs(declared - rate) > declared * _RATE_TOLERANCE:
        declared = rate.limit_denominator(1001)
    declared = min(max(declared, Fraction(1, 1001)), _FASTEST)
    measured = replace(video, start=start, end=end, frame_rate=declared)
    seconds = max(float((end - start) * video.time_base), found.duration if found.audio else 0.0)
    return replace(found, video=measured, duration=seconds)


def _measured_rate(index: PictureIndex, start: int, end: int) -> Fraction:
    """Pictures per tick from `start` to `end`, or in those stretches of it of which all pictures are known."""
    stretches = [(max(first, start), stop) for first, stop in index.stretches if stop > start] or [(start, end)]
    shown = sorted(picture.pts for picture in index.pictures if picture.is_shown)
    count = sum(bisect_left(shown, stop) - bisect_left(shown, first) for first, stop in stretches)
    return Fraction(count, sum(stop - first for first, stop in stretches))


def _as_long_as_sound(
    timeline: Timeline,
    video: VideoSource,
    origin: Fraction,
    tracks: Sequence[AudioTrack],
    audio_timeline: Mapping[str, Sequence[int]],
) -> Timeline:
    """Where sound goes on after the last picture that one stays: players end with the pictures."""
    ends = [Fraction(one.offset + audio_timeline[one.name][-1] * one.frame_samples, one.sample_rate) for one in tracks]
    stop = origin + max(ends, default=Fraction(0))
    lacks = stop - timeline.cuts[-1] * video.time_base > _LONGEST_LACK
    return hold_last(timeline, stop, video.time_base) if lacks else timeline


def _origin(found: Probe) -> Fraction:
    starts = [stream.start * stream.time_base for stream in found.audio]
    if found.video is not None:
        starts.append(found.video.start * found.video.time_base)
    return min(starts)
