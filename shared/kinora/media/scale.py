"""Turns decoded pictures into the pictures of every rendition: deinterlaced, square, upright, 8-bit 4:2:0, scaled in a chain.

Called by the segment function. Each rung is made from the rung above it, always, so that a rung made alone has the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import av.filter
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from kinora.media.colour import mapping_to_bt709, rendition_colour
from kinora.media.plan import Rendition, VideoSource
from kinora.media.tone_map import ToneMap

_SCALER = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_TURNS = {0: (), 90: ("transpose=clock",), 180: ("hflip", "vflip"), 270: ("transpose=cclock",)}

_TICK = Fraction(1, 1000)

TimedPicture = tuple[int, VideoFrame]


class ScalingChain:
    """The pictures of `renditions` (largest first, complete from the top of the ladder down) from decoded pictures."""

    def __init__(self, video: VideoSource, renditions: Sequence[Rendition]) -> None:
        self._video = video
        self._renditions = renditions
        self._matrix = rendition_colour(video).matrix
        mapping = mapping_to_bt709(video.color_primaries, video.color_transfer, video.color_space)
        self._tone_map = ToneMap(mapping) if mapping else None
        self._scalers = [VideoReformatter() for _ in renditions]
        turn = _TURNS[video.rotation] + (("hflip",) if video.mirrored else ())
        self._turn = _Filter(turn) if turn else None

    def render(self, picture: VideoFrame) -> list[VideoFrame]:
        """One picture per rendition, in their order."""
        pictures = [self._top(picture)]
        for scaler, rendition in zip(self._scalers[1:], self._renditions[1:], strict=True):
            pictures.append(scaler.reformat(pictures[-1], rendition.width, rendition.height, interpolation=_SCALER, threads=1))
        return pictures

    def _top(self, picture: VideoFrame) -> VideoFrame:
        top = self._renditions[0]
        is_sideways = self._video.rotation in {90, 270}
        width, height = (top.height, top.width) if is_sideways else (top.width, top.height)
        scaled = self._tone_map.render(picture, width, height) if self._tone_map else self._scaled(picture, width, height)
        return self._turn.apply(scaled) if self._turn else scaled

    def _scaled(self, picture: VideoFrame, width: int, height: int) -> VideoFrame:
        is_rgb = picture.format.is_rgb
        if not is_rgb:
            picture.colorspace = self._matrix
        return self._scalers[0].reformat(
            picture,
            width,
            height,
            "yuv420p",
            interpolation=_SCALER,
            threads=1,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709 if is_rgb else None,
        )


def deinterlace(pictures: Iterable[TimedPicture]) -> Iterator[TimedPicture]:
    """One whole picture for each interlaced one, at the same time; progressive ones pass unchanged."""
    weaver: _Filter | None = None
    times: deque[int] = deque()
    for pts, picture in pictures:
        if weaver is not None and not weaver.accepts(picture):
            yield from zip(times, weaver.drain(), strict=False)
            weaver = None
            times.clear()
        weaver = weaver or _Filter(("bwdif=mode=send_frame:deint=interlaced",))
        times.append(pts)
        for whole in weaver.push(picture):
            yield times.popleft(), whole
    if weaver is not None:
        yield from zip(times, weaver.drain(), strict=False)


class _Filter:
    """A straight chain of FFmpeg filters for pictures of one size and format."""

    def __init__(self, filters: Sequence[str]) -> None:
        self._filters = filters
        self._graph: av.filter.Graph | None = None
        self._shape: tuple[int, int, str] | None = None
        self._count = 0

    def accepts(self, picture: VideoFrame) -> bool:
        return self._shape in {None, _shape(picture)}

    def apply(self, picture: VideoFrame) -> VideoFrame:
        """The one picture that `picture` becomes."""
        (result,) = self.push(picture)
        return result

    def push(self, picture: VideoFrame) -> list[VideoFrame]:
        if self._graph is None:
            self._graph = self._build(picture)
            self._shape = _shape(picture)
        picture.pts = self._count
        self._count += 1
        self._graph.vpush(picture)
        return self._pull()

    def drain(self) -> list[VideoFrame]:
        """What is still inside; the filter is finished after this."""
        if self._graph is None:
            return []
        self._graph.vpush(None)
        return self._pull()

    def _pull(self) -> list[VideoFrame]:
        pictures = []
        while self._graph is not None:
            try:
                pictures.append(self._graph.vpull())
            except (av.BlockingIOError, av.EOFError):
                break
        return pictures

    def _build(self, picture: VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        graph.threads = 1
        width, height, name = _shape(picture)
        source = graph.add_buffer(width=width, height=height, format=VideoFormat(name), time_base=_TICK)
        stages = [graph.add(*text.split("=", 1)) for text in self._filters]
        graph.link_nodes(source, *stages, graph.add("buffersink")).configure()
        return graph


def _shape(picture: VideoFrame) -> tuple[int, int, str]:
    return picture.width, picture.height, picture.format.name
