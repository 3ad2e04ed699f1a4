"""Makes the samples of any window of an audio track: 32-bit float planes at the track's rate; called by audio, encodes nothing.

The result is a pure function of the original, the plan and the window: what is missing is silence, what overlaps is trimmed.
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from kinora.media.audio_clock import Run, position_of, split_into_runs
from kinora.media.audio_decode import AudioInput, decode_stretch
from kinora.media.plan import AudioTrack

SAMPLE_BYTES = 4
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
_MARGIN = Fraction(1, 5)  # seconds read beyond the window: for the resampler's filter and for late timestamps


def render(
    source: AudioInput, track: AudioTrack, origin: Fraction, start: Fraction, window: tuple[int, int]
) -> list[bytearray]:
    """The planes of `track` for the samples `[window[0], window[1])`, sample 0 being `origin`; before it there is silence.

    `origin` and `start` (of the source stream) are in seconds of the source.
    """
    first, stop = window
    pcm = _Window(track.channels, first, stop)
    begin = origin + Fraction(max(first, 0), track.sample_rate) - _MARGIN
    end = origin + Fraction(stop, track.sample_rate) + _MARGIN
    has_ended = track.silent_from is not None and begin * track.sample_rate > origin * track.sample_rate + track.silent_from
    if end <= start or has_ended:
        return pcm.planes
    for run in split_into_runs(decode_stretch(source, begin, end), origin):
        position = position_of(run, start - origin, source.tick)
        planes = _mixed(run, track.channels)
        if run.rate != track.sample_rate:
            position, planes = _resampled(planes, run.rate, position, track)
        pcm.place(position, planes)
    return pcm.planes


class _Window:
    """The samples `[first, stop)` of every channel, filled from left to right."""

    def __init__(self, channels: int, first: int, stop: int) -> None:
        self.planes = [bytearray((stop - first) * SAMPLE_BYTES) for _ in range(channels)]
        self._first, self._stop, self._filled = first, stop, max(first, 0)

    def place(self, position: int, planes: list[bytes]) -> None:
        """Put samples at `position`, except for those outside the window or already there."""
        start = max(position, self._filled)
        stop = min(position + len(planes[0]) // SAMPLE_BYTES, self._stop)
        if start >= stop:
            return
        for target, plane in zip(self.planes, planes, strict=True):
            target[(start - self._first) * SAMPLE_BYTES : (stop - self._first) * SAMPLE_BYTES] = plane[
                (start - position) * SAMPLE_BYTES : (stop - position) * SAMPLE_BYTES
            ]
        self._filled = stop


def _mixed(run: Run, channels: int) -> list[bytes]:
    """A run as float planes of 1, 2 or 6 channels at its own rate.

    Where there are more channels than that, they are mixed down by the channel layout, scaled so that no sum can clip (ATSC A/52 §7.8.2). Layouts that FFmpeg
    cannot mix (more channels than it has names for) give their first channels.
    """
    layout = run.frames[0].layout
    options = {"rematrix_maxval": "1.0"} if layout.nb_channels > 2 else {}
    try:
        return _converted(run.frames, AudioResampler("fltp", LAYOUTS[channels], run.rate, options=options), channels)
    except (av.FFmpegError, ValueError):
        return _converted(run.frames, AudioResampler("fltp", layout, run.rate), channels)


def _resampled(planes: list[bytes], rate: int, position: int, track: AudioTrack) -> tuple[int, list[bytes]]:
    """Resample a run; it is led by as much silence as makes it begin where samples of both rates coincide."""
    common = gcd(rate, track.sample_rate)
    lead = position % (rate // common)
    frame = audio_frame([bytes(lead * SAMPLE_BYTES) + plane for plane in planes], rate)
    resampler = AudioResampler("fltp", LAYOUTS[track.channels], track.sample_rate)
    return (position - lead) * track.sample_rate // rate, _converted([frame], resampler, track.channels)


def _converted(frames: list[AudioFrame], resampler: AudioResampler, channels: int) -> list[bytes]:
    """The first `channels` planes of the frames after the resampler."""
    made: list[AudioFrame] = []
    for frame in frames:
        frame.pts = None
        made += resampler.resample(frame)
    made += [frame for frame in resampler.resample(None) if frame is not None]
    return [
        b"".join(bytes(frame.planes[min(channel, len(frame.planes) - 1)])[: frame.samples * SAMPLE_BYTES] for frame in made)
        for channel in range(channels)
    ]


def audio_frame(planes: list[bytes], rate: int) -> AudioFrame:
    """A frame of 32-bit float samples from the bytes of its 1, 2 or 6 planes."""
    frame = AudioFrame("fltp", LAYOUTS[len(planes)], len(planes[0]) // SAMPLE_BYTES)
    frame.sample_rate = rate
    for target, plane in zip(frame.planes, planes, strict=True):
        target.update(plane)
    return frame
