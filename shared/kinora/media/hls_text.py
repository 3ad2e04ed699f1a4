"""How a line of a playlist is written (RFC 8216 §4); a room of hls."""

from __future__ import annotations

from collections.abc import Mapping


def tag(name: str, attributes: Mapping[str, str]) -> str:
    """A tag with an attribute list; values that are strings come `quoted`."""
    return f"#{name}:" + ",".join(f"{key}={value}" for key, value in attributes.items())


def quoted(text: str) -> str:
    """A quoted string, which can hold neither quotes nor line breaks (RFC 8216 §4.2)."""
    return '"' + "".join(one for one in text.replace('"', "'") if one.isprintable()) + '"'


def yes_or_no(claim: bool) -> str:
    return "YES" if claim else "NO"
