"""Maps pictures of high dynamic range or wide gamut to 8-bit BT.709; called by the scaling chain and the poster.

The mapping is a table that is computed once per process and looked up by FFmpeg: the same pictures everywhere, and nothing is
measured, so that no picture depends on those around it.
"""

from __future__ import annotations

from array import array
from fractions import Fraction
from functools import cache

import av.filter
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from kinora.media.colour import MATRICES, PRIMARIES, TRANSFERS, UNKNOWN, mapping_to_bt709
from kinora.media.tone_curve import Mapping, cube

_FORMAT = "gbrp16le"
_WHITE = 255 << 8  # what swscale makes of full white in 16 bits
_LEVEL = 7  # of the Hald image: 49 steps per component, 343 × 343 points
_STEPS, _EDGE = _LEVEL**2, _LEVEL**3
_SCALER = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_KNOWN_MATRICES = {1, 5, 6, 9}  # H.273; anything else is taken for BT.2020
_TICK = Fraction(1, 1000)


def mapping_of(picture: VideoFrame) -> Mapping | None:
    """How a decoded picture becomes BT.709, by its own signals; None for standard range and gamut."""
    return mapping_to_bt709(
        PRIMARIES.get(picture.color_primaries, UNKNOWN),
        TRANSFERS.get(picture.color_trc, UNKNOWN),
        MATRICES.get(picture.colorspace, UNKNOWN),
    )


class ToneMap:
    """Maps the pictures of one video. Decoded pictures may differ in size and format among themselves."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._to_light = VideoReformatter()
        self._to_picture = VideoReformatter()
        self._lookup: _Lookup | None = None

    def render(self, picture: VideoFrame, width: int, height: int, pixel_format: str = "yuv420p") -> VideoFrame:
        """`picture` in that size, as limited-range BT.709 or as full-range RGB."""
        is_known = picture.format.is_rgb or picture.colorspace in _KNOWN_MATRICES
        wide = self._to_light.reformat(
            picture,
            width,
            height,
            _FORMAT,
            interpolation=_SCALER,
            threads=1,
            src_colorspace=None if is_known else Colorspace.BT2020,
            dst_color_range=ColorRange.JPEG,
        )
        if self._lookup is None or self._lookup.size != (width, height):
            self._lookup = _Lookup(self._mapping, width, height)
        mapped = self._lookup.apply(wide)
        mapped.color_range = ColorRange.JPEG
        is_rgb = VideoFormat(pixel_format).is_rgb
        result = self._to_picture.reformat(
            mapped,
            format=pixel_format,
            interpolation=_SCALER | Interpolation.FULL_CHR_H_INP,
            threads=1,
            dst_colorspace=None if is_rgb else Colorspace.ITU709,
            dst_color_range=ColorRange.JPEG if is_rgb else ColorRange.MPEG,
        )
        result.color_trc, result.color_primaries = ColorTrc.BT709, ColorPrimaries.BT709
        return result


class _Lookup:
    """FFmpeg's filter for pictures of one size, with its table."""

    def __init__(self, mapping: Mapping, width: int, height: int) -> None:
        self.size = (width, height)
        graph = av.filter.Graph()
        graph.threads = 1
        pixels = VideoFormat(_FORMAT)
        self._pictures = graph.add_buffer(width=width, height=height, format=pixels, time_base=_TICK)
        table = graph.add_buffer(width=_EDGE, height=_EDGE, format=pixels, time_base=_TICK)
        lookup = graph.add("haldclut", "clut=first:interp=tetrahedral")
        self._sink = graph.add("buffersink")
        self._pictures.link_to(lookup, 0, 0)
        table.link_to(lookup, 0, 1)
        lookup.link_to(self._sink)
        graph.configure()
        self._graph = graph
        self._count = 0
        table.push(_hald_image(mapping))
        table.push(None)

    def apply(self, picture: VideoFrame) -> VideoFrame:
        picture.pts, picture.time_base = self._count, _TICK
        self._count += 1
        self._pictures.push(picture)
        mapped = self._sink.pull()
        if not isinstance(mapped, VideoFrame):
            raise TypeError(f"the lookup gave a {type(mapped).__name__}")
        return mapped


def _hald_image(mapping: Mapping) -> VideoFrame:
    image = VideoFrame(_EDGE, _EDGE, _FORMAT)
    stride = image.planes[0].line_size
    for plane, values in zip(image.planes, _table(mapping), strict=True):
        rows = (values[at : at + 2 * _EDGE].ljust(stride, b"\0") for at in range(0, len(values), 2 * _EDGE))
        plane.update(b"".join(rows))
    image.pts, image.time_base = 0, _TICK
    return image


@cache
def _table(mapping: Mapping) -> tuple[bytes, bytes, bytes]:
    """The planes of the table; steps and results are scaled to what swscale calls white.

    FFmpeg reads a table's planes as red, green and blue, although it writes and shows such pictures as green, blue and red.
    """
    points = list(cube(mapping, _STEPS, 65535 / _WHITE))
    red, green, blue = (array("H", [round(point[one] * _WHITE) for point in points]).tobytes() for one in range(3))
    return red, green, blue
