"""How the text of a variable becomes a setting's value. Used by the table in settings.py only.

Each function returns the value, or raises ValueError with what is wrong in words that fit behind the variable's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

ROUTE_CLASSES = ("api", "uploads", "keys", "stream", "img", "files")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`requests` in any `seconds` of one client."""

    requests: int
    seconds: int


DEFAULT_RATE_LIMITS: Mapping[str, RateLimit] = MappingProxyType({"keys": RateLimit(120, 60)})


def text(raw: str) -> str:
    return raw


def filled(raw: str) -> str:
    if not raw:
        raise ValueError("must not be empty")
    return raw


def whole(raw: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", raw):
        raise ValueError("must be a whole number")
    return int(raw)


def flag(raw: str) -> bool:
    if raw.lower() in {"1", "true", "yes", "on"}:
        return True
    if raw.lower() in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError("must be true or false")


def positive(raw: str) -> int:
    value = whole(raw)
    if value <= 0:
        raise ValueError("must be greater than 0")
    return value


def non_negative(raw: str) -> int:
    value = whole(raw)
    if value < 0:
        raise ValueError("must not be negative")
    return value


def one_of(*allowed: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return raw

    return parse


def words(raw: str) -> tuple[str, ...]:
    return tuple(raw.replace(",", " ").split())


def rungs(raw: str) -> tuple[int, ...]:
    values = tuple(whole(word) for word in words(raw))
    if not values or any(value < 16 or value % 2 for value in values) or list(values) != sorted(set(values), reverse=True):
        raise ValueError("must be even short edges in pixels, largest first, such as 1080,720,480")
    return values


def quality(raw: str) -> int:
    value = whole(raw)
    if not 1 <= value <= 100:
        raise ValueError("must be 1 to 100")
    return value


def picture_formats(raw: str) -> tuple[str, ...]:
    formats = words(raw)
    if not formats or not set(formats) <= {"webp", "avif", "jpg", "png"}:
        raise ValueError("must be some of webp, avif, jpg, png")
    return formats


def codecs(raw: str) -> tuple[str, ...]:
    names = words(raw)
    if names not in {("h264",), ("h264", "av1")}:
        raise ValueError("must be h264 or h264,av1")
    return names


def audio_codecs(raw: str) -> tuple[str, ...]:
    codecs = words(raw)
    if codecs not in {("aac",), ("aac", "opus")}:
        raise ValueError("must be aac or aac,opus")
    return codecs


def ports(raw: str) -> tuple[int, ...]:
    values = tuple(whole(word) for word in words(raw))
    if not values or any(not 1 <= value <= 65535 for value in values):
        raise ValueError("must be ports, 1 to 65535")
    return values


def prefix(raw: str) -> str:
    if raw.startswith("/") or (raw and not raw.endswith("/")):
        raise ValueError("must end with / and not start with it")
    return raw


def origins(raw: str) -> tuple[str, ...]:
    """Origins as browsers send them (RFC 6454 §6.2), or `*` alone for all."""
    found = words(raw)
    if "*" in found:
        if len(found) > 1:
            raise ValueError("must be * alone or a list of origins")
        return found
    for one in found:
        parts = urlsplit(one)
        if parts.scheme not in {"http", "https"} or one != f"{parts.scheme}://{parts.netloc}".lower() or not parts.hostname:
            raise ValueError(f"{one!r} is not an origin such as https://example.org")
    return found


def rate_limits(raw: str) -> Mapping[str, RateLimit]:
    """The route classes that have a limit. `CLASS=0` has none; one that is not named keeps that of DEFAULT_RATE_LIMITS."""
    limits = dict(DEFAULT_RATE_LIMITS)
    for word in words(raw):
        match = re.fullmatch(r"([a-z]+)=(?:0|([1-9]\d{0,8})/([1-9]\d{0,5}))", word)
        if match is None or match[1] not in ROUTE_CLASSES:
            raise ValueError(f"{word!r} is not CLASS=REQUESTS/SECONDS or CLASS=0 with a class of {', '.join(ROUTE_CLASSES)}")
        limits.pop(match[1], None)
        if match[2]:
            limits[match[1]] = RateLimit(int(match[2]), int(match[3]))
    return MappingProxyType(limits)
