"""Small real pictures, made on the spot."""

from __future__ import annotations

import io

from PIL import Image


def picture(width: int = 64, height: int = 48, colour: tuple[int, int, int] = (200, 80, 30), kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    gradient = Image.linear_gradient("L").resize((width, height))
    Image.merge("RGB", [gradient.point(lambda value, part=part: value * part // 255) for part in colour]).save(buffer, kind)
    return buffer.getvalue()
