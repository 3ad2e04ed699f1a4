"""Encodes float samples to Opus packets of 20 ms and writes the init segment for them (RFC 6716; Encapsulation of Opus in ISO
BMFF); called by audio, knows no sources or plans.

The encoder is fed LOOKAHEAD samples early, so that no packet is late and no player has anything to skip.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Sequence

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import Flags

from kinora.media.audio_render import LAYOUTS, SAMPLE_BYTES
from kinora.media.plan import OPUS_FRAME

RATE = 48_000
LOOKAHEAD = 312  # samples by which libopus delays (Fs / 400 and 4 ms of delay compensation)
_OPTIONS = {"application": "audio", "frame_duration": "20", "vbr": "on"}
_PRE_SKIP_AT = 6  # bytes behind the beginning of `dOps`: its name, version and channel count


def encode_frames(planes: Sequence[bytes | bytearray], bit_rate: int, *, skip: int, count: int) -> list[bytes]:
    """Encode planes of whole frames, which begin LOOKAHEAD samples late, and return the packets `[skip, skip + count)`."""
    encoder = AudioCodecContext.create("libopus", "w")
    _set_up(encoder, len(planes), bit_rate)
    samples = array("f", bytes(len(planes) * len(planes[0])))
    for channel, plane in enumerate(planes):
        samples[channel :: len(planes)] = array("f", bytes(plane))
    data = array("f", (one if -8 < one < 8 else 0.0 for one in samples)).tobytes()  # neither infinite nor not a number
    size = OPUS_FRAME * SAMPLE_BYTES * len(planes)
    packets: list[bytes] = []
    for offset in range(0, len(data), size):
        frame = AudioFrame("flt", LAYOUTS[len(planes)], OPUS_FRAME)
        frame.sample_rate = RATE
        frame.pts = offset // size * OPUS_FRAME
        frame.planes[0].update(data[offset : offset + size])
        packets += map(bytes, encoder.encode(frame))
    packets += map(bytes, encoder.encode(None))
    return packets[skip : skip + count]


def write_init(channels: int, bit_rate: int) -> bytes:
    """The init segment of an Opus track with id 1, timescale 48,000 and nothing to skip."""
    made = io.BytesIO()
    options = {"movflags": "empty_moov+default_base_moof+skip_trailer", "use_editlist": "0", "fflags": "+bitexact"}
    with av.open(made, "w", format="mp4", options=options) as container:
        stream: AudioStream = container.add_stream("libopus", rate=RATE)
        _set_up(stream.codec_context, channels, bit_rate)
        container.start_encoding()
    header = bytearray(made.getvalue())
    at = header.index(b"dOps") + _PRE_SKIP_AT
    header[at : at + 2] = bytes(2)
    return bytes(header)


def _set_up(encoder: AudioCodecContext, channels: int, bit_rate: int) -> None:
    encoder.sample_rate = RATE
    encoder.layout = LAYOUTS[channels]
    encoder.format = "flt"
    encoder.bit_rate = bit_rate
    encoder.options = _OPTIONS
    encoder.flags |= Flags.bitexact
