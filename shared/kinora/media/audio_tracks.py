"""Decides which audio tracks an output gets and where their segments begin; called by planning through `audio.plan_tracks`.

Decodes only the end of a stream: to know that it can be decoded, and where it really ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import BinaryIO

from kinora.errors import CorruptMedia, LimitExceeded
from kinora.media.audio_decode import AudioInput, decode_stretch, open_audio
from kinora.media.plan import AAC_FRAME, AudioSource, AudioTrack, Probe

RATES = (44_100, 48_000)  # what every player takes for AAC-LC; lower ones can be mistaken for HE-AAC
_BIT_RATES = {1: 80_000, 2: 128_000}  # bits per second by channels
# The rate of the worst second, headers included: noise that sets in after silence, which the encoder's control meets late.
_BANDWIDTHS = {1: 200_000, 2: 180_000}
_SEGMENT = Fraction(6)  # seconds, where no video says where to cut
_LONGEST, _SHORTEST = Fraction(10), Fraction(1)  # seconds
_OVERRUN = 10  # how many times longer than declared a stream may turn out to be
_TAILS = (2, 10, 60, 600)  # seconds before the declared end in which the true end is looked for


def plan_tracks(
    file: BinaryIO, probe: Probe, origin: Fraction, video_cuts: Sequence[Fraction]
) -> tuple[tuple[AudioTrack, ...], dict[str, tuple[int, ...]]]:
    """The audio tracks of the output and, by track name, their boundaries in frames of 1,024 samples (0 first, the count last).

    `origin` is in seconds of the source, `video_cuts` (first and last boundary included; empty without video) in seconds
    from it.
    Raises CorruptMedia if a stream that should become a track cannot be decoded at all, LimitExceeded if it goes on far
    beyond the declared end.
    """
    tracks: list[AudioTrack] = []
    timelines: dict[str, tuple[int, ...]] = {}
    for source in _chosen(probe):
        track = _planned(source)
        with open_audio(file, probe.container, source.index) as stream:
            end = _true_end(stream, source)
        if end - origin > _OVERRUN * max(Fraction(probe.duration), Fraction(60)):
            raise LimitExceeded(f"audio until {float(end - origin):.0f} s in an original of {probe.duration:.0f} s")
        count = _frame_count(end - origin, track.sample_rate, source.time_base)
        if count > 0:
            tracks.append(track)
            timelines[track.name] = _cuts(count, Fraction(AAC_FRAME, track.sample_rate), video_cuts)
    return tuple(tracks), timelines


def _chosen(probe: Probe) -> Sequence[AudioSource]:
    return sorted(probe.audio, key=lambda one: not one.default)[:1]


def _planned(source: AudioSource) -> AudioTrack:
    if not 1_000 <= source.sample_rate <= 768_000 or source.channels < 1:
        raise CorruptMedia(f"audio with {source.sample_rate} Hz and {source.channels} channels")
    channels = min(source.channels, 2)
    language = re.sub(r"[^A-Za-z0-9-]", "", source.language)[:35] or "und"
    return AudioTrack(
        name=f"{language}_aac_{channels}ch",
        codec="aac",
        source_index=source.index,
        channels=channels,
        sample_rate=_rate_for(source.sample_rate),
        bit_rate=_BIT_RATES[channels],
        codecs="mp4a.40.2",
        bandwidth=_BANDWIDTHS[channels],
        language=language,
        title=source.title,
        default=True,
    )


def _rate_for(rate: int) -> int:
    """The source's own rate if players take it, else the one in the simpler ratio to it (88.2 kHz becomes 44.1 kHz)."""
    return min(RATES, key=lambda one: (Fraction(one, rate).denominator, -one))


def _frame_count(length: Fraction, rate: int, tick: Fraction) -> int:
    """Frames that hold `length` seconds; what rounded timestamps may have added does not begin another one."""
    samples = round((length - max(tick - Fraction(1, rate), Fraction(0))) * rate)
    return -(-samples // AAC_FRAME)


def _true_end(stream: AudioInput, source: AudioSource) -> Fraction:
    """Where the last decodable sample ends, in seconds: containers round, guess, or know only the longest stream's end."""
    start, end = (ticks * source.time_base for ticks in (source.start, source.end))
    for tail in (*_TAILS, end - start):
        found = max(_ends(stream, max(start, end - tail)), default=None)
        if found is not None:
            return found
    raise CorruptMedia(f"audio stream {source.index} cannot be decoded")


def _ends(stream: AudioInput, start: Fraction) -> Iterator[Fraction]:
    """The end of each decoded frame; one without a timestamp follows the one before."""
    at: Fraction | None = None
    for one in decode_stretch(stream, start, None):
        at = at if one.time is None else one.time
        if at is not None:
            at += Fraction(one.frame.samples, one.frame.sample_rate)
            yield at


def _cuts(count: int, frame: Fraction, wanted: Sequence[Fraction]) -> tuple[int, ...]:
    """Boundaries near the wanted ones, in frames; where these are far apart or absent, about every 6 s."""
    least, most = round(_SHORTEST / frame), round(_LONGEST / frame) + 1
    cuts = [0]
    for target in [*(round(cut / frame) for cut in wanted[1:-1]), count]:
        at = min(target, count)
        if at - cuts[-1] > most:
            pieces = round((at - cuts[-1]) * frame / _SEGMENT)
            cuts += [cuts[-1] + (at - cuts[-1]) * piece // pieces for piece in range(1, pieces)]
        if cuts[-1] < at < count and count - at >= least:
            cuts.append(at)
    return (*cuts, count)
