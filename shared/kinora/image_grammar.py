"""The grammar of picture options in URLs and presets (docs/images.md): text → words → canonical ImageOptions.

Called by the API after the signature was checked, and by the settings for presets; knows nothing of pictures themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kinora.errors import InvalidInput
from kinora.image_options import ANIMATED_FORMATS, ANIMATED_TYPES, COMPASS, LOSSY_FORMATS, MAX_SIDE, ImageOptions

MAX_TEXT = 512  # characters of an options text
NO_OPTIONS = "-"
_FITS = ("inside", "cover", "contain")
_DETAILS = ("attention", "entropy")
_WHOLE = re.compile(r"[0-9]{1,7}")
_DECIMAL = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,6})?")

Words = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preset:
    """Named options; a public one may be used without a signature."""

    words: Words
    is_public: bool


def parse_options(text: str) -> Words:
    """The words of `name:value,name:value`, each with its value; `-` stands for none.

    Raises InvalidInput with the code `invalid-option` for anything that is not in the grammar or out of its bounds.
    """
    if len(text) > MAX_TEXT:
        raise _wrong(f"The options are longer than {MAX_TEXT} characters.")
    words: dict[str, Any] = {}
    for part in text.split(",") if text != NO_OPTIONS else ():
        name, colon, value = part.partition(":")
        read = _READERS.get(name)
        if read is None or not colon:
            raise _wrong(f"There is no option {part[:40]!r}.")
        if name in words:
            raise _wrong(f"The option {name!r} is given twice.")
        try:
            words[name] = read(value)
        except ValueError as error:
            raise _wrong(f"The option {name!r} {error}.") from None
    return words


def parse_presets(raw: str) -> dict[str, Preset]:
    """`name=OPTIONS` or `public:name=OPTIONS`, separated by spaces; raises ValueError for anything else."""
    found: dict[str, Preset] = {}
    for word in raw.split():
        match = re.fullmatch(r"(public:)?([a-z0-9][a-z0-9_-]{0,31})=(.+)", word)
        if match is None or match[2] in found:
            raise ValueError(f"{word!r} is not a new name=OPTIONS")
        try:
            options = parse_options(match[3])
        except InvalidInput as error:
            raise ValueError(f"{match[2]}: {error.public_message}") from error
        if not options.keys().isdisjoint({"preset", "v"}):
            raise ValueError(f"{match[2]}: neither preset nor v belongs into a preset")
        found[match[2]] = Preset(options, bool(match[1]))
    return found


def expand(words: Words, presets: Mapping[str, Preset]) -> Words:
    """The words with those of their preset below them. Raises InvalidInput for an unknown preset."""
    name = words.get("preset")
    if name is None:
        return words
    if name not in presets:
        raise _wrong(f"There is no preset {name!r}.")
    return {**presets[name].words, **{key: value for key, value in words.items() if key != "preset"}}


def canonical(words: Words, image_format: str, media_type: str, quality: int) -> ImageOptions:
    """The options for a source of `media_type`, with everything left out that makes no difference to the picture.

    `quality` is the one of pictures that are asked for without. Raises InvalidInput.
    """
    is_video = not media_type.startswith("image/")
    width, height = _sizes(words)
    fit = words.get("fit", "inside") if width and height else "inside"
    gravity = "centre" if fit == "inside" else words.get("g", "centre")
    rotate, mirror = _turned(words)
    crop, is_fraction = words.get("crop", (None, False))
    return ImageOptions(
        format=image_format,
        page=None if is_video else _page(words, image_format, media_type),
        time=words.get("t", 0.0) if is_video else 0.0,
        crop=crop,
        crop_is_fraction=is_fraction,
        rotate=rotate,
        mirror=mirror,
        width=width,
        height=height,
        fit=fit,
        gravity="centre" if fit == "contain" and gravity in _DETAILS else gravity,
        blur=words.get("blur", 0.0),
        sharpen=words.get("sharp", 0.0),
        background=_background(words, image_format),
        quality=words.get("q", quality) if image_format in LOSSY_FORMATS else None,
        strip=is_video or image_format == "gif" or words.get("strip", True),
    )


def _sizes(words: Words) -> tuple[int | None, int | None]:
    """Width and height in pixels of the result: those that are asked for, times the density."""
    density = words.get("dpr", 1.0)
    sizes = [None if (side := words.get(name)) is None else max(1, int(side * density + 0.5)) for name in ("w", "h")]
    if any(side is not None and side > MAX_SIDE for side in sizes):
        raise _wrong(f"No side may have more than {MAX_SIDE} pixels, dpr included.")
    return sizes[0], sizes[1]


def _turned(words: Words) -> tuple[int, bool]:
    """Turning upside down is mirroring and half a turn, so that each of the eight ways to lie has one name."""
    flip = words.get("flip", "")
    return (words.get("rot", 0) + (180 if "v" in flip else 0)) % 360, flip in {"h", "v"}


def _page(words: Words, image_format: str, media_type: str) -> int | None:
    page: int | None = words.get("page")
    keeps_all = media_type in ANIMATED_TYPES and image_format in ANIMATED_FORMATS
    return None if page == 1 and not keeps_all else page


def _background(words: Words, image_format: str) -> str | None:
    background: str | None = words.get("bg")
    return None if background == "ffffff" and image_format == "jpg" else background


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(raw: str) -> int:
        if not _WHOLE.fullmatch(raw) or not low <= int(raw) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(raw)

    return read


def _decimal(low: float, high: float, digits: int) -> Callable[[str], float]:
    def read(raw: str) -> float:
        if not _DECIMAL.fullmatch(raw) or not low <= round(float(raw), digits) <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return round(float(raw), digits)

    return read


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(raw: str) -> str:
        if raw not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return raw

    return read


def _matching(pattern: str, what: str) -> Callable[[str], str]:
    def read(raw: str) -> str:
        if not re.fullmatch(pattern, raw):
            raise ValueError(f"must be {what}")
        return raw

    return read


def _gravity(raw: str) -> str:
    return _one_of(*COMPASS, *_DETAILS)("centre" if raw == "center" else raw)


def _crop(raw: str) -> tuple[tuple[float, ...] | None, bool]:
    """Pixels; with a point in any of the numbers, fractions of the picture's sides. The whole picture is no crop."""
    parts = raw.split(":")
    is_fraction = "." in raw
    high = 1.0 if is_fraction else 1e6
    try:
        left, top, width, height = (_decimal(0.0, high, 6)(part) for part in parts)
    except ValueError:
        raise ValueError("must be left:top:width:height, in pixels or in fractions such as 0.25:0:0.5:1.0") from None
    if not width or not height:
        raise ValueError("must have a width and a height")
    if is_fraction and (left, top, width, height) == (0.0, 0.0, 1.0, 1.0):
        return None, False
    return (left, top, width, height), is_fraction


def _background_word(raw: str) -> str:
    return _matching(r"[0-9a-fA-F]{6}", "six hex digits")(raw).lower()


_READERS: dict[str, Callable[[str], Any]] = {
    "w": _whole(1, MAX_SIDE),
    "h": _whole(1, MAX_SIDE),
    "fit": _one_of(*_FITS),
    "g": _gravity,
    "q": _whole(1, 100),
    "dpr": _decimal(0.1, 5.0, 2),
    "rot": lambda raw: int(_one_of("0", "90", "180", "270")(raw)),
    "flip": _one_of("h", "v", "hv"),
    "blur": _decimal(0.0, 50.0, 2),
    "sharp": _decimal(0.0, 10.0, 2),
    "crop": _crop,
    "page": _whole(1, 100_000),
    "t": _decimal(0.0, 1e6, 3),
    "strip": lambda raw: _one_of("0", "1")(raw) == "1",
    "bg": _background_word,
    "preset": _matching(r"[a-z0-9][a-z0-9_-]{0,31}", "the name of a preset"),
    "v": _matching(r"[0-9a-f]{8,64}", "8 to 64 digits of the content's hash"),
}


def _wrong(message: str) -> InvalidInput:
    return InvalidInput(public_message=message, code="invalid-option")
