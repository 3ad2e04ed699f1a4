"""Where the sound of a stream ends and where its output is cut into segments; a room of audio_tracks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from kinora.errors import CorruptMedia
from kinora.media.audio_decode import AudioInput, decode_stretch
from kinora.media.plan import AAC_FRAME, AudioSource, AudioTrack

_SEGMENT = Fraction(6)  # seconds, where no video says where to cut
_LONGEST, _SHORTEST = Fraction(10), Fraction(1)  # seconds
_TAILS = (2, 10, 60, 600)  # seconds before the declared end in which the true end is looked for


def true_end(stream: AudioInput, source: AudioSource, duration: Fraction) -> Fraction:
    """Where the last decodable sample ends, in seconds: containers round, guess, or know only the longest stream's end.
    `duration` is the original's in seconds, for streams of which nothing is declared.

    Raises CorruptMedia if nothing can be decoded.
    """
    start, end = (ticks * source.time_base for ticks in (source.start, source.end))
    end = end if end > start else start + duration
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


def frame_count(length: Fraction, rate: int, tick: Fraction, size: int = AAC_FRAME) -> int:
    """Frames of `size` samples that hold `length` seconds; what rounded timestamps may have added does not begin another one."""
    samples = round((length - max(tick - Fraction(1, rate), Fraction(0))) * rate)
    return -(-samples // size)


def cut(count: int, track: AudioTrack, wanted: Sequence[Fraction]) -> tuple[int, ...]:
    """Boundaries near the wanted ones (seconds from the origin), in frames; where these are far apart or absent, about
    every 6 s."""
    frame = Fraction(track.frame_samples, track.sample_rate)
    offset = Fraction(track.offset, track.sample_rate)
    least, most = round(_SHORTEST / frame), round(_LONGEST / frame) + 1
    cuts = [0]
    for target in [*(round((time - offset) / frame) for time in wanted[1:-1]), count]:
        at = min(target, count)
        if at - cuts[-1] > most:
            pieces = round((at - cuts[-1]) * frame / _SEGMENT)
            cuts += [cuts[-1] + (at - cuts[-1]) * piece // pieces for piece in range(1, pieces)]
        if cuts[-1] < at < count and count - at >= least:
            cuts.append(at)
    return (*cuts, count)
