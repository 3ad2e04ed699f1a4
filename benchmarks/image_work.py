"""`python -m benchmarks.image_work WHO TASK PHOTO COUNT`: makes the same pictures of one photo again and again, and no more."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

TASKS = {
    "thumbs": "thumbnails of 320, 960 and 1920 pixels, WebP",
    "card": "300 × 200, filled and cut, WebP",
    "wide": "1600 pixels wide, JPEG",
}
WIDTHS = (320, 960, 1920)
_OPTIONS = {"card": ("w:300,h:200,fit:cover", "webp"), "wide": ("w:1600", "jpg")}


def main() -> None:
    who, task, photo, count = sys.argv[1:]
    data = Path(photo).read_bytes()
    work = {"kinora": _kinora, "pillow": _pillow}[who](task, data)
    for _ in range(int(count)):
        work()


def _kinora(task: str, data: bytes) -> Callable[[], object]:
    from kinora.image_grammar import canonical, parse_options
    from kinora.media.image import make_variants
    from kinora.media.sniff import sniff
    from kinora.media.transform import transform
    from kinora.settings import ImageVariant

    sniffed, limit = sniff(data[:65536]), 1 << 28
    if task == "thumbs":
        variants = [ImageVariant(str(width), width) for width in WIDTHS]
        return lambda: list(make_variants(io.BytesIO(data), sniffed, variants, ["webp"], 80, max_pixels=limit))
    text, image_format = _OPTIONS[task]
    options = canonical(parse_options(text), image_format, sniffed.media_type, 80)
    return lambda: transform(io.BytesIO(data), sniffed, options, max_pixels=limit, max_output=limit, seconds=60)


def _pillow(task: str, data: bytes) -> Callable[[], object]:
    from PIL import Image, ImageOps

    def shrunk(width: int, height: int) -> Image.Image:
        with Image.open(io.BytesIO(data)) as source:
            source.draft("RGB", (width * 2, height * 2))  # decodes at a fraction, twice as large as it is wanted
            return ImageOps.exif_transpose(source)

    def fitting(width: int) -> Image.Image:
        source = shrunk(width, 1)
        return source.resize((width, round(source.height * width / source.width)), Image.Resampling.LANCZOS)

    def saved(picture: Image.Image, kind: str) -> bytes:
        out = io.BytesIO()
        picture.save(out, kind, quality=80)
        return out.getvalue()

    return {
        "thumbs": lambda: [saved(fitting(width), "WEBP") for width in WIDTHS],
        "card": lambda: saved(ImageOps.fit(shrunk(300, 200), (300, 200), Image.Resampling.LANCZOS), "WEBP"),
        "wide": lambda: saved(fitting(1600), "JPEG"),
    }[task]


if __name__ == "__main__":
    main()
