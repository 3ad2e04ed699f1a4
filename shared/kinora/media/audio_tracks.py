"""Decides which audio tracks an output gets and where their segments begin; called by planning through `audio.plan_tracks`.

Decodes only the end of a stream (and, to copy it, its beginning): to know that it can be decoded, and where it really ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import BinaryIO

from kinora.errors import CorruptMedia, KinoraError, LimitExceeded
from kinora.media.audio_copy import find_copy
from kinora.media.audio_decode import AudioInput, open_audio
from kinora.media.audio_opus import RATE as OPUS_RATE
from kinora.media.audio_span import cut, frame_count, true_end
from kinora.media.languages import bcp47, container_tag
from kinora.media.new_beginning import Place
from kinora.media.plan import AudioSource, AudioTrack, Probe

RATES = (44_100, 48_000)  # what every player takes for AAC-LC; lower ones can be mistaken for HE-AAC
_MOST_STREAMS = 8
_MOST_CHANNELS = 64  # what FFmpeg resamples
_SURROUND = 6  # channels
_BIT_RATES = {1: 80_000, 2: 128_000, _SURROUND: 320_000}  # bits per second by channels
# The rate of the worst second, headers included: noise that sets in after silence, which the encoder's control meets late.
_BANDWIDTHS = {1: 200_000, 2: 180_000, _SURROUND: 480_000}
_OPUS_BIT_RATES = {1: 64_000, 2: 96_000}
_OPUS_BANDWIDTHS = {1: 120_000, 2: 170_000}
_LONGEST_LACK = Fraction(1, 4)  # seconds by which sound may end before the pictures
_OVERRUN = 10  # how many times longer than declared a stream may turn out to be

Planned = tuple[AudioTrack, tuple[int, ...]]


def plan_tracks(
    file: BinaryIO,
    probe: Probe,
    origin: Fraction,
    video_cuts: Sequence[Fraction],
    codecs: Sequence[str] = ("aac",),
    places: Sequence[Place] = (),
) -> tuple[tuple[AudioTrack, ...], dict[str, tuple[int, ...]]]:
    """The audio tracks of the output, the default ones first, and by track name their boundaries in frames (0 first, the count
    last).

    `origin` is in seconds of the source, `video_cuts` (first and last boundary included; empty without video) in seconds
    from it, `places` the index that is kept in the plan. Every stream becomes a mono or stereo track in each of the `codecs`,
    surround sound another one in AAC; a stream that cannot be decoded, or goes on far beyond the declared end, is left out.
    Raises CorruptMedia or LimitExceeded if that leaves nothing to play.
    """
    planned: list[Planned] = []
    reason: KinoraError | None = None
    for source in _chosen(probe):
        try:
            with open_audio(file, probe.container, source.index, places) as stream:
                planned += _outputs(file, probe, source, stream, origin, video_cuts, codecs)
        except (CorruptMedia, LimitExceeded) as error:
            reason = reason or error
    if reason is not None and not planned and probe.video is None:
        raise reason
    named = _with_default(_named(planned), probe)
    return tuple(track for track, _ in named), {track.name: cuts for track, cuts in named}


def _chosen(probe: Probe) -> Sequence[AudioSource]:
    """The streams in the original's order; where there are too many, default ones win."""
    chosen = sorted(probe.audio, key=lambda one: not one.default)[:_MOST_STREAMS]
    return sorted(chosen, key=lambda one: one.index)


