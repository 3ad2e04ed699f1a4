"""Under which key an upload is stored, and which it may not have. Used by every route that takes originals in."""

from __future__ import annotations

import re
import secrets
from pathlib import PurePosixPath

from kinora.errors import Forbidden, InvalidKey
from kinora.object_keys import MAX_COMPONENT_BYTES, check_key
from kinora.upload_names import is_unfinished

_DISTINCT_BYTES = 6
_UNFINISHED = "Names that are hidden or stand for unfinished files are not taken in."
_SEPARATORS = re.compile(r"[/\\]")


def key_below(folder: str, key: str) -> str:
    """`key`, given with or without `folder` (which ends with `/`), if it is allowed. Raises InvalidKey."""
    if is_unfinished(key):
        raise InvalidKey(public_message=_UNFINISHED)
    return check_key(key if key.startswith(folder) else folder + key)


def key_within(folder: str, key: str) -> str:
    """`key`, which an earlier answer named, if it lies below `folder`. Raises Forbidden, InvalidKey."""
    if not key.startswith(folder):
        raise Forbidden(public_message="This key lies in another folder.")
    return key_below(folder, key)


def distinct_key(folder: str, filename: str) -> str:
    """A key of its own for a file of this name: two people may upload an IMG_0001.jpg at the same time. Raises InvalidKey."""
    name = _SEPARATORS.split(filename)[-1]
    if is_unfinished(name):
        raise InvalidKey(public_message=_UNFINISHED)
    path = PurePosixPath(name)
    tail = f"-{secrets.token_hex(_DISTINCT_BYTES)}{path.suffix}"
    room = MAX_COMPONENT_BYTES - len(tail.encode())
    stem = path.stem.encode()[:room].decode(errors="ignore")
    return key_below(folder, f"{folder}{stem}{tail}")
