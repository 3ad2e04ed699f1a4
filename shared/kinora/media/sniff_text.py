"""Recognises SVG by its root element, and says in a sentence what other text is. A room of `sniff`."""

from __future__ import annotations

import re

from kinora.media.sniffed import Sniffed, image

SVG = image("image/svg+xml", "svg")

_XML_PREAMBLE = re.compile(rb"\s+|<\?[^>]*\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[[^\]]*\]\s*)?>", re.DOTALL)
_SVG_ROOT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?svg[\s>/]")
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|script|style|title|meta|div|p|h1|table|iframe|a|br)\b", re.IGNORECASE)
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"[playlist]", b"file '")
_TEXT_BYTES = bytes(range(0x20, 0x7F)) + b"\t\n\r\f\x1b"


def recognise_svg(head: bytes) -> Sniffed | None:
    return SVG if _SVG_ROOT.match(_root(head)) else None


def describe(head: bytes) -> str | None:
    """A sentence for anyone about `head`, or None if it is not text."""
    text = _root(head)
    if text.startswith(_PLAYLISTS) or re.match(rb"<(?:MPD|SmoothStreamingMedia|asx)\b", text):
        return "This is a playlist, not media."
    if _HTML.match(text):
        return "This is HTML, not media."
    if head.lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b"<?xml"):
        return "This is XML, not media."
    return "This is text, not media." if _is_text(head) else None


def _root(head: bytes) -> bytes:
    """`head` from its first element on: without byte order mark, XML declaration, comments and document type."""
    position = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    while (preamble := _XML_PREAMBLE.match(head, position)) is not None:
        if _HTML.match(head, position):
            break
        position = preamble.end()
    return head[position:]


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    try:
        head[:-3].decode()  # the end may cut a character in two
    except UnicodeDecodeError:
        return False
    return not head.translate(None, _TEXT_BYTES + bytes(range(0x80, 0x100)))
