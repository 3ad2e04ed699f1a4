"""Decodes HEIC and HEIF pictures through libheif's HEVC decoder, which libvips' wheel lacks. Called by the image room.

The library is loaded only when such a picture comes.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from kinora.errors import CorruptMedia
from kinora.media.libvips import pyvips

_BANDS = {"L": 1, "LA": 2, "La": 2, "RGB": 3, "RGBA": 4, "RGBa": 4}


def decode_heic(file: BinaryIO) -> Any:
    """The primary picture as 8 bits per channel with its ICC profile; rotation and mirroring are applied.

    Raises CorruptMedia.
    """
    import pillow_heif

    file.seek(0)
    data = file.read()
    try:
        pictures = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        return _to_vips(pictures[pictures.primary_index])
    except (ValueError, RuntimeError, EOFError, SyntaxError, LookupError, pyvips.Error) as error:
        raise CorruptMedia(f"libheif: {error}") from error


def _to_vips(picture: Any) -> Any:
    (width, height), bands, stride = picture.size, _BANDS[picture.mode], picture.stride
    rows = memoryview(picture.data)
    packed = b"".join(rows[row * stride : row * stride + width * bands] for row in range(height))
    image = pyvips.Image.new_from_memory(packed, width, height, bands, "uchar")
    image = image.copy(interpretation="b-w" if bands < 3 else "srgb")
    if picture.premultiplied_alpha:
        image = image.unpremultiply().cast("uchar")
    profile = picture.info.get("icc_profile")
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image
