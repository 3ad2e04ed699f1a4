"""The H.264 encoder of a rendition: settings that make every segment fit the same init segment. Called by the segment function.

Nothing here depends on other segments or on chance: thread count, rate control and headers are pinned. Only processors with and
without AVX-512 round differently here and there, so that bytes may differ between them; all segments fit together all the same.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Self, cast

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from kinora.media.colour import rendition_colour
from kinora.media.fragment import Sample
from kinora.media.header import with_delay
from kinora.media.plan import Rendition, VideoSource
from kinora.media.video_clock import output_timescale

# With more than one thread x264's capped rate control depends on which thread is faster, and bytes differ from run to run.
_THREADS = 1
_WAITING = 4  # pictures that wait for an encoder at most
_B_FRAMES = 3  # in a row; two places of reordering. Without them the same quality takes up to half as many bytes again.
# Within a stream x264 gives key pictures 1.4 times finer steps than others (`ipratio`), but not to its very first picture.
_FIRST_PICTURE = "zones=0,0,b=1.4"
_BLOCKS_AT_ONCE = 8
_SEI = 6
SPARE_ID = 31  # the highest number of a sequence parameter set
_MOVFLAGS = "empty_moov+default_base_moof+frag_custom+negative_cts_offsets"


class SegmentEncoder:
    """Encodes the pictures of one segment; the first one becomes an IDR picture and nothing refers beyond the segment.

    Works in a thread of its own, a few pictures behind, so that the rungs of a ladder share the processors.
    """

    def __init__(self, video: VideoSource, rendition: Rendition) -> None:
        self._time_base = Fraction(1, output_timescale(video.time_base))
        self._codec = self._open(video, rendition)
        self._samples: list[Sample] = []
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.shutdown(cancel_futures=True)

    def add(self, tick: int, picture: VideoFrame) -> None:
        """Encode `picture`, shown from `tick` on, soon. Its own times and type are overwritten."""
        picture.pts, picture.time_base, picture.pict_type = tick, self._time_base, PictureType.NONE
        self._submit(picture)

    def finish(self) -> Sequence[Sample]:
        """All samples in decode order; nothing can be added after this."""
        self._submit(None)
        while self._pending:
            self._pending.popleft().result()
        return self._samples

    def _submit(self, picture: VideoFrame | None) -> None:
        self._pending.append(self._worker.submit(self._encode, picture))
        if len(self._pending) > _WAITING:
            self._pending.popleft().result()

    def _encode(self, picture: VideoFrame | None) -> None:
        packets = self._codec.encode(picture)
        self._samples += [self._sample(packet) for packet in packets]

    def _open(self, video: VideoSource, rendition: Rendition) -> VideoCodecContext:
        codec: VideoCodecContext = av.CodecContext.create("libx264", "w")
        configure(codec, video, rendition)
        if not rendition.copied:
            codec.flags |= Flags.global_header
        codec.options = _options(rendition)
        return codec

    def _sample(self, packet: Packet[Any]) -> Sample:
        return Sample(packet.pts or 0, packet.is_keyframe, _without_remarks(bytes(packet)))


def init_segment(video: VideoSource, rendition: Rendition) -> bytes:
    """The CMAF header (`ftyp`, `moov`) that fits every segment of `rendition` (ISO/IEC 23000-19 §7.3)."""
    return with_delay(write_header("libx264", _options(rendition), video, rendition), rendition.delay)


def write_header(encoder: str, options: dict[str, Any], video: VideoSource, rendition: Rendition) -> bytes:
    """The header as FFmpeg writes it for that encoder of its own."""
    target = io.BytesIO()
    timescale = str(output_timescale(video.time_base))
    muxing = {"movflags": _MOVFLAGS, "use_editlist": "0", "video_track_timescale": timescale, "fflags": "+bitexact"}
    with av.open(target, "w", format="mp4", container_options=muxing) as container:
        stream = cast("VideoStream", container.add_stream(encoder, options=options))
        configure(stream.codec_context, video, rendition)
        container.start_encoding()
        return target.getvalue()


def configure(codec: VideoCodecContext, video: VideoSource, rendition: Rendition) -> None:
    """Size, clock and colours of `rendition`: what does not depend on the codec."""
    colour = rendition_colour(video)
    codec.width, codec.height, codec.pix_fmt = rendition.width, rendition.height, "yuv420p"
    codec.sample_aspect_ratio = Fraction(1)
    codec.time_base = Fraction(1, output_timescale(video.time_base))
    codec.framerate = Fraction(rendition.frame_rate).limit_denominator(1001)
    codec.color_primaries, codec.color_trc, codec.colorspace = colour.primaries, colour.transfer, colour.matrix
    codec.color_range = 1
    codec.thread_count = _THREADS


def _options(rendition: Rendition) -> dict[str, Any]:
    level = int(rendition.codecs[-2:], 16)
    return {
        "preset": "veryfast",
        "profile": "high",
        "level": f"{level // 10}.{level % 10}",
        "crf": str(rendition.crf),
        "maxrate": str(rendition.max_rate),
        "bufsize": str(rendition.buffer_size),
        "bf": str(_B_FRAMES if rendition.delay else 0),
        "x264-params": ":".join(
            ["stitchable=1:annexb=0:keyint=infinite", _FIRST_PICTURE, *_identity(rendition), *_instructions(rendition)]
        ),
    }


def _without_remarks(data: bytes) -> bytes:
    """A picture without the 700 bytes in which x264 tells its settings (ITU-T H.264 §7.3.2.3; units have 4 bytes of length)."""
    kept, position = [], 0
    while position < len(data):
        end = position + 4 + int.from_bytes(data[position : position + 4])
        if data[position + 4] & 0x1F != _SEI:
            kept.append(data[position:end])
        position = end
    return b"".join(kept)


def _identity(rendition: Rendition) -> list[str]:
    """Among copied segments an encoded one brings its own parameter sets, with a number that the original does not use."""
    return [f"sps-id={SPARE_ID}"] if rendition.copied else []


def _instructions(rendition: Rendition) -> list[str]:
    """With AVX-512 (9 % less time) x264's macroblock tree takes eight blocks at a time, and where a row is no multiple of that it
    reads memory that nobody has written: such pictures are held to AVX2."""
    blocks = -(-rendition.width // 16)
    return ["asm=AVX2"] if blocks % _BLOCKS_AT_ONCE and _has_avx512() else []


@cache
def _has_avx512() -> bool:
    try:
        return "avx512" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
