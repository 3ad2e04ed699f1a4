"""Covers of real encodes: which picture is chosen, how it is shown, and what broken videos give."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import pytest
from PIL import Image, ImageDraw, ImageFilter

from kinora.errors import CorruptMedia, OriginalGone
from kinora.media.poster import make_poster
from tests.unit.media import clips
from tests.unit.media.image_samples import difference, photo

MEDIA = Path(__file__).parents[2] / "media"
DEMUXERS = {
    "mp4": "mov",
    "mov": "mov",
    "matroska": "matroska",
    "webm": "matroska",
    "mpegts": "mpegts",
    "avi": "avi",
    "ogg": "ogg",
    "flv": "flv",
}


def scene(colour: str, width: int = 160, height: int = 96) -> Image.Image:
    """A picture with content: a frame of `colour` around a white and a black box, the white one at the top left."""
    picture = Image.new("RGB", (width, height), colour)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width // 3, height // 3), fill="white")
    draw.rectangle((width // 2, height // 2, width * 3 // 4, height * 3 // 4), fill="black")
    return picture


def clip(
    pictures: Sequence[Image.Image],
    container: str = "mp4",
    *,
    rate: int = 10,
    gop: int = 5,
    aspect: Fraction | None = None,
    start: int = 0,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "clip")
        _encode(path, pictures, container, rate, gop, aspect, start, codec, options or {})
        return path.read_bytes()


def _encode(path, pictures, container, rate, gop, aspect, start, codec, options) -> None:
    with av.open(str(path), "w", format=container, options=options) as target:
        stream = target.add_stream(codec, rate=rate)
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.thread_count = 1  # tiny pictures; with a thread per core an encoder was seen to spin for ever
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for at, picture in enumerate(pictures):
            frame = av.VideoFrame.from_image(picture).reformat(format="yuv420p")
            frame.pts, frame.time_base = start + at, Fraction(1, rate)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def cover(content: bytes, container: str = "mp4", *, rotation: int | None = None) -> Image.Image:
    opened = Image.open(io.BytesIO(make_poster(io.BytesIO(content), DEMUXERS[container], rotation=rotation)))
    opened.load()
    assert opened.format == "JPEG"
    return opened


def with_matrix(content: bytes, *terms: int) -> bytes:
    """`content` with another display matrix (`tkhd`, ISO/IEC 14496-12 §8.3.2): a, b, c, d as whole numbers."""
    a, b, c, d = (term << 16 for term in terms)
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    identity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    at = content.index(identity, content.index(b"tkhd"))
    return content[:at] + matrix + content[at + 36 :]


@pytest.mark.parametrize("container", DEMUXERS)
def test_containers(container):
    codec = {"webm": "libvpx", "ogg": "libvpx"}.get(container, "libx264")
    result = cover(clip([scene("teal")] * 12, container, codec=codec), container)
    assert result.size == (160, 96)
    assert difference(result, scene("teal")) < 12


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "avi", "flv"])
def test_the_first_picture_that_shows_something_is_taken(container):
    black, flat = Image.new("RGB", (160, 96)), Image.new("RGB", (160, 96), (90, 120, 150))
    content = clip([black] * 10 + [flat] * 10 + [scene("teal")] * 10 + [scene("orange")] * 30, container)
    assert difference(cover(content, container), scene("teal")) < 12


def test_a_first_picture_that_shows_something_is_good_enough():
    assert difference(cover(clip([scene("orange")] * 5 + [scene("teal")] * 40)), scene("orange")) < 12


@pytest.mark.parametrize(("width", "height"), [(160, 96), (960, 540)])
def test_a_blurred_picture_is_passed_over(width, height):
    sharp = photo(width, height)
    blurred = sharp.filter(ImageFilter.GaussianBlur(width / 100))
    shaken = sharp.filter(ImageFilter.BoxBlur((width // 40, 0)))
    result = cover(clip([blurred] * 5 + [shaken] * 5 + [sharp] * 5 + [blurred] * 15))
    assert difference(result, sharp) < difference(result, shaken)
    assert difference(result, sharp) < difference(result, blurred)


def test_a_film_without_a_sharp_picture_has_its_sharpest():
    soft, softer = (photo(320, 180).filter(ImageFilter.GaussianBlur(radius)) for radius in (6, 12))
    result = cover(clip([softer] * 10 + [soft] * 10 + [softer] * 20))
    assert difference(result, soft) < difference(result, softer)


def test_a_dark_film_has_its_best_picture():
    black, dim = Image.new("RGB", (160, 96)), Image.new("RGB", (160, 96))
    dim.paste((14, 14, 14), (40, 20, 120, 80))
    assert max(cover(clip([black] * 20 + [dim] * 10 + [black] * 30)).convert("L").getextrema()) > 8


def test_all_black_has_a_black_cover():
    assert max(cover(clip([Image.new("RGB", (160, 96))] * 20)).convert("L").getextrema()) < 8


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_clips_of_half_a_second_and_of_one_frame(count, container):
    assert difference(cover(clip([scene("teal")] * count, container), container), scene("teal")) < 12


def test_start_later_than_zero():
    content = clip([Image.new("RGB", (160, 96))] * 10 + [scene("teal")] * 20, "mpegts", start=600)
    assert difference(cover(content, "mpegts"), scene("teal")) < 12


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((0, 1, -1, 0), Image.Transpose.ROTATE_270),
        ((-1, 0, 0, -1), Image.Transpose.ROTATE_180),
        ((0, -1, 1, 0), Image.Transpose.ROTATE_90),
        ((-1, 0, 0, 1), Image.Transpose.FLIP_LEFT_RIGHT),
        ((1, 0, 0, -1), Image.Transpose.FLIP_TOP_BOTTOM),
        ((0, 1, 1, 0), Image.Transpose.TRANSPOSE),
        ((0, -1, -1, 0), Image.Transpose.TRANSVERSE),
    ],
)
def test_rotation_of_phones_is_applied(matrix, turn):
    result = cover(with_matrix(clip([scene("teal")] * 10), *matrix))
    assert difference(result, scene("teal").transpose(turn)) < 12


def test_rotation_can_be_given_clockwise():
    result = cover(clip([scene("teal")] * 10, "matroska"), "matroska", rotation=90)
    assert difference(result, scene("teal").transpose(Image.Transpose.ROTATE_270)) < 12


@pytest.mark.parametrize(("name", "size"), [("pixel", (1, 1)), ("ycgco", (192, 108))])
def test_the_smallest_and_the_strangest_pictures_have_a_cover(name, size):
    assert cover(clips.clip(name).read_bytes(), "matroska").size == size


def test_pixels_become_square():
    result = cover(clip([scene("teal")] * 10, aspect=Fraction(4, 3)))
    assert result.size == (213, 96)


@pytest.mark.parametrize(
    ("size", "expected"), [((1920, 1080), (1280, 720)), ((1080, 1920), (720, 1280)), ((322, 182), (322, 182))]
)
def test_the_long_edge_is_at_most_1280(size, expected):
    picture = photo(*size)
    result = cover(clip([picture] * 2))
    assert result.size == expected
    assert difference(result, picture.resize(expected, Image.Resampling.LANCZOS)) < 8


def test_a_damaged_tail_does_not_matter():
    content = clip([scene("teal")] * 60, "matroska")
    assert difference(cover(content[: len(content) // 3], "matroska"), scene("teal")) < 12
    content = clip([scene("teal")] * 60, options={"movflags": "faststart"})
    assert difference(cover(content[: len(content) * 2 // 3]), scene("teal")) < 12


def test_a_damaged_first_picture_is_passed_over():
    content = bytearray(clip([scene("orange")] * 5 + [scene("teal")] * 25, options={"movflags": "faststart"}))
    start = content.index(b"mdat") + 4
    content[start : start + 900] = bytes(900)
    assert cover(bytes(content)).size == (160, 96)


def test_one_key_frame_in_a_long_video_is_not_searched_further():
    pictures = [Image.effect_noise((160, 96), 80).convert("RGB") for _ in range(20)] * 15
    content = clip([Image.new("RGB", (160, 96)), *pictures], gop=1000, options={"movflags": "faststart"})

    class Counting(io.BytesIO):
        bytes_read = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.bytes_read += len(data)
            return data

    file = Counting(content)
    assert Image.open(io.BytesIO(make_poster(file, "mov"))).size == (160, 96)
    assert file.bytes_read < 1_000_000 < len(content)


def test_a_real_film():
    content = (MEDIA / "bigbuckbunny.mp4").read_bytes()
    result = cover(content)
    assert result.size == (1280, 720)
    assert result.convert("L").getextrema()[1] > 100


def sound(container: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as target:
        stream = target.add_stream("aac", rate=48000, layout="mono")
        for at in range(20):
            frame = av.AudioFrame("fltp", "mono", 1024)
            frame.planes[0].update(bytes(4096))
            frame.rate, frame.pts = 48000, at * 1024
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        lambda: b"",
        lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        lambda: b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        lambda: bytes(100_000),
        lambda: clip([scene("teal")] * 10).partition(b"moov")[0],
        lambda: sound("mp4"),
    ],
)
def test_what_has_no_picture_is_corrupt(content: Callable[[], bytes]):
    with pytest.raises(CorruptMedia):
        make_poster(io.BytesIO(content()), "mov")


def test_errors_of_the_file_pass_unchanged():
    class Replaced(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 3000:
                raise OriginalGone("replaced meanwhile")
            return super().read(min(size or 0, 1000))

    with pytest.raises(OriginalGone):
        make_poster(Replaced(clip([photo(320, 192)] * 10)), "mov")
