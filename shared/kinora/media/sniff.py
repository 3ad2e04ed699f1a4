"""What content is, judged by its first bytes alone: never by its name or its declared type.

Called by ingest before anything else looks at an original. It only recognises; whether the rest of the content is sound is for
the decoders to find out, which are forced to the type found here.
"""

from __future__ import annotations

from kinora.errors import UnsupportedMedia
from kinora.media import sniff_audio, sniff_container, sniff_image, sniff_text
from kinora.media.sniffed import HEAD_BYTES, Sniffed

__all__ = ["HEAD_BYTES", "Sniffed", "sniff"]

# Strong signatures first; the raw audio streams, which have none, come last.
_RECOGNISERS = (
    sniff_image.recognise,
    sniff_container.recognise,
    sniff_audio.recognise_container,
    sniff_text.recognise_svg,
    sniff_container.recognise_transport_stream,
    sniff_audio.recognise_stream,
)

_OTHERS = (
    (b"PK\x03\x04", "This is a ZIP archive."),
    (b"PK\x05\x06", "This is a ZIP archive."),
    (b"\x1f\x8b", "This is a gzip archive."),
    (b"Rar!\x1a\x07", "This is a RAR archive."),
    (b"7z\xbc\xaf\x27\x1c", "This is a 7-Zip archive."),
    (b"%PDF-", "This is a PDF document."),
    (b"%!PS", "This is a PostScript document."),
    (b"MZ", "This is a program."),
    (b"\x7fELF", "This is a program."),
    (b"\xcf\xfa\xed\xfe", "This is a program."),
    (b"#!", "This is a script."),
    (b"BM", "This is a BMP picture, which Kinora does not process."),
    (b".RMF", "This is RealMedia, which Kinora does not process."),
    (b"nut/multimedia container\x00", "This is a NUT file, which Kinora does not process."),
    (b"8BPS", "This is a Photoshop document."),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "This is a JPEG XL picture, which Kinora does not process."),
    (b"\xff\x0a", "This is a JPEG XL picture, which Kinora does not process."),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "This is a JPEG 2000 picture, which Kinora does not process."),
)


def sniff(head: bytes) -> Sniffed:
    """Recognise content by `head`, its first HEAD_BYTES bytes (all of it if it is shorter).

    An MP4 is a video here even if it turns out to hold only sound: the probe knows better. SVG is recognised, not allowed:
    that is the caller's decision. Raises UnsupportedMedia with a public message that says what was seen, where that is known.
    """
    for recognise in _RECOGNISERS:
        found = recognise(head)
        if found is not None:
            return found
    seen = _describe(head)
    raise UnsupportedMedia(f"not media: starts with {head[:16].hex()}", public_message=seen)


def _describe(head: bytes) -> str | None:
    if not head:
        return "The file is empty."
    for signature, sentence in _OTHERS:
        if head.startswith(signature):
            return sentence
    return sniff_text.describe(head)
