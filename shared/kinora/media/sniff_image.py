"""Recognises pictures that carry a signature: JPEG, PNG, GIF, WebP and TIFF. A room of `sniff`; knows only first bytes."""

from __future__ import annotations

from kinora.media.sniffed import Sniffed, image

JPEG = image("image/jpeg", "jpg")
PNG = image("image/png", "png")
GIF = image("image/gif", "gif")
WEBP = image("image/webp", "webp")
TIFF = image("image/tiff", "tif")

_SIGNATURES = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"II+\x00\x08\x00\x00\x00", TIFF),
    (b"MM\x00+\x00\x08\x00\x00", TIFF),
)


def recognise(head: bytes) -> Sniffed | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[8:10] == b"CR" and head[:4] == b"II*\x00":
        return None  # Canon raw: a TIFF whose first picture is only a small preview
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    return None
