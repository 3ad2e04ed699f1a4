"""Avatars: whatever picture comes in becomes one small square. Asked for by the API, made by the image function."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import BinaryIO

from kinora.errors import InvalidEvent, UnsupportedMedia
from kinora.image_options import ImageOptions
from kinora.invoking.base import Request, avatar_request
from kinora.model import Kind, Scope
from kinora.pipeline.having_made import have_made
from kinora.services import Services
from kinora.storage.base import ObjectInfo, PutMode

SIDE = 512  # pixels, at most
_QUALITY = 82
_SECONDS = 20.0  # for one picture: less than its sender waits
_INCOMING = "incoming/"


def avatar_key(user: str) -> str:
    """Where the avatar of a user lies, whatever characters the user's id has."""
    digest = hashlib.sha256(user.encode()).hexdigest()
    return f"users/{digest[:2]}/{digest}.webp"


def store_avatar(services: Services, user: str, picture: BinaryIO) -> ObjectInfo:
    """Make `picture` the avatar of `user`, as a whole or not at all. Raises CorruptMedia, LimitExceeded, UnsupportedMedia, Pending,
    and what `picture` raises."""
    incoming = f"{_INCOMING}{uuid.uuid4().hex}"
    try:
        services.storage.put(Scope.AVATARS, incoming, picture, PutMode.CREATE)
        have_made(services, avatar_request(incoming, avatar_key(user)), lambda: False)
    finally:
        services.storage.delete(Scope.AVATARS, incoming)
    return services.storage.head(Scope.AVATARS, avatar_key(user))


def make_avatar(services: Services, request: Request) -> bool:
    """Perform an `avatar_request`. Raises InvalidEvent, CorruptMedia, LimitExceeded, UnsupportedMedia."""
    from kinora.media.image import inspect
    from kinora.media.sniff import sniff
    from kinora.media.transform import transform
    from kinora.pipeline.fingerprint import read_head

    source, target = _named(request)
    settings = services.settings
    with services.storage.open(Scope.AVATARS, source) as file:
        sniffed = sniff(read_head(file))
        if sniffed.kind is not Kind.IMAGE or (sniffed.media_type == "image/svg+xml" and not settings.allow_svg):
            raise UnsupportedMedia(public_message="An avatar is made of a picture.")
        info = inspect(file, sniffed, max_pixels=settings.max_pixels)
        side = min(SIDE, info.width, info.height)
        options = ImageOptions(format="webp", page=1, width=side, height=side, fit="cover", quality=_QUALITY)
        file.seek(0)
        made = transform(
            file, sniffed, options, max_pixels=settings.max_pixels, max_output=settings.max_output_pixels, seconds=_SECONDS
        )
    services.storage.put(Scope.AVATARS, target, made.data)
    return True


def forget_incoming(services: Services, before: float) -> int:
    """Delete pictures that came in before that time and whose request was killed; returns how many."""
    old = [info.key for info in services.storage.list(Scope.AVATARS, _INCOMING) if info.modified_at < before]
    for key in old:
        services.storage.delete(Scope.AVATARS, key)
    return len(old)


def _named(request: Mapping[str, object]) -> tuple[str, str]:
    source, target = request.get("source"), request.get("target")
    if not isinstance(source, str) or not source.startswith(_INCOMING) or not isinstance(target, str):
        raise InvalidEvent(f"no avatar is named by {request}")
    return source, target
