"""Animated GIF and WebP: what moves in goes on moving in WebP and GIF, and stands still elsewhere."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageSequence

from kinora.media.image import ImageInfo
from kinora.settings import ImageVariant
from tests.unit.media.image_samples import MEDIA, difference, info, made, saved

COLOURS = [(255, 0, 0), (0, 0, 255), (0, 160, 0), (255, 255, 0)]
DELAYS = [40, 110, 250, 70]


def animation(kind: str, frames: list[Image.Image], delays: list[int] | int, loop: int | None = 0) -> bytes:
    options = {} if loop is None else {"loop": loop}
    if kind == "WEBP":
        options |= {"quality": 95}
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=delays, **options)


def flags(width: int = 80, height: int = 60) -> list[Image.Image]:
    return [Image.new("RGB", (width, height), colour) for colour in COLOURS]


def frames_of(data: bytes) -> list[tuple[Image.Image, int]]:
    with Image.open(io.BytesIO(data)) as opened:
        return [
            (frame.convert("RGBA"), int(frame.info["duration"])) for frame in ImageSequence.Iterator(opened) if frame.load()
        ]


def plays(data: bytes) -> int | None:
    """How often the animation is shown, 0 for ever."""
    with Image.open(io.BytesIO(data)) as opened:
        loop = opened.info.get("loop")
        if opened.format == "WEBP":
            return loop
        return 1 if loop is None else loop and loop + 1


@pytest.mark.parametrize("image_format", ["webp", "gif"])
@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_frames_delays_and_colours_are_kept(kind, image_format):
    content = animation(kind, flags(), DELAYS)
    assert (info(content).width, info(content).height, info(content).frames) == (80, 60, 4)

    (picture,) = made(content, [ImageVariant("small", 40)], [image_format])

    frames = frames_of(picture.data)
    assert [delay for _, delay in frames] == DELAYS
    assert all(frame.size == (40, 30) for frame, _ in frames)
    for (frame, _), colour in zip(frames, COLOURS, strict=True):
        assert difference(frame, Image.new("RGB", (40, 30), colour)) < 4


@pytest.mark.parametrize("image_format", ["webp", "gif"])
def test_neighbouring_frames_do_not_bleed_into_each_other(image_format):
    (picture,) = made(animation("GIF", flags(90, 70), 100), [ImageVariant("small", 37)], [image_format])
    for (frame, _), colour in zip(frames_of(picture.data), COLOURS, strict=True):
        for row in (0, frame.height - 1):
            assert all(abs(got - want) < 8 for got, want in zip(frame.getpixel((18, row))[:3], colour, strict=True))


@pytest.mark.parametrize("image_format", ["webp", "gif"])
@pytest.mark.parametrize(
    ("kind", "loop", "times"), [("GIF", 0, 0), ("GIF", 4, 5), ("GIF", None, 1), ("WEBP", 0, 0), ("WEBP", 3, 3)]
)
def test_loop_count_is_kept(kind, loop, times, image_format):
    (picture,) = made(animation(kind, flags(), 100, loop), [ImageVariant("small", 40)], [image_format])
    assert plays(picture.data) == times


def test_real_animation_with_transparency():
    content = (MEDIA / "animated-loop-3.gif").read_bytes()
    source = frames_of(content)
    assert info(content) == ImageInfo(370, 285, 10, has_alpha=True)
    for picture in made(content, [ImageVariant("whole", 1920), ImageVariant("small", 100)], ["webp", "gif"]):
        result = frames_of(picture.data)
        assert [delay for _, delay in result] == [delay for _, delay in source]
        assert plays(picture.data) == 3
        for (frame, _), (original, _) in zip(result, source, strict=True):
            expected = original.resize(frame.size, Image.Resampling.LANCZOS)
            assert difference(frame.getchannel("A"), expected.getchannel("A")) < (30 if picture.format == "gif" else 6)


def test_a_box_is_cut_from_every_frame():
    stripes = [Image.new("RGB", (120, 60), "white") for _ in range(3)]
    for frame, colour in zip(stripes, COLOURS, strict=False):
        frame.paste(colour, (30, 0, 90, 60))
    (picture,) = made(animation("GIF", stripes, 100), [ImageVariant("square", 30, 30)], ["webp"])
    for (frame, _), colour in zip(frames_of(picture.data), COLOURS, strict=False):
        assert frame.size == (30, 30)
        assert difference(frame, Image.new("RGB", (30, 30), colour)) < 6


@pytest.mark.parametrize("image_format", ["jpg", "png", "avif"])
def test_still_formats_show_the_first_frame(image_format):
    pictures = made(animation("GIF", flags(), 100), [ImageVariant("small", 40)], ["webp", image_format])
    assert [picture.format for picture in pictures] == ["webp", image_format]
    with Image.open(io.BytesIO(pictures[1].data)) as still:
        assert getattr(still, "n_frames", 1) == 1
        assert difference(still.convert("RGB"), Image.new("RGB", (40, 30), COLOURS[0])) < 4


def test_a_thousand_frames():
    frames = [Image.new("L", (24, 16), 2 * at % 256) for at in range(1000)]
    content = animation("GIF", frames, 20)
    assert info(content).frames == 1000

    (picture,) = made(content, [ImageVariant("tiny", 12)], ["webp"])

    result = frames_of(picture.data)
    assert sum(delay for _, delay in result) == 1000 * 20
    assert result[-1][0].size == (12, 8)


def test_one_frame_is_a_still_picture():
    content = saved(flags()[0], "GIF")
    assert info(content).frames == 1
    (picture,) = made(content, [ImageVariant("small", 40)], ["webp"])
    assert getattr(Image.open(io.BytesIO(picture.data)), "n_frames", 1) == 1
