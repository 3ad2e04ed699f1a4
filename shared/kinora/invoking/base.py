"""Asking for what somebody waits for, a segment or a picture: the protocol, and the words in which functions are asked and answer.

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


Request = Mapping[str, object]


class Maker(Protocol):
    def make(self, request: Request) -> bool:
        """Have what `request` names made and stored now.

        True when it is stored; False when somebody else is making it at this moment. Raises Pending when it takes longer than
        WAIT_SECONDS or too many others wait, Unavailable, and what the function that makes it raises.
        """


def segment_request(content_hash: str, track: str, n: int | None) -> dict[str, object]:
    """Segment `n` of `track`, or its init segment if `n` is None: for the video function."""
    return {"task": "segment", "hash": content_hash, "track": track, "n": n}


def picture_request(content_hash: str, options: Mapping[str, object], *, is_video: bool) -> dict[str, object]:
    """A picture of a picture, for the image function, or of a video, for the video function. `options` are canonical."""
    return {"task": "frame" if is_video else "picture", "hash": content_hash, "options": dict(options)}


def avatar_request(source: str, target: str) -> dict[str, object]:
    """The avatar `target` of the picture `source`, both keys of the scope `avatars`: for the image function."""
    return {"task": "avatar", "source": source, "target": target}


def makers(video_function: str, image_function: str) -> dict[str, str]:
    """The function that each task is for; only tasks whose function is known."""
    functions = {"segment": video_function, "frame": video_function, "picture": image_function, "avatar": image_function}
    return {task: function for task, function in functions.items() if function}


def answer_made(is_made: bool) -> dict[str, object]:
    return {"made": is_made}


def answer_failed(error: KinoraError) -> dict[str, object]:
    return {"error": {"code": error.code, "message": error.public_message, "status": error.status}}


def is_made(answer: object) -> bool:
    """What a function's answer says: as in Maker.make. Raises the error that it tells of."""
    told: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
    error = told.get("error")
    if error is not None:
        kind = _BY_STATUS.get(error["status"], Unavailable)
        raise kind(f"the function: {error['code']}", public_message=error["message"], code=error["code"])
    if not isinstance(told.get("made"), bool):
        raise Unavailable(f"the function answered {answer!r}")
    return bool(told["made"])
