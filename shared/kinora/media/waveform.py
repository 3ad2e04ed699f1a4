"""The waveform of an original's first audio track, in the JSON form of audiowaveform (version 2). Called by the video function.

Decodes the track once from end to end in constant memory; what is missing is silence, so that it lines up with the output.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import BinaryIO

import av
import av.filter
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from kinora.errors import CorruptMedia, UnsupportedMedia
from kinora.media.audio_decode import Decoded, decode_stretch, open_audio
from kinora.media.container import decoding
from kinora.media.plan import AudioSource, Plan

BITS = 8
_FINEST = 256  # samples per pixel, as audiowaveform's own default
_MOST_PIXELS = 40_000
_LARGEST_JITTER = Fraction(1, 20)  # seconds; a larger jump of the timestamps is a gap or an overlap
_LOWEST, _HIGHEST = "lavfi.astats.Overall.Min_level", "lavfi.astats.Overall.Max_level"
_SILENCE = bytes(2 * 48_000)


def make_waveform(file: BinaryIO, plan: Plan) -> bytes:
    """The extremes of the sound, mixed to mono, as 8-bit numbers: per pixel the lowest and the highest sample.

    Pixel k covers `samples_per_pixel` samples of the source's own rate from the output's time 0 on. The form is that of
    https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md. Raises UnsupportedMedia without audio, CorruptMedia
    if nothing of it can be decoded.
    """
    if not plan.audio_tracks:
        raise UnsupportedMedia("the plan has no audio")
    track = plan.audio_tracks[0]
    source = next(one for one in plan.probe.audio if one.index == track.source_index)
    frames = plan.audio_timeline[track.name][-1]
    longest = (track.offset + frames * track.frame_samples) * source.sample_rate // track.sample_rate
    scale = samples_per_pixel(longest)
    with open_audio(file, plan.probe.container, source.index) as stream, decoding():
        end = plan.origin + Fraction(longest, source.sample_rate)
        start = source.start * source.time_base
        decoded = decode_stretch(stream, start, end)
        data = [level for pair in _extremes(_placed(decoded, source, plan.origin, longest), source, scale) for level in pair]
    if not data:
        raise CorruptMedia("no audio can be decoded", public_message="No sound can be decoded.")
    form = {"version": 2, "channels": 1, "sample_rate": source.sample_rate, "samples_per_pixel": scale, "bits": BITS}
    return json.dumps(form | {"length": len(data) // 2, "data": data}, separators=(",", ":")).encode()


def samples_per_pixel(samples: int) -> int:
    """The finest power of two from 256 up that needs at most 40,000 pixels."""
    scale = _FINEST
    while samples > scale * _MOST_PIXELS:
        scale *= 2
    return scale


def _placed(decoded: Iterator[Decoded], source: AudioSource, origin: Fraction, longest: int) -> Iterator[bytes]:
    """16-bit mono samples without gap or overlap from the origin on, at most `longest`."""
    mix = _Mono(source.sample_rate)
    jitter = _LARGEST_JITTER * source.sample_rate
    position = 0
    for one in _begun_in_time(decoded):
        samples = mix.mixed(one.frame)
        if one.time is not None:
            wanted = round((one.time - origin) * source.sample_rate)
            if abs(wanted - position) > jitter or position == 0:
                gap = min(wanted, longest) - position
                yield from _silence(gap)
                samples = samples[2 * max(-gap, 0) :]
                position += max(gap, 0)
        samples = samples[: 2 * max(longest - position, 0)]
        position += len(samples) // 2
        yield samples


def _begun_in_time(decoded: Iterator[Decoded]) -> Iterator[Decoded]:
    """The head of the first frame may be trimmed without its timestamp knowing: it ends where the second one begins."""
    first, second = next(decoded, None), next(decoded, None)
    if first is not None and first.time is not None and second is not None and second.time is not None:
        begin = second.time - Fraction(first.frame.samples, first.frame.sample_rate)
        if abs(begin - first.time) <= _LARGEST_JITTER:
            first = replace(first, time=begin)
    yield from (one for one in (first, second) if one is not None)
    yield from decoded


def _silence(count: int) -> Iterator[bytes]:
    for done in range(0, 2 * max(count, 0), len(_SILENCE)):
        yield _SILENCE[: 2 * count - done]


class _Mono:
    """Mixes frames of any format to 16-bit mono; layouts that FFmpeg cannot mix give their first channel."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._form: tuple[int, str, str] | None = None
        self._resampler = AudioResampler("s16", "mono", rate)

    def mixed(self, frame: AudioFrame) -> bytes:
        form = frame.sample_rate, frame.format.name, frame.layout.name
        if form != self._form:
            self._form, self._resampler = form, AudioResampler("s16", "mono", self._rate)
        frame.pts = None
        try:
            made = self._resampler.resample(frame)
        except (av.FFmpegError, ValueError):
            self._resampler = AudioResampler("s16p", frame.layout, self._rate)
            made = self._resampler.resample(frame)
        return b"".join(bytes(one.planes[0])[: 2 * one.samples] for one in made)


def _extremes(pieces: Iterable[bytes], source: AudioSource, scale: int) -> Iterator[tuple[int, int]]:
    """The lowest and highest of every `scale` samples, from 16 to 8 bits by the division that audiowaveform uses."""
    graph = av.filter.Graph()
    graph.threads = 1
    begin = graph.add_abuffer(
        sample_rate=source.sample_rate, format="s16", layout="mono", time_base=Fraction(1, source.sample_rate)
    )
    cut = graph.add("asetnsamples", f"n={scale}:p=0")
    levels = "measure_perchannel=none:measure_overall=Min_level+Max_level"
    measure = graph.add("astats", f"metadata=1:reset=1:{levels}")
    graph.link_nodes(begin, cut, measure, graph.add("abuffersink")).configure()
    position = 0
    for piece in filter(None, pieces):
        frame = AudioFrame("s16", "mono", len(piece) // 2)
        frame.planes[0].update(piece)
        frame.sample_rate, frame.pts = source.sample_rate, position
        position += frame.samples
        graph.push(frame)
        yield from _measured(graph)
    if position:
        graph.push(None)
        yield from _measured(graph)


def _measured(graph: av.filter.Graph) -> Iterator[tuple[int, int]]:
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        lowest, highest = (float(frame.metadata[name]) for name in (_LOWEST, _HIGHEST))
        yield int(lowest / 256), int(highest / 256)
