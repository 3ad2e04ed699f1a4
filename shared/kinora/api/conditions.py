"""Conditional and range requests (RFC 9110 §13 and §14), decided from the request's headers and what is known of the object.

Called by serving; knows nothing of storage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime

from kinora.errors import PreconditionFailed
from kinora.storage.base import ByteRange

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.IGNORECASE)
_ETAG = re.compile(r'(W/)?"([^"]*)"')


def http_date(moment: float) -> str:
    """`moment` (seconds since the epoch) as an HTTP-date."""
    return formatdate(moment, usegmt=True)


def is_unchanged(headers: Mapping[str, str], etag: str, modified_at: float) -> bool:
    """Evaluate the preconditions in the order of RFC 9110 §13.2.2; True means 304. Raises PreconditionFailed (412).

    `etag` is unquoted and strong.
    """
    if (condition := headers.get("if-match")) is not None:
        if not _matches(condition, etag, weakly=False):
            raise PreconditionFailed
    elif (since := _seconds(headers.get("if-unmodified-since"))) is not None and int(modified_at) > since:
        raise PreconditionFailed
    if (condition := headers.get("if-none-match")) is not None:
        return _matches(condition, etag, weakly=True)
    since = _seconds(headers.get("if-modified-since"))
    return since is not None and int(modified_at) <= since


def wanted_range(headers: Mapping[str, str], etag: str, modified_at: float) -> ByteRange | None:
    """The one range that is asked for; None when there is none, when it is malformed or of several parts (both are to be
    answered in full, RFC 9110 §14.2), or when If-Range does not hold."""
    match = _RANGE.fullmatch(headers.get("range", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if (condition := headers.get("if-range")) is not None and not _if_range_holds(condition, etag, modified_at):
        return None
    if not match[1]:
        return ByteRange(None, int(match[2]))
    first, last = int(match[1]), int(match[2]) if match[2] else None
    if last is not None and last < first:
        return None
    return ByteRange(first, last)


def _matches(condition: str, etag: str, *, weakly: bool) -> bool:
    if condition.strip() == "*":
        return True
    return any(tag == etag and (weakly or not weak) for weak, tag in _ETAG.findall(condition))


def _if_range_holds(condition: str, etag: str, modified_at: float) -> bool:
    tag = _ETAG.fullmatch(condition.strip())
    if tag is not None:
        return not tag[1] and tag[2] == etag
    return _seconds(condition) == int(modified_at)


def _seconds(date: str | None) -> int | None:
    if date is None:
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
