"""Encodes finished pictures: WebP, AVIF, JPEG, PNG and GIF, without metadata unless asked. Called by the rooms that make variants."""

from __future__ import annotations

from typing import Any

# AVIF reaches the look of WebP at a lower number, and low effort is nearly as small at a tenth of the time.
_AVIF_QUALITY = 0.8


def encode(image: Any, image_format: str, quality: int, *, keep: str = "none") -> bytes:
    """`image` is 8-bit sRGB, with or without alpha; a roll of frames has `page-height`, `delay` (ms) and `loop` set.

    `keep` names the metadata that goes with it, in libvips' words.
    """
    data: bytes
    match image_format:
        case "webp":
            data = image.webpsave_buffer(Q=quality, effort=2, keep=keep)
        case "avif":
            data = image.heifsave_buffer(Q=max(1, round(quality * _AVIF_QUALITY)), compression="av1", effort=1, keep=keep)
        case "jpg":
            flat = image.flatten(background=255) if image.hasalpha() else image
            data = flat.jpegsave_buffer(Q=quality, optimize_coding=True, keep=keep)
        case "png":
            data = image.pngsave_buffer(keep=keep)
        case "gif":
            data = image.gifsave_buffer(keep=keep)
        case _:
            raise ValueError(f"no such picture format: {image_format}")
    return data
