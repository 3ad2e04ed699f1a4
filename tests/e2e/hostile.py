"""Originals made to harm: cut, disguised, lying, endless, noisy. Small real files, built on the spot and always the same."""

from __future__ import annotations

import gzip
import io
import random
import struct
import wave
import zipfile
import zlib
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import av
import numpy as np
import pillow_heif
from PIL import Image

from tests.pictures import picture

WIDTH, HEIGHT, RATE = 96, 64, 25


@cache
def clip(container: str, codec: str = "libx264", pictures: int = 30, first: int = 0, width: int = WIDTH) -> bytes:
    """A clip with moving noise and a tone; `first` is the time of its first picture in pictures, negative ones allowed."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (HEIGHT, width, 3), dtype=np.uint8)
    with av.open(buffer, "w", format=container) as output:
        video = output.add_stream(codec, rate=RATE, width=width, height=HEIGHT)
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.gop_size = 10
        audio = output.add_stream("aac", rate=44_100, layout="mono")
        for n in range(pictures):
            frame = av.VideoFrame.from_ndarray(np.roll(noise, n * 3, axis=1), format="rgb24")
            frame.pts, frame.time_base = first + n, Fraction(1, RATE)
            output.mux(video.encode(frame))
        for n in range(pictures * 44_100 // RATE // 1024):
            tone = np.sin(np.arange(n * 1024, (n + 1) * 1024) / 16).astype(np.float32)[None]
            sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 44_100, n * 1024 + first * 1764, Fraction(1, 44_100)
            output.mux(audio.encode(sound))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))
    return buffer.getvalue()


@cache
def still(kind: str) -> bytes:
    return picture(160, 120, kind=kind)


@cache
def heic() -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.linear_gradient("L").convert("RGB")).save(buffer, quality=50)
    return buffer.getvalue()


def cut() -> Iterator[tuple[str, bytes]]:
    """Files that end too early."""
    whole = {"mp4": clip("mp4"), "mov": clip("mov"), "mkv": clip("matroska"), "ts": clip("mpegts"), "heic": heic()}
    whole |= {"jpg": still("JPEG"), "png": still("PNG"), "webp": still("WEBP"), "gif": still("GIF")}
    for name, data in whole.items():
        for part in (10, 50, 90):
            yield f"cut-{part}.{name}", data[: len(data) * part // 100]
    yield "empty.mp4", b""
    yield "one-byte.jpg", b"\xff"


def disguised(url: str) -> Iterator[tuple[str, bytes]]:
    """Files that are not what their names say, and files that tell the reader to open `url`."""
    yield "text.mp4", b"nothing to see here\n" * 50
    yield "page.jpg", b"<!doctype html><html><script>alert(1)</script></html>"
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n".encode()
    yield "playlist.mp4", playlist
    yield "playlist-after-ftyp.mp4", box(b"ftyp", b"isom\0\0\0\0isom") + playlist
    yield "playlist-after-noise.ts", bytes((0x47, 0x1F, 0xFF, 0x10)) + b"\xff" * 184 + playlist
    yield "concat.mp4", f"ffconcat version 1.0\nfile '{url}'\n".encode()
    yield "concat-after-ftyp.mp4", box(b"ftyp", b"isom\0\0\0\0isom") + f"ffconcat version 1.0\nfile '{url}'\n".encode()
    yield "manifest.mp4", f'<?xml version="1.0"?><MPD><BaseURL>{url}</BaseURL></MPD>'.encode()
    yield "drawing.png", f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>'.encode()
    yield "data-elsewhere.mp4", refer_to(clip("mp4"), url)
    yield "data-elsewhere.mov", refer_to(clip("mov"), url)
    reference = box(
        b"rmra", box(b"rmda", box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(url) + 1) + url.encode() + b"\0"))
    )
    yield "reference-movie.mov", box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"moov", reference)
    yield "zip-bomb.mp4", zip_bomb()
    yield "gzip-bomb.jpg", gzip.compress(bytes(50_000_000))


def lying() -> Iterator[tuple[str, bytes]]:
    """Files whose headers promise what no machine can hold."""
    yield "huge.png", huge_png(60_000, 60_000)
    yield "wide.png", huge_png(2_000_000_000, 1)
    yield "huge.gif", struct.pack("<6sHHBBB", b"GIF89a", 65_535, 65_535, 0xF0, 0, 0) + bytes(6) + b";"
    yield "many-pictures.gif", many_pictures(100_000)
    yield (
        "huge-track.mp4",
        patch(patch(clip("mp4"), b"avc1", 24, b"\xff\xff\xff\xff"), b"tkhd", 76, b"\xff\xff\0\0\xff\xff\0\0"),
    )
    yield "huge-motion-jpeg.mov", patch(clip("mov", "mjpeg"), b"\xff\xc0\x00\x11\x08", 1, b"\xff\xff\xff\xff", every=True)
    yield "huge-raw.mov", raw_movie(65_535, 65_535)
    yield "samples-of-one-size.mp4", patch(clip("mp4"), b"stsz", 4, struct.pack(">II", 1, 2**31 - 1))
    yield "samples-of-size-none.mp4", patch(clip("mp4"), b"stsz", 8, struct.pack(">I", 2**31 - 1))
    for table in (b"stts", b"stsc", b"stco", b"ctts", b"stss"):
        yield f"entries-{table.decode()}.mp4", patch(clip("mp4"), table, 4, struct.pack(">I", 2**31 - 1))
    yield "samples-in-one-chunk.mp4", many_samples(2**26)
    yield "run-length.mp4", patch(clip("mp4"), b"stts", 8, struct.pack(">I", 2**31 - 1))
    yield "slow.mp4", patch(clip("mp4"), b"stts", 12, struct.pack(">I", 2**31 - 1))
    yield "no-rate.mp4", patch(clip("mp4"), b"stts", 12, bytes(4))
    yield (
        "endless.mp4",
        patch(patch(clip("mp4"), b"mvhd", 12, struct.pack(">II", 1, 2**32 - 2)), b"mdhd", 12, struct.pack(">II", 1, 2**32 - 2)),
    )
    yield "no-timescale.mp4", patch(clip("mp4"), b"mdhd", 12, bytes(4))
    yield "endless.mkv", patch(clip("matroska"), b"\x44\x89\x88", 0, struct.pack(">d", 1e15))
    yield "many-channels.wav", many_channels(255)
    yield "many-channels.mp4", patch(clip("mp4"), b"mp4a", 16, struct.pack(">H", 255))
    yield "fast-sound.wav", patch(many_channels(2), b"fmt ", 8, struct.pack("<I", 2**32 - 1))
    yield "nested.mkv", nested(50_000)
    yield "nested-boxes.mp4", nested_boxes(20_000)
    yield "tag.mp3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(1_000_000)
    yield "before-zero.mkv", clip("matroska", first=-15)
    yield "before-zero.mp4", clip("mp4", first=-15)
    yield "before-zero.ts", clip("mpegts", first=-15)


def noisy(first: int, stop: int) -> Iterator[tuple[str, bytes]]:
    """Sound files with random bits turned over; each seed turns others."""
    sound = {"mp4": clip("mp4"), "mkv": clip("matroska"), "ts": clip("mpegts"), "gif": still("GIF")}
    sound |= {"jpg": still("JPEG"), "png": still("PNG"), "webp": still("WEBP")}
    for name, data in sound.items():
        for seed in range(first, stop):
            yield f"noise-{seed}.{name}", flip(data, random.Random(f"{name}{seed}"))


def flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 4, 16, 64, 256))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content


def patch(data: bytes, mark: bytes, offset: int, value: bytes, *, every: bool = False) -> bytes:
    """`data` with `value` at `offset` bytes behind the end of `mark`, at its first place or every one; `mark` must be there."""
    changed, at = bytearray(data), data.index(mark)
    while at >= 0:
        start = at + len(mark) + offset - (1 if every else 0)
        changed[start : start + len(value)] = value
        at = data.find(mark, at + 1) if every else -1
    return bytes(changed)


def many_samples(count: int) -> bytes:
    """A movie whose first track claims `count` samples of one byte in one chunk: an index of gigabytes from a small file."""
    movie = patch(clip("mp4"), b"stsz", 4, struct.pack(">II", 1, count))
    movie = patch(movie, b"stsc", 4, struct.pack(">IIII", 1, 1, count, 1))
    return patch(movie, b"stts", 4, struct.pack(">III", 1, count, 1))


def refer_to(movie: bytes, url: str) -> bytes:
    """The movie with sample data that lies at `url`: every `url ` entry of its `dref` boxes made to name another file."""
    own = struct.pack(">I4sI", 12, b"url ", 1)
    assert own in movie
    other = struct.pack(">I4sI", 12 + len(url) + 1, b"url ", 0) + url.encode() + b"\0"
    return grown(movie, own, other)


def grown(movie: bytes, old: bytes, new: bytes) -> bytes:
    """The movie with the boxes `old` replaced by `new` and the sizes of all boxes around them set right."""
    result, at = b"", 0
    while at + 8 <= len(movie):
        size, name = struct.unpack_from(">I4s", movie, at)
        content = movie[at + 8 : at + size]
        if name in {b"moov", b"trak", b"mdia", b"minf", b"dinf"}:
            content = grown(content, old, new)
        elif name == b"dref":
            content = content.replace(old, new)
        result += box(name, content)
        at += size
    return result


def huge_png(width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(20_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def many_pictures(count: int) -> bytes:
    header = struct.pack("<6sHHBBB", b"GIF89a", 100, 100, 0xF0, 0, 0) + b"\0\0\0\xff\xff\xff"
    one = b"\x21\xf9\x04\0\x01\0\0\0" + struct.pack("<BHHHHB", 0x2C, 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return header + one * count + b";"


def raw_movie(width: int, height: int) -> bytes:
    """Uncompressed pictures of the given size, of which there are a few bytes."""
    movie = clip("mov", "mjpeg")
    place = movie.index(b"jpeg", movie.index(b"stsd"))
    movie = movie[:place] + b"raw " + movie[place + 4 :]
    return patch(movie, b"raw ", 24, struct.pack(">HH", width, height))


def many_channels(count: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(count)
        sound.setsampwidth(2)
        sound.setframerate(44_100)
        sound.writeframes(bytes(count * 2 * 8_000))
    return buffer.getvalue()


def nested(depth: int) -> bytes:
    """Matroska whose tags lie inside tags inside tags, all of unknown size."""
    whole = clip("matroska")
    segment = whole.index(b"\x18\x53\x80\x67") + 12
    tags = b"\x12\x54\xc3\x67\x01" + b"\xff" * 7 + b"\x73\x73\x01" + b"\xff" * 7
    return whole[:segment] + tags + (b"\x67\xc8\x01" + b"\xff" * 7) * depth


def nested_boxes(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = box(b"udta", inner)
    return box(b"ftyp", b"isom\0\0\0\0isom") + box(b"moov", inner)


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(5):
            archive.writestr(f"{n}.mp4", bytes(10_000_000))
    return buffer.getvalue()


ODD_NAMES = (
    "a b+c%41&d=e;f?.jpg",
    "日本語 – ñandú.jpg",
    "e\u0301-or-é.jpg",
    "-rf.jpg",
    "'quote\".jpg",
    "$(id) `id`.jpg",
    "🏳️‍🌈.jpg",
    "no-extension",
    "x" * 251 + ".jpg",
    "deep/er/and/deep/er.jpg",
)
