"""Decodes a stretch of one audio stream, the same frames whatever was read before; called by audio_render and audio_tracks.

Nothing here depends on where a seek lands: packets before a fixed time are thrown away and every stretch gets a new decoder,
because decoders keep noise generators across a flush.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, TypeAlias, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard

from kinora.errors import CorruptMedia
from kinora.media.container import demux, open_original
from kinora.media.new_beginning import Place

AudioPacket: TypeAlias = "Packet[AudioStream]"

_PRE_ROLL = Fraction(1, 2)  # fills bit reservoirs, overlaps and the filters of SBR, whose header comes twice a second
_MOST_PER_SECOND = 2  # seconds of samples that a second of timestamps may hold
_INDEXED_BY_VIDEO = ("matroska", "flv")
_STEPS_BACK = (Fraction(1, 10), Fraction(2), Fraction(15))


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded frame: `time` in seconds of the source if it is known; `after_loss` if packets before it were undecodable."""

    frame: AudioFrame
    time: Fraction | None
    after_loss: bool


@dataclass(frozen=True, slots=True)
class AudioInput:
    """An opened original and the audio stream that is read from it. One stretch at a time."""

    container: InputContainer
    stream: AudioStream
    tick: Fraction


@contextmanager
def open_audio(file: BinaryIO, demuxer: str, index: int, places: Sequence[Place] = ()) -> Iterator[AudioInput]:
    """Open stream `index` of an original, with the `places` that its plan kept.

    Raises CorruptMedia if it is no audio stream with a decoder.
    """
    with open_original(file, demuxer, places=places) as container:
        stream = container.streams[index] if index < len(container.streams) else None
        if not isinstance(stream, AudioStream) or stream.codec_context is None or not stream.time_base:
            raise CorruptMedia(f"stream {index} is no audio stream with a decoder")
        if not _seeks_by_video(container):
            for other in container.streams:
                other.discard = Discard.default if other is stream else Discard.all
        yield AudioInput(container, stream, stream.time_base)


def decode_stretch(source: AudioInput, start: Fraction, end: Fraction | None) -> Iterator[Decoded]:
    """Decode what is presented in `[start, end)` seconds of the source, and a little before; to the end if `end` is None.

    Damaged packets are left out. Data that ends early ends the stretch early; so does a clock that stands still, before the
    frames fill the memory.
    """
    decoder = new_decoder(source.stream)
    lost = False
    left = None if end is None else _MOST_PER_SECOND * (end - start + _PRE_ROLL + 1)
    for packet in _packets(source, start - _PRE_ROLL, end):
        try:
            frames = decoder.decode(packet)
        except av.FFmpegError:
            lost = True
            continue
        for frame in frames:
            if left is not None:
                left -= Fraction(frame.samples, frame.sample_rate)
                if left < 0:
                    return
            if frame.samples:
                yield Decoded(frame, None if frame.pts is None else frame.pts * source.tick, lost)
                lost = False


def _packets(source: AudioInput, start: Fraction, end: Fraction | None) -> Iterator[AudioPacket | None]:
    """The packets with timestamps in `[start, end)` and those without that follow them, then None, which drains a decoder."""
    has_begun = False
    for packet in _packets_from(source, start):
        if packet.pts is not None:
            time = packet.pts * source.tick
            if end is not None and time >= end:
                break
            has_begun = has_begun or time >= start
        if has_begun:
            yield packet
    yield None


def _packets_from(source: AudioInput, start: Fraction) -> Iterator[AudioPacket]:
    """Packets from `start` or earlier on: some demuxers land late, so the landing is looked at and the next try is earlier."""
    begin = (source.stream.start_time or 0) * source.tick
    has_ended = False
    for target in (start - step for step in _STEPS_BACK if start - step > begin):
        if not _seek(source, target):
            continue
        packets = _read(source)
        first = next((one for one in packets if one.pts is not None), None)
        if first is not None and first.pts is not None and first.pts * source.tick <= start:
            yield first
            yield from packets
            return
        has_ended = first is None
    if not has_ended:
        yield from _packets_from_beginning(source, begin)


def _packets_from_beginning(source: AudioInput, begin: Fraction) -> Iterator[AudioPacket]:
    """Every packet: those that prime a decoder lie before the stream's start, where not every demuxer seeks to."""
    for target in (begin - 1, begin):
        packets = _read(source) if _seek(source, target) else iter(())
        first = next(packets, None)
        if first is not None:
            yield first
            yield from packets
            return


def _seek(source: AudioInput, target: Fraction) -> bool:
    try:
        if _seeks_by_video(source.container):
            source.container.seek(int(target * av.time_base))
        else:
            source.container.seek(int(target / source.tick), stream=source.stream)
    except av.FFmpegError:
        return False
    return True


def _read(source: AudioInput) -> Iterator[AudioPacket]:
    try:
        for packet in demux(source.container, source.stream):
            if packet.size:
                yield packet
    except av.FFmpegError:
        return  # truncated or damaged here: what was readable has been given out


def _seeks_by_video(container: InputContainer) -> bool:
    """Matroska and FLV index only the video track: a seek by the audio stream would read the file from its start."""
    return container.format.name.startswith(_INDEXED_BY_VIDEO) and bool(container.streams.video)


def new_decoder(stream: AudioStream) -> AudioCodecContext:
    """A decoder for the stream's packets that has decoded nothing yet."""
    inside = stream.codec_context
    fresh = cast("AudioCodecContext", AudioCodecContext.create(inside.codec.name, "r"))
    fresh.thread_count = 1
    if inside.extradata:
        fresh.extradata = bytes(inside.extradata)
    try:
        fresh.sample_rate = inside.sample_rate
        fresh.layout = inside.layout.name
        fresh.open()
    except (av.FFmpegError, ValueError):
        inside.flush_buffers()  # ADPCM and WMA need what only the demuxer knows; they keep nothing across a flush
        return inside
    return fresh
