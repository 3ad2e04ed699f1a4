"""What is to be done to a picture, in its canonical form: the same picture is always asked for by the same options.

Made by `image_grammar`, carried to the function that makes the picture, performed by `media.transform`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from kinora.errors import InvalidEvent

RECIPE = 1  # grows when the same options begin to give another picture
MAX_SIDE = 16383  # the longest side that WebP can have (RFC 9649 §2.5)
FORMATS = ("jpg", "png", "webp", "avif", "gif")
LOSSY_FORMATS = frozenset({"jpg", "webp", "avif"})
ANIMATED_FORMATS = frozenset({"webp", "gif"})
ANIMATED_TYPES = frozenset({"image/gif", "image/webp"})

# Where the picture lies in its frame: shares of the free space to the left and above.
COMPASS = {
    "centre": (0.5, 0.5),
    "north": (0.5, 0.0),
    "northeast": (1.0, 0.0),
    "east": (1.0, 0.5),
    "southeast": (1.0, 1.0),
    "south": (0.5, 1.0),
    "southwest": (0.0, 1.0),
    "west": (0.0, 0.5),
    "northwest": (0.0, 0.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """In the order in which they are performed. What is at its default is not part of the canonical form.

    `page` counts from 1; None is the whole of an animation where the format can show it, else the first. `time` is seconds into
    a video. `crop` is left, top, width, height as seen upright: pixels, or fractions if `crop_is_fraction`. `width` and
    `height` are pixels. `rotate` is in degrees clockwise and comes before `mirror` (left to right). `blur` and `sharpen` are
    the sigma of a Gaussian in pixels of the result. `background` is six hex digits. `quality` is None where the format has none.
    """

    format: str
    page: int | None = None
    time: float = 0.0
    crop: tuple[float, float, float, float] | None = None
    crop_is_fraction: bool = False
    rotate: int = 0
    mirror: bool = False
    width: int | None = None
    height: int | None = None
    fit: str = "inside"
    gravity: str = "centre"
    blur: float = 0.0
    sharpen: float = 0.0
    background: str | None = None
    quality: int | None = None
    strip: bool = True

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible, without what is at its default."""
        return {name: value for name, value in asdict(self).items() if value != _DEFAULTS.get(name)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> ImageOptions:
        """Read what `to_dict` gave; raises InvalidEvent for anything else."""
        try:
            crop = raw.get("crop")
            return cls(**{**raw, "crop": tuple(crop) if crop else None})
        except TypeError as error:
            raise InvalidEvent(f"no options of a picture: {raw}") from error


_DEFAULTS = {one.name: one.default for one in fields(ImageOptions)}


def processing_hash(content_hash: str, options: ImageOptions) -> str:
    """SHA-256 over the canonical JSON of content, options and recipe: the name of the picture that comes of them."""
    named = {"content": content_hash, "options": options.to_dict(), "recipe": RECIPE}
    canonical = json.dumps(named, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
