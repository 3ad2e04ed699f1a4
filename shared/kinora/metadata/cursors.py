"""Page cursors: the place in a newest-first listing, as text that callers hand back without looking inside."""

from __future__ import annotations

import base64
import json
import math

from kinora.errors import InvalidInput


def encode_cursor(created_at: float, identity: str) -> str:
    """The cursor after the row made at `created_at` with `identity`; only letters, digits, `-` and `_`."""
    document = json.dumps([created_at, identity], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[float, str]:
    """What `encode_cursor` was given; raises InvalidInput for anything that it did not make."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        created_at, identity = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        place = (float(created_at), str(identity))
        genuine = math.isfinite(place[0]) and encode_cursor(*place) == cursor
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidInput("not a cursor", public_message="The cursor is not valid.") from error
    if not genuine:
        raise InvalidInput("not a cursor", public_message="The cursor is not valid.")
    return place


def check_limit(limit: int) -> int:
    """`limit` if a page can have so many items; raises InvalidInput below 1."""
    if limit < 1:
        raise InvalidInput(f"limit {limit} is below 1", public_message="The limit must be at least 1.")
    return limit
