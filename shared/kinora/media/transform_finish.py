"""The last steps of a transformed picture, on pixels in memory: turn, cut or surround, blur, sharpen, lay on a colour."""

from __future__ import annotations

from typing import Any

from kinora.image_options import COMPASS, ImageOptions
from kinora.media.transform_geometry import Layout, place

_ANGLES = {90: "d90", 180: "d180", 270: "d270"}
_WHITE = "ffffff"


def finish(image: Any, options: ImageOptions, layout: Layout, *, is_frame: bool = False) -> Any:
    """`image` has been shrunk to `layout` and is upright sRGB. A frame of an animation is cut at the centre where a still is cut
    by what it shows, because every frame would be cut elsewhere."""
    if options.rotate:
        image = image.rot(_ANGLES[options.rotate])
    if options.mirror:
        image = image.fliphor()
    if options.fit == "cover":
        image = _cut(image, options.gravity, layout, is_frame=is_frame)
    elif options.fit == "contain":
        image = _surround(image, options, layout)
    if options.blur:
        image = _blur(image, options.blur)
    if options.sharpen:
        image = image.sharpen(sigma=options.sharpen)
    colour = options.background or (_WHITE if options.format == "jpg" else None)
    if colour is not None and image.hasalpha():
        image = image.colourspace("srgb").flatten(background=_rgb(colour))
    return image


def _cut(image: Any, gravity: str, layout: Layout, *, is_frame: bool) -> Any:
    width, height = layout.canvas
    if (image.width, image.height) == (width, height):
        return image
    if gravity not in COMPASS and not is_frame:
        return image.smartcrop(width, height, interesting=gravity)
    left, top = place(gravity if gravity in COMPASS else "centre", layout.canvas, layout.scaled)
    return image.crop(left, top, width, height)


def _surround(image: Any, options: ImageOptions, layout: Layout) -> Any:
    """In the middle of a colour, or of nothing where the format can show nothing."""
    image = image.colourspace("srgb")
    if options.background is None and options.format != "jpg":
        image = image if image.hasalpha() else image.addalpha()
        background = [0, 0, 0, 0]
    else:
        background = [*_rgb(options.background or _WHITE), *([255] if image.hasalpha() else [])]
    left, top = place(options.gravity, (image.width, image.height), layout.canvas)
    return image.embed(left, top, *layout.canvas, extend="background", background=background)


def _blur(image: Any, sigma: float) -> Any:
    if not image.hasalpha():
        return image.gaussblur(sigma)
    return image.premultiply().gaussblur(sigma).unpremultiply().rint().cast("uchar")


def _rgb(colour: str) -> list[int]:
    return list(bytes.fromhex(colour))
