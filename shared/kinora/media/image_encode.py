"""Encodes finished pictures: WebP, AVIF, JPEG, PNG and GIF, without any metadata. Called by the rooms that make variants."""

from __future__ import annotations

from typing import Any

ANIMATED_FORMATS = frozenset({"webp", "gif"})

# AVIF reaches the look of WebP at a lower number, and low effort is nearly as small at a tenth of the time.
_AVIF_QUALITY = 0.8


def encode(image: Any, image_format: str, quality: int) -> bytes:
    """`image` is 8-bit sRGB, with or without alpha; a roll of frames has `page-height`, `delay` (ms) and `loop` set."""
    data: bytes
    match image_format:
        case "webp":
            data = image.webpsave_buffer(Q=quality, effort=2, keep="none")
        case "avif":
            data = image.heifsave_buffer(Q=max(1, round(quality * _AVIF_QUALITY)), compression="av1", effort=1, keep="none")
        case "jpg":
            flat = image.flatten(background=255) if image.hasalpha() else image
            data = flat.jpegsave_buffer(Q=quality, optimize_coding=True, keep="none")
        case "png":
            data = image.pngsave_buffer(keep="none")
        case "gif":
            data = image.gifsave_buffer(keep="none")
        case _:
            raise ValueError(f"no such picture format: {image_format}")
    return data
