"""Asking for a segment that a viewer waits for: the protocol, and the words in which the video function is asked and answers.

Used by the drivers, by the pipeline on both sides, and by nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from kinora.errors import (
    CorruptMedia,
    InvalidInput,
    KinoraError,
    LimitExceeded,
    NoSpace,
    NotFound,
    Unavailable,
    UnsupportedMedia,
)

WAIT_SECONDS = 24.0  # how long a request waits at most: an HTTP API answers within 30 seconds, its function within 29

_BY_STATUS: dict[object, type[KinoraError]] = {
    one.status: one for one in (InvalidInput, NotFound, LimitExceeded, UnsupportedMedia, CorruptMedia, NoSpace)
}


class SegmentMaker(Protocol):
    def make(self, content_hash: str, track: str, n: int | None) -> bool:
        """Have segment `n` of `track` made and stored now; None is the track's init segment.

        True when it is stored; False when somebody else is making it at this moment. Raises Pending when it takes longer than
        WAIT_SECONDS or too many others wait, Unavailable, and what the video function raises.
        """


def segment_request(content_hash: str, track: str, n: int | None) -> dict[str, object]:
    """The event with which the video function is invoked."""
    return {"task": "segment", "hash": content_hash, "track": track, "n": n}


def answer_made(is_made: bool) -> dict[str, object]:
    return {"made": is_made}


def answer_failed(error: KinoraError) -> dict[str, object]:
    return {"error": {"code": error.code, "message": error.public_message, "status": error.status}}


def is_made(answer: object) -> bool:
    """What the video function's answer says: as in SegmentMaker.make. Raises the error that it tells of."""
    told: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
    error = told.get("error")
    if error is not None:
        kind = _BY_STATUS.get(error["status"], Unavailable)
        raise kind(f"the video function: {error['code']}", public_message=error["message"], code=error["code"])
    if not isinstance(told.get("made"), bool):
        raise Unavailable(f"the video function answered {answer!r}")
    return bool(told["made"])
