"""One picture made from another by options: cut, turned, shrunk, blurred, sharpened, encoded. Called on demand.

Only as much is decoded as is shown and as large as it is needed; the result is upright, sRGB, and without metadata unless asked.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from kinora.errors import InvalidInput, LimitExceeded
from kinora.image_options import ANIMATED_FORMATS, ANIMATED_TYPES, ImageOptions
from kinora.media.deadline import Deadline
from kinora.media.heic import decode_heic
from kinora.media.image import HEVC_TYPES, PAGED_TYPES, ImageInfo, Picture, inspect, shrink_upright
from kinora.media.image_animation import shrink_frames, to_srgb
from kinora.media.image_encode import encode
from kinora.media.image_geometry import jpeg_shrink
from kinora.media.image_open import decoding, field, load, reading
from kinora.media.libvips import pyvips
from kinora.media.sniffed import Sniffed
from kinora.media.transform_finish import finish
from kinora.media.transform_geometry import WHOLE, Part, as_stored, lay_out, pixels, shown_part

_KEPT = "exif:xmp:iptc"
# They would tell what the picture no longer is, or what was cut off it.
_OUTDATED = ("exif-ifd0-Orientation", "jpeg-thumbnail-data", "exif-data")


def transform(
    file: BinaryIO, sniffed: Sniffed, options: ImageOptions, *, max_pixels: int, max_output: int, seconds: float
) -> Picture:
    """`max_pixels` limits width × height × frames of the source, `max_output` those of the result, `seconds` the time for it.

    Raises LimitExceeded, CorruptMedia, InvalidInput for a page that is not there, and whatever `file` raises.
    """
    info = inspect(file, sniffed, max_pixels=max_pixels)
    if options.page is not None and options.page > info.frames:
        raise InvalidInput(public_message=f"The picture has {info.frames} pages.", code="no-such-page")
    is_roll = options.page is None and sniffed.media_type in ANIMATED_TYPES and options.format in ANIMATED_FORMATS
    with Deadline(seconds) as deadline:
        if is_roll and info.frames > 1:
            return _animation(file, sniffed, options, info, max_output, deadline)
        if sniffed.media_type in HEVC_TYPES:
            with decoding():
                return make_still(decode_heic(file), options, max_output=max_output, deadline=deadline)
        with reading(file, sniffed) as source:
            page = {"page": options.page - 1} if options.page and sniffed.media_type in PAGED_TYPES else {}
            whole = load(source, sniffed, **page)
            if page:
                _check_page(whole, max_pixels)
            shrink = _shrink_on_load(whole, sniffed, options, max_output)
            image = whole if shrink == 1 else load(source, sniffed, shrink=shrink)
            return make_still(image, options, max_output=max_output, deadline=deadline, size=(whole.width, whole.height))


def make_still(
    image: Any, options: ImageOptions, *, max_output: int, deadline: Deadline, size: tuple[int, int] | None = None
) -> Picture:
    """The picture that `options` make of a libvips image that may still be on its side. `size` is the stored one, if the image
    was shrunk when it was loaded. Raises LimitExceeded, CorruptMedia."""
    orientation = field(image, "orientation", 1)
    stored_width, stored_height = size or (image.width, image.height)
    width, height = (stored_height, stored_width) if orientation >= 5 else (stored_width, stored_height)
    part = shown_part(options, width, height)
    shown_width, shown_height = pixels(part, width, height)[2:]
    layout = lay_out(options, shown_width, shown_height, max_output=max_output)
    with decoding():
        shown = _cut(deadline.watch(image), as_stored(part, orientation))
        small = shrink_upright(shown, *layout.unturned(options))
        return _encoded(finish(deadline.watch(small), options, layout), options)


def _cut(image: Any, part: Part) -> Any:
    return image if part == WHOLE else image.crop(*pixels(part, image.width, image.height))


def _shrink_on_load(image: Any, sniffed: Sniffed, options: ImageOptions, max_output: int) -> int:
    if sniffed.media_type != "image/jpeg":
        return 1
    on_its_side = field(image, "orientation", 1) >= 5
    width, height = (image.height, image.width) if on_its_side else (image.width, image.height)
    shown = pixels(shown_part(options, width, height), width, height)[2:]
    scaled = lay_out(options, *shown, max_output=max_output).unturned(options)
    return jpeg_shrink(width, height, max(scaled[0] / shown[0], scaled[1] / shown[1]))


def _check_page(image: Any, max_pixels: int) -> None:
    """Pages of a TIFF have sizes of their own."""
    if image.width * image.height > max_pixels:
        raise LimitExceeded(public_message=f"The page has {image.width} × {image.height} pixels; {max_pixels} are allowed.")


def _animation(
    file: BinaryIO, sniffed: Sniffed, options: ImageOptions, info: ImageInfo, max_output: int, deadline: Deadline
) -> Picture:
    """Every frame is shrunk as the roll streams by; only the small roll is held."""
    with reading(file, sniffed) as source:
        roll = deadline.watch(load(source, sniffed, n=-1))
        count, height = info.frames, field(roll, "page-height", roll.height)
        window = pixels(shown_part(options, roll.width, height), roll.width, height)
        layout = lay_out(options, *window[2:], frames=count, max_output=max_output)
        size = layout.unturned(options)
        small = roll if (*window[2:], *size) == (roll.width, height) * 2 else shrink_frames(roll, count, height, window, size)
        small = deadline.watch(to_srgb(small, size[1]).copy_memory())
        frames = [finish(small.crop(0, n * size[1], *size), options, layout, is_frame=True) for n in range(count)]
        joined = pyvips.Image.arrayjoin(frames, across=1).copy()
        joined.set_type(pyvips.GValue.gint_type, "page-height", layout.canvas[1])
        return _encoded(joined, options, height=layout.canvas[1])


def _encoded(image: Any, options: ImageOptions, *, height: int | None = None) -> Picture:
    kept = image.copy()
    for name in kept.get_fields() if not options.strip else ():
        if name in _OUTDATED or name.startswith("exif-ifd1"):
            kept.remove(name)
    data = encode(kept, options.format, options.quality or 100, keep="none" if options.strip else _KEPT)
    return Picture("", options.format, data, image.width, height or image.height)
