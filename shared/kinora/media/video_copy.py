"""Decides whether the pictures of an original can be copied into the top rendition instead of being encoded again.

Called by planning. All conditions are here, each with its reason; what fails one of them is encoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import BinaryIO

from kinora.media.colour import UNKNOWN, mapping_to_bt709
from kinora.media.container import open_original
from kinora.media.h264 import SPARE_ID
from kinora.media.h264_stream import (
    ParameterSets,
    Unreadable,
    begins_closed,
    has_slice_groups,
    read_parameter_sets,
    read_sequence,
)
from kinora.media.index import PictureTime, only_stream
from kinora.media.ladder import max_rate
from kinora.media.plan import VideoSource
from kinora.media.timeline import LONGEST, Timeline
from kinora.media.video_clock import output_timescale

_CONTAINERS = {"mov", "matroska", "mpegts", "flv"}
_BASELINE, _MAIN, _HIGH = 66, 77, 100
_LEVELS = range(10, 53)
_MOST_RATE = 2  # times what the encoder may spend on pictures of that size
_MOST_REORDERED = 4  # places
_LONGEST_DELAY = 1  # second
_MATRICES = {UNKNOWN, "bt709", "bt470bg", "smpte170m"}
_SAMPLE_OVERHEAD = 32  # bytes of headers per picture, and those that every fragment has once
_FRAGMENT_OVERHEAD = 1000
_LOOKED_AT = 64  # boundaries whose first bytes are fetched where the index says nothing about them
_HEAD = 4096  # bytes


class Refusal(StrEnum):
    """Why pictures are not copied."""

    CONTAINER = "container"
    CODEC = "codec"
    PROFILE = "profile"
    PIXEL_FORMAT = "pixel-format"
    INTERLACED = "interlaced"
    ROTATED = "rotated"
    SIZE = "size"
    TOO_LARGE = "too-large"
    COLOUR = "colour"
    PARAMETER_SETS = "parameter-sets"
    EDIT_LIST = "edit-list"
    TIMES = "times"
    LONG_GOP = "long-gop"
    OPEN_GOP = "open-gop"
    REORDERING = "reordering"
    BIT_RATE = "bit-rate"


@dataclass(frozen=True, slots=True)
class VideoCopy:
    """What the copied rendition is: its RFC 6381 string, bits per second of its worst segment, ticks of its delay."""

    codecs: str
    bandwidth: int
    delay: int


class _Refused(Exception):
    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


def find_video_copy(
    file: BinaryIO, demuxer: str, video: VideoSource, timeline: Timeline, pictures: Sequence[PictureTime], rungs: Sequence[int]
) -> VideoCopy | Refusal:
    """How the pictures can be copied exactly, or the first reason why not. `rungs` are short edges in pixels."""
    try:
        _check_source(demuxer, video, rungs)
        sets, codecs = _parameter_sets(file, demuxer, video)
        segments = list(_segments(video, timeline, pictures))
        delay = _delay(segments, video)
        bandwidth = _bandwidth(segments, timeline, video)
        _check_boundaries(file, sets, [segment[0] for segment in segments])
    except _Refused as refused:
        return refused.reason
    return VideoCopy(codecs, bandwidth, delay)


def _require(condition: bool, reason: Refusal) -> None:
    if not condition:
        raise _Refused(reason)


def _check_source(demuxer: str, video: VideoSource, rungs: Sequence[int]) -> None:
    _require(demuxer in _CONTAINERS, Refusal.CONTAINER)
    _require(video.codec == "h264", Refusal.CODEC)
    _require(video.pixel_format == "yuv420p", Refusal.PIXEL_FORMAT)
    _require(not video.interlaced, Refusal.INTERLACED)
    _require(video.rotation == 0 and not video.mirrored, Refusal.ROTATED)
    _require(video.width % 2 == 0 and video.height % 2 == 0, Refusal.SIZE)
    _require(min(video.width, video.height) <= max(rungs), Refusal.TOO_LARGE)
    _require(mapping_to_bt709(video.color_primaries, video.color_transfer, video.color_space) is None, Refusal.COLOUR)
    _require(video.color_space in _MATRICES, Refusal.COLOUR)


def _parameter_sets(file: BinaryIO, demuxer: str, video: VideoSource) -> tuple[ParameterSets, str]:
    """The one sequence parameter set of the stream says that every player can decode it."""
    with open_original(file, demuxer) as container:
        stream = only_stream(container, video.index)
        extradata = bytes(stream.codec_context.extradata or b"")
        _require((stream.sample_aspect_ratio or 1) == 1, Refusal.SIZE)
    try:
        sets = read_parameter_sets(extradata)
        _require(len(sets.sequence) == 1 and bool(sets.picture), Refusal.PARAMETER_SETS)
        sequence = read_sequence(sets.sequence[0])
        _require(not any(map(has_slice_groups, sets.picture)), Refusal.PROFILE)
    except Unreadable as error:
        raise _Refused(Refusal.PARAMETER_SETS) from error
    _require(sequence.profile in {_BASELINE, _MAIN, _HIGH}, Refusal.PROFILE)
    _require(sequence.level in _LEVELS, Refusal.PROFILE)
    _require(sequence.is_420_8_bit, Refusal.PIXEL_FORMAT)
    _require(sequence.is_progressive, Refusal.INTERLACED)
    _require((sequence.width, sequence.height) == (video.width, video.height), Refusal.SIZE)
    _require(sequence.id != SPARE_ID, Refusal.PARAMETER_SETS)
    return sets, sequence.codecs


def _segments(video: VideoSource, timeline: Timeline, pictures: Sequence[PictureTime]) -> Iterator[Sequence[PictureTime]]:
    """The pictures of each segment in decode order: they begin with a keyframe and lie between its boundaries."""
    cuts = timeline.cuts
    _require(all(picture.is_shown for picture in pictures), Refusal.EDIT_LIST)
    _require((video.time_base * output_timescale(video.time_base)).denominator == 1, Refusal.TIMES)
    _require(len({picture.pts for picture in pictures}) == len(pictures), Refusal.TIMES)
    places = {picture.pts: place for place, picture in enumerate(pictures) if picture.is_keyframe}
    _require(all(cut in places for cut in cuts[:-1]), Refusal.LONG_GOP)
    _require(all((after - before) * video.time_base <= LONGEST for before, after in pairwise(cuts)), Refusal.LONG_GOP)
    begins = [*(places[cut] for cut in cuts[:-1]), len(pictures)]
    _require(begins[0] == 0, Refusal.OPEN_GOP)
    for n, (begin, end) in enumerate(pairwise(begins)):
        segment = pictures[begin:end]
        _require(all(cuts[n] <= picture.pts < cuts[n + 1] for picture in segment) and bool(segment), Refusal.OPEN_GOP)
        yield segment


def _delay(segments: Sequence[Sequence[PictureTime]], video: VideoSource) -> int:
    """Ticks after which every picture has been decoded in time, if the n-th is decoded when the n-th is shown."""
    longest = 0
    for segment in segments:
        times = [picture.pts for picture in segment]
        grid = sorted(times)
        place = {time: number for number, time in enumerate(grid)}
        _require(all(number - place[time] <= _MOST_REORDERED for number, time in enumerate(times)), Refusal.REORDERING)
        longest = max(longest, *(due - time for due, time in zip(grid, times, strict=True)))
    timescale = output_timescale(video.time_base)
    return min(int(longest * video.time_base * timescale), _LONGEST_DELAY * timescale)


def _bandwidth(segments: Sequence[Sequence[PictureTime]], timeline: Timeline, video: VideoSource) -> int:
    rate = video.frame_rate or Fraction(1)
    lengths = [(after - before) * video.time_base for before, after in pairwise(timeline.cuts)]
    counts = [max(len(segment), ceil(length * rate)) for segment, length in zip(segments, lengths, strict=True)]
    sizes = [
        sum(picture.size for picture in segment) + count * _SAMPLE_OVERHEAD + _FRAGMENT_OVERHEAD
        for segment, count in zip(segments, counts, strict=True)
    ]
    worst = ceil(max(size * 8 / length for size, length in zip(sizes, lengths, strict=True)))
    highest = max_rate(video.width * video.height, rate)
    _require(worst <= _MOST_RATE * highest, Refusal.BIT_RATE)
    return worst


def _check_boundaries(file: BinaryIO, sets: ParameterSets, keyframes: Sequence[PictureTime]) -> None:
    """Boundaries are IDR pictures under the parameter sets of the header. One encoder made them all: of very many some are
    fetched; each is looked at again when it is copied."""
    located = [keyframe for keyframe in keyframes if keyframe.head or keyframe.position]
    step = max(1, len(located) // _LOOKED_AT)
    for keyframe in located[::step]:
        head = keyframe.head
        if not head:
            file.seek(keyframe.position)
            head = file.read(min(keyframe.size, _HEAD))
        found = begins_closed(sets, head)
        _require(found is not None, Refusal.PARAMETER_SETS)
        _require(bool(found), Refusal.OPEN_GOP)
