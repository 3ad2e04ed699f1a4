"""The heart: `encode(file, plan, rendition, n)` gives the bytes of one segment, the same whenever it runs on processors of a kind.

Called by the encode task, on demand by the API, and by prepare for init segments. Knows nothing of storage or other segments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from typing import BinaryIO

from kinora.errors import CorruptMedia, UnsupportedMedia
from kinora.media import av1
from kinora.media.container import decoding
from kinora.media.decode import SegmentDecoder
from kinora.media.fragment import write_fragment
from kinora.media.h264 import SegmentEncoder, init_segment
from kinora.media.header import with_configuration
from kinora.media.plan import Plan, Rendition, VideoSource
from kinora.media.scale import ScalingChain, deinterlace
from kinora.media.video_clock import SegmentClock, output_timescale
from kinora.media.video_packets import SegmentCopier, configuration


def init_segments(file: BinaryIO, plan: Plan) -> Iterator[tuple[str, bytes]]:
    """The header of every rendition as (track, bytes); each fits all segments of its rendition. Raises CorruptMedia."""
    for rendition in plan.renditions:
        with decoding():
            made = (av1.init_segment if rendition.codec == "av1" else init_segment)(_video(plan), rendition)
            yield rendition.track, with_configuration(made, _record(file, plan)) if rendition.copied else made


def encode(file: BinaryIO, plan: Plan, rendition: str, n: int) -> bytes:
    """The CMAF media segment `n` (from 0) of the rendition with that name; raises KeyError if the plan has neither.

    Raises CorruptMedia if the original cannot be read.
    """
    if rendition not in {one.name for one in plan.renditions} or not 0 <= n < len(plan.timeline) - 1:
        raise KeyError(f"{rendition}/{n}")
    ((_, _, data),) = encode_batch(file, plan, n, n + 1, {rendition})
    return data


def encode_batch(
    file: BinaryIO, plan: Plan, first: int, stop: int, renditions: Collection[str] | None = None
) -> Iterator[tuple[str, int, bytes]]:
    """Segments `first` to `stop` (exclusive) of the renditions with these names (of all, if None) as (track, n, bytes).

    Copied ones come first; all others come from one decode, segment by segment. Every segment is the same as from `encode`. The
    caller may stop between two of them: closing the iterator releases all.
    """
    if not 0 <= first <= stop <= len(plan.timeline) - 1:
        raise KeyError(f"segments {first} to {stop}")
    wanted = [one for one in plan.renditions if renditions is None or one.name in renditions]
    for one in wanted:
        if one.copied:
            yield from _copy(file, plan, range(first, stop), one)
    encoded = [one for one in wanted if not one.copied]
    if encoded:
        yield from _encode(file, plan, range(first, stop), encoded)


def _copy(file: BinaryIO, plan: Plan, numbers: Iterable[int], rendition: Rendition) -> Iterator[tuple[str, int, bytes]]:
    """The original's own pictures; a segment in which they are not exact is encoded."""
    video = _video(plan)
    with SegmentCopier(file, plan, video) as copier:
        for n in numbers:
            with decoding():
                samples = copier.samples(n)
            if samples is None:
                yield from _encode(file, plan, (n,), (rendition,))
            else:
                clock = SegmentClock(plan, video, n)
                yield rendition.track, n, write_fragment(n + 1, samples, clock.start, clock.end, rendition.delay)


def _encode(
    file: BinaryIO, plan: Plan, numbers: Iterable[int], wanted: Sequence[Rendition]
) -> Iterator[tuple[str, int, bytes]]:
    video = _video(plan)
    rungs = _rungs(plan, wanted)
    chain = ScalingChain(video, list(rungs.values()))
    with SegmentDecoder(file, plan, video) as decoder:
        for n in numbers:
            clock = SegmentClock(plan, video, n)
            with ExitStack() as stack, decoding():
                encoders = [(one, stack.enter_context(_encoder(video, one))) for one in wanted]
                pictures = decoder.pictures(n)
                for tick, picture in clock.timed(deinterlace(pictures) if video.interlaced else pictures):
                    rendered = dict(zip(rungs, chain.render(picture), strict=True))
                    for one, encoder in encoders:
                        encoder.add(tick, rendered[one.width, one.height])
                made = [(one, encoder.finish()) for one, encoder in encoders]
            seconds = Fraction(clock.end - clock.start, output_timescale(video.time_base))
            for one, samples in made:
                again = av1.coarser(one, samples, seconds)
                if again:
                    yield from _encode(file, plan, [n], [again])
                else:
                    yield one.track, n, write_fragment(n + 1, samples, clock.start, clock.end, one.delay)


def _rungs(plan: Plan, wanted: Sequence[Rendition]) -> dict[tuple[int, int], Rendition]:
    """By size, from the top of the ladder down to the smallest one wanted, the first rendition of each."""
    rungs: dict[tuple[int, int], Rendition] = {}
    for one in plan.renditions:
        rungs.setdefault((one.width, one.height), one)
    sizes = list(rungs)
    lowest = max(sizes.index((one.width, one.height)) for one in wanted)
    return {size: rungs[size] for size in sizes[: lowest + 1]}


def _encoder(video: VideoSource, rendition: Rendition) -> SegmentEncoder:
    return av1.Av1SegmentEncoder(video, rendition) if rendition.codec == "av1" else SegmentEncoder(video, rendition)


def _record(file: BinaryIO, plan: Plan) -> bytes:
    record = configuration(file, plan, _video(plan))
    if record is None:
        raise CorruptMedia("the parameter sets are gone")
    return record


def _video(plan: Plan) -> VideoSource:
    if plan.probe.video is None:
        raise UnsupportedMedia("the plan has no video")
    return plan.probe.video
