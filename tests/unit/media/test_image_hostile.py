"""Pictures that are broken, mislabelled or made to harm: each gets a clear error, early and cheaply."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from kinora.errors import CorruptMedia, LimitExceeded, OriginalGone, Unavailable, UnsupportedMedia
from kinora.media import sniff_image, sniff_text
from kinora.media.image import inspect, make_variants
from kinora.media.sniff import HEAD_BYTES, sniff
from kinora.media.sniff_container import HEIC
from kinora.settings import ImageVariant
from tests.unit.media.image_samples import MAX_PIXELS, MEDIA, info, made, photo, saved

SMALL = [ImageVariant("small", 50)]


class CountingFile(io.BytesIO):
    """Counts the bytes that are read, and can fail after some of them, as a storage driver's reader can."""

    def __init__(self, content: bytes, *, fail_after: int | None = None, error: Exception | None = None) -> None:
        super().__init__(content)
        self.bytes_read = 0
        self._fail_after = fail_after
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        if self._error is not None and self._fail_after is not None and self.bytes_read > self._fail_after:
            raise self._error
        return data


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def webp_animation(width: int, height: int) -> bytes:
    """A real animation whose canvas is declared larger afterwards."""
    frames = [photo(64, 48).rotate(angle) for angle in (0, 10, 20)]
    content = bytearray(saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=50))
    at = content.index(b"VP8X") + 12
    content[at : at + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(content)


def resized(content: bytes, old: tuple[int, int], new: tuple[int, int]) -> bytes:
    """A HEIC or AVIF file that declares another size (`ispe`, ISO/IEC 23008-12 §6.5.3)."""
    wrong = content.replace(b"ispe\0\0\0\0" + struct.pack(">II", *old), b"ispe\0\0\0\0" + struct.pack(">II", *new))
    assert wrong != content
    return wrong


def tiff_with_pages(count: int) -> bytes:
    page = Image.new("1", (2000, 2000))
    return saved(page, "TIFF", save_all=True, append_images=[page] * (count - 1), compression="group4")


def jpeg(width: int, height: int) -> bytes:
    content = saved(photo(64, 48), "JPEG")
    at = content.index(b"\xff\xc0")
    return content[: at + 5] + struct.pack(">HH", height, width) + content[at + 9 :]


def gif(width: int, height: int) -> bytes:
    """A canvas and a frame of this size around few real pixels."""
    content, size = saved(Image.new("L", (8, 8)), "GIF"), struct.pack("<HH", width, height)
    return content.replace(struct.pack("<HHHH", 0, 0, 8, 8), bytes(4) + size).replace(struct.pack("<HH", 8, 8), size)


BOMBS = {
    "png": lambda: png(60000, 60000),
    "jpeg": lambda: jpeg(65000, 65000),
    "gif": lambda: gif(65535, 65535),
    "webp": lambda: webp_animation(12000, 12000),
    "tiff": lambda: tiff_with_pages(100),
    "heic": lambda: resized(saved(photo(640, 480), "HEIF"), (640, 480), (60000, 60000)),
    "avif": lambda: resized(saved(photo(640, 480), "AVIF"), (640, 480), (60000, 60000)),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="30000" height="30000"/>',
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_from_the_header(bomb):
    content = BOMBS[bomb]()
    assert len(content) < 300_000
    for look in (info, made):
        start = time.process_time()
        with pytest.raises(LimitExceeded, match="pixels") as refused:
            look(content)
        assert time.process_time() - start < 0.5
        assert str(MAX_PIXELS) in refused.value.public_message


def test_a_bomb_takes_no_memory(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(60000, 60000, bytes(50_000_000)))
    script = (
        "import sys;from kinora.errors import *;from kinora.media.image import *;from kinora.media.sniff import *\n"
        "f=open(sys.argv[1],'rb');s=sniff(f.read(HEAD_BYTES))\n"
        "try: inspect(f,s,max_pixels=1<<28)\n"
        "except LimitExceeded: print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60_000


def test_tiny_frames_without_end_are_refused():
    frame = b"!\xf9\x04\0\2\0\0\0,\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    content = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + frame * 20_000 + b";"
    with pytest.raises(LimitExceeded, match="20000 frames"):
        made(content)


def test_the_header_is_enough_to_inspect():
    for content in (
        saved(photo(2000, 1500), "PNG"),
        saved(photo(3000, 2000), "JPEG", quality=95),
        saved(photo(2000, 1500), "TIFF"),
    ):
        file = CountingFile(content)
        assert inspect(file, sniff(content[:HEAD_BYTES]), max_pixels=MAX_PIXELS).frames == 1
        assert file.bytes_read < 100_000 < len(content)


def test_the_limit_itself_is_allowed():
    content = saved(photo(100, 80), "PNG")
    assert info(content, max_pixels=8000).width == 100
    with pytest.raises(LimitExceeded):
        info(content, max_pixels=7999)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.9, 0.995])
@pytest.mark.parametrize("kind", ["JPEG", "progressive", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF"])
def test_truncated_pictures_fail(kind, part):
    content = saved(photo(), "JPEG", progressive=True) if kind == "progressive" else saved(photo(), kind)
    with pytest.raises(CorruptMedia, match="lib"):
        made(content[: int(len(content) * part)], SMALL)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF"])
def test_what_follows_a_whole_picture_is_ignored(kind):
    content = saved(photo(), kind)
    assert made(content + b"SEFHe\x00junk of the phone" * 100, SMALL)[0].data == made(content, SMALL)[0].data


@pytest.mark.parametrize("content", [b"", b"hello", b"<html></html>" * 100, bytes(5000)])
@pytest.mark.parametrize(
    "sniffed", [sniff_image.JPEG, sniff_image.PNG, sniff_image.GIF, sniff_image.WEBP, sniff_image.TIFF, HEIC, sniff_text.SVG]
)
def test_what_is_no_picture_is_corrupt_whatever_it_was_called(content, sniffed):
    with pytest.raises(CorruptMedia):
        inspect(io.BytesIO(content), sniffed, max_pixels=MAX_PIXELS)


def test_a_forced_type_is_not_guessed_again():
    with pytest.raises(CorruptMedia):
        inspect(io.BytesIO(saved(photo(), "PNG")), sniff_image.JPEG, max_pixels=MAX_PIXELS)


def test_a_video_is_no_picture():
    content = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2mp41" + bytes(64)
    with pytest.raises(UnsupportedMedia):
        info(content)


@pytest.mark.parametrize("error", [OriginalGone("replaced"), Unavailable("timed out"), OSError(5, "Input/output error")])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF"])
def test_errors_of_the_file_are_not_taken_for_damage(kind, error):
    content = saved(photo(1000, 700), kind)
    for fail_after in (0, len(content) // 2):
        file = CountingFile(content, fail_after=fail_after, error=error)
        with pytest.raises(type(error)) as raised:
            list(make_variants(file, sniff(content[:HEAD_BYTES]), SMALL, ["webp"], 80, max_pixels=MAX_PIXELS))
        assert raised.value is error


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF"])
def test_damage_anywhere_is_an_answer_or_an_error_of_kinora(kind):
    content, chance = saved(photo(200, 150), kind), random.Random(7)
    for _ in range(25):
        damaged = bytearray(content)
        for _ in range(12):
            damaged[chance.randrange(16, len(damaged))] = chance.randrange(256)
        try:
            (picture,) = made(bytes(damaged), SMALL)
        except (CorruptMedia, LimitExceeded, UnsupportedMedia):
            continue
        assert picture.width == 50


def svg(body: str, head: str = "") -> bytes:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xi="http://www.w3.org/2001/XInclude"'
    return f'<?xml version="1.0"?>{head}<svg {names} width="64" height="64">{body}</svg>'.encode()


@pytest.mark.parametrize("reference", ["{url}", "{path}", "{name}", "file:{path}"])
@pytest.mark.parametrize(
    "body",
    [
        '<image xlink:href="REF" width="64" height="64"/>',
        '<image href="REF" width="64" height="64"/>',
        '<use href="REF#shape"/>',
        '<style>@import url("REF");</style>',
        '<filter id="f"><feImage href="REF"/></filter><rect width="64" height="64" filter="url(#f)"/>',
        '<xi:include href="REF"/>',
    ],
)
def test_svg_reaches_no_file(tmp_path, monkeypatch, body, reference):
    inner = svg('<rect id="shape" width="64" height="64" fill="red"/>')
    for name in ("inner.svg", "inner.css"):
        (tmp_path / name).write_bytes(inner if name.endswith("svg") else b"svg { background: red }")
    path = tmp_path / ("inner.css" if "import" in body else "inner.svg")
    monkeypatch.chdir(tmp_path)
    content = svg(body.replace("REF", reference.format(url=path.as_uri(), path=path, name=path.name)))

    (picture,) = made(content, SMALL, ["png"])

    assert Image.open(io.BytesIO(picture.data)).getextrema()[3] == (0, 0)


@pytest.mark.parametrize(
    "content",
    [
        svg("<text>&x;</text>", '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
        svg(
            "<text>&l9;</text>",
            '<!DOCTYPE svg [<!ENTITY l0 "lol">'
            + "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 10))
            + "]>",
        ),
        svg("<rect"),
    ],
)
def test_svg_with_entities_that_harm_fails(content):
    start = time.process_time()
    with pytest.raises(CorruptMedia):
        made(content, SMALL)
    assert time.process_time() - start < 1


def test_files_too_long_to_hold_are_refused_unread(tmp_path: Path):
    path = tmp_path / "long.gif"
    with path.open("wb") as sparse:
        sparse.write((MEDIA / "animated-loop-3.gif").read_bytes())
        sparse.truncate(200 * 1024 * 1024)
    with path.open("rb") as file, pytest.raises(LimitExceeded):
        inspect(file, sniff_image.GIF, max_pixels=MAX_PIXELS)