def _outputs(
    file: BinaryIO,
    probe: Probe,
    source: AudioSource,
    stream: AudioInput,
    origin: Fraction,
    video_cuts: Sequence[Fraction],
    codecs: Sequence[str],
) -> list[Planned]:
    """What is made from one stream; nothing if it ends before the origin."""
    if not 1_000 <= source.sample_rate <= 768_000 or not 1 <= source.channels <= _MOST_CHANNELS:
        raise CorruptMedia(f"audio with {source.sample_rate} Hz and {source.channels} channels")
    made: list[Planned] = []
    listed = len(stream.stream.index_entries)
    end = true_end(stream, source, Fraction(probe.duration))
    if end - origin > _OVERRUN * max(Fraction(probe.duration), Fraction(60)):
        raise LimitExceeded(f"audio until {float(end - origin):.0f} s in an original of {probe.duration:.0f} s")
    for wanted in _tracks(source, codecs):
        track = wanted
        copy = None
        if track.codec == "aac" and len(stream.stream.index_entries) == listed:  # not a table that grows as it is read
            copy = find_copy(file, stream, source, track.channels, origin, end)
        if copy is None:
            count = frame_count(end - origin, track.sample_rate, source.time_base, track.frame_samples)
        else:
            count = copy.frames
            track = replace(track, copied=True, offset=copy.offset, bit_rate=copy.bit_rate, bandwidth=copy.bandwidth)
        if count > 0:
            made.append(_beside_pictures(track, count, video_cuts))
    return made


def _beside_pictures(track: AudioTrack, count: int, video_cuts: Sequence[Fraction]) -> Planned:
    """The track with `count` frames, or with silence up to the end of the pictures: a player that seeks waits for both."""
    seconds = Fraction(track.frame_samples, track.sample_rate)
    heard = Fraction(track.offset, track.sample_rate) + count * seconds
    if video_cuts and video_cuts[-1] - heard > _LONGEST_LACK:
        track = replace(track, silent_from=track.offset + count * track.frame_samples)
        count += ceil((video_cuts[-1] - heard) / seconds)
    return track, cut(count, track, video_cuts)


def _tracks(source: AudioSource, codecs: Sequence[str]) -> list[AudioTrack]:
    """Surround is kept where there are five speakers or more whose places are known."""
    tracks = [_track(source, codec, min(source.channels, 2)) for codec in codecs]
    if source.channels >= _SURROUND - 1 and "channels" not in source.layout:
        tracks.append(_track(source, "aac", _SURROUND))
    return tracks


def _track(source: AudioSource, codec: str, channels: int) -> AudioTrack:
    is_opus = codec == "opus"
    return AudioTrack(
        name=f"{container_tag(source.language)}_{codec}_{channels}ch",
        codec=codec,
        source_index=source.index,
        channels=channels,
        sample_rate=OPUS_RATE if is_opus else _rate_for(source.sample_rate),
        bit_rate=(_OPUS_BIT_RATES if is_opus else _BIT_RATES)[channels],
        codecs="opus" if is_opus else "mp4a.40.2",
        bandwidth=(_OPUS_BANDWIDTHS if is_opus else _BANDWIDTHS)[channels],
        language=bcp47(source.language),
        title=source.title,
        default=False,
        role=source.role,
    )


def _rate_for(rate: int) -> int:
    """The source's own rate if players take it, else the one in the simpler ratio to it (88.2 kHz becomes 44.1 kHz)."""
    return min(RATES, key=lambda one: (Fraction(one, rate).denominator, -one))


def _named(planned: Sequence[Planned]) -> list[Planned]:
    """Different names: the second `eng_aac_2ch` is `eng_aac_2ch_2`."""
    counts: dict[str, int] = {}
    named: list[Planned] = []
    for track, cuts in planned:
        counts[track.name] = count = counts.get(track.name, 0) + 1
        named.append((replace(track, name=f"{track.name}_{count}") if count > 1 else track, cuts))
    return named


def _with_default(planned: Sequence[Planned], probe: Probe) -> list[Planned]:
    """The tracks of exactly one stream are default: of the first that the original marks so, else of the first."""
    marked = {source.index for source in probe.audio if source.default and not source.role}
    indices = [track.source_index for track, _ in planned]
    default = next((index for index in indices if index in marked), indices[0] if indices else None)
    chosen = [(replace(track, default=track.source_index == default), cuts) for track, cuts in planned]
    return sorted(chosen, key=lambda one: not one[0].default)
