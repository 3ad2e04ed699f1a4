"""Writes and reads WebVTT cues (W3C WebVTT) and reads SubRip: text that nobody can be trusted with becomes safe cues.

Called by subtitles. Of all markup only bold, italic and underlined survive; nothing here knows tracks or containers.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MOST_CUES = 50_000  # a film has about 1,500
MOST_BYTES = 4_000_000  # of one track: what an API on AWS can answer with
_LONGEST_TEXT = 2_000  # characters of one cue
_LATEST = 1000 * 3600 * 1000  # milliseconds

_TAG = re.compile(r"<(/?)([A-Za-z]{1,20})([^<>\n]{0,200})>|<[0-9:.]{5,15}>|\{\\[^{}\n]{0,200}\}")
_KEPT = {"b", "i", "u"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\ufeff\ufffe\uffff]")
_TIMING = re.compile(
    r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d)(?:[.,](\d{1,3}))?[ \t]*-->[ \t]*"
    r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d)(?:[.,](\d{1,3}))?(?:[ \t].*)?"
)
_HEADER = re.compile(r"\ufeff?WEBVTT(?![^ \t\r\n])")


@dataclass(frozen=True, slots=True)
class Cue:
    """`text` from `start` to `end` (milliseconds); `text` is cue text as it stands in a file, escaped and without empty lines."""

    start: int
    end: int
    text: str


def plain_cue(start: int, end: int, text: str, *, is_escaped: bool = False) -> Cue | None:
    """A cue of text with markup like SubRip's, or, `is_escaped`, like WebVTT's; None if nothing would be shown."""
    if not 0 <= start < end <= _LATEST:
        return None
    shown = _safe(text, is_escaped=is_escaped)
    return Cue(start, end, shown) if re.sub(r"</?[biu]>", "", shown).strip() else None


def write(cues: Iterable[Cue]) -> bytes:
    """A WebVTT file with the cues in the order of their time, as many as MOST_CUES and MOST_BYTES allow.

    Its times are those of the stream: media time 0 is cue time 0 (RFC 8216 §3.5).
    """
    parts = [b"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"]
    size = len(parts[0])
    for cue in sorted(cues, key=lambda one: (one.start, one.end))[:MOST_CUES]:
        part = f"\n{_clock(cue.start)} --> {_clock(cue.end)}\n{cue.text}\n".encode()
        size += len(part)
        if size > MOST_BYTES:
            break
        parts.append(part)
    return b"".join(parts)


def read(text: str) -> Iterator[Cue]:
    """The cues of a WebVTT or SubRip file, at most MOST_CUES; blocks without a valid timing, styles and notes are left out."""
    is_webvtt = is_webvtt_text(text)
    count = 0
    for start, end, body in _blocks(text, has_gaps=not is_webvtt):
        cue = plain_cue(start, end, body, is_escaped=is_webvtt)
        if cue is not None:
            yield cue
            count += 1
            if count == MOST_CUES:
                return


def is_webvtt_text(text: str) -> bool:
    """Whether a file begins as WebVTT does; other text is taken for SubRip."""
    return _HEADER.match(text) is not None


def _blocks(text: str, *, has_gaps: bool) -> Iterator[tuple[int, int, str]]:
    """Timing and body of every block. A body ends before the next timing and the number above it, and, unless it
    `has_gaps` as SubRip in the wild does, at an empty line."""
    timing: re.Match[str] | None = None
    body: list[str] = []
    for line in text.splitlines():
        is_timing = "-->" in line and line.lstrip()[:1].isdecimal()
        if timing and (is_timing or not (has_gaps or line.strip())):
            yield _time(timing, 1), _time(timing, 5), "\n".join(_without_number(body) if is_timing else body)
            timing, body = None, []
        if is_timing:
            timing = _TIMING.fullmatch(line.strip())
        elif timing:
            body.append(line)
    if timing:
        yield _time(timing, 1), _time(timing, 5), "\n".join(body)


def _without_number(body: list[str]) -> list[str]:
    """The body without the line that names the next block: a number, or whatever follows an empty line."""
    if body and body[-1].strip() and (body[-1].strip().isdecimal() or (len(body) > 1 and not body[-2].strip())):
        return body[:-1]
    return body


def _time(timing: re.Match[str], group: int) -> int:
    hours, minutes, seconds, fraction = timing.group(group, group + 1, group + 2, group + 3)
    return ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int((fraction or "").ljust(3, "0"))


def _safe(text: str, *, is_escaped: bool) -> str:
    """Cue text: everything escaped but the tags that are kept, no empty lines, no control characters."""

    def escape(piece: str) -> str:
        return html.escape(html.unescape(piece) if is_escaped else piece, quote=False)

    text = text[:_LONGEST_TEXT].replace("\r\n", "\n").replace("\r", "\n")
    made: list[str] = []
    at = 0
    opened: list[str] = []
    for tag in _TAG.finditer(text):
        made += [escape(text[at : tag.start()]), _kept(tag, opened)]
        at = tag.end()
    made.append(escape(text[at:]))
    made += [f"</{name}>" for name in reversed(opened)]
    shown = _CONTROL.sub("", "".join(made))
    return "\n".join(line.strip() for line in shown.split("\n") if line.strip())


def _kept(tag: re.Match[str], opened: list[str]) -> str:
    """The tag if it is one of those that are kept and stands where it can; `opened` are those that it may close."""
    name = (tag[2] or "").lower()
    if name not in _KEPT:
        return ""
    if not tag[1]:
        opened.append(name)
        return f"<{name}>"
    if opened and opened[-1] == name:
        opened.pop()
        return f"</{name}>"
    return ""


def _clock(milliseconds: int) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{thousandths:03}"
