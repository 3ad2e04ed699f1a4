"""Thumbnails of still pictures, judged by Pillow."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys

import pytest
import pyvips
from PIL import Image, ImageCms, ImageFilter, ImageOps

from kinora.media.image import ImageInfo
from kinora.settings import ImageVariant
from tests.unit.media.image_samples import MEDIA, difference, info, made, one, photo, saved

SRGB = ImageCms.createProfile("sRGB")


def test_default_variants_are_never_larger_than_the_picture_and_keep_its_shape():
    sizes = {picture.name: (picture.width, picture.height) for picture in made(saved(photo(1200, 800), "JPEG"))}
    assert sizes == {"thumb": (320, 213), "medium": (960, 640), "large": (1200, 800)}


@pytest.mark.parametrize("image_format", ["webp", "avif", "jpg", "png"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF"])
def test_every_input_in_every_output(kind, image_format):
    source = photo()
    options = {} if kind in {"PNG", "TIFF", "GIF"} else {"quality": 90}

    result = one(saved(source, kind, **options), 320, image_format)

    assert result.format == {"jpg": "JPEG"}.get(image_format, image_format.upper())
    assert difference(result, source.resize(result.size, Image.Resampling.LANCZOS)) < (7 if kind == "GIF" else 5.5)


@pytest.mark.parametrize("shape", [(640, 427), (101, 999), (999, 101), (3, 1000), (1000, 1)])
def test_a_chain_of_sizes_looks_like_each_size_made_alone(shape):
    content = saved(photo(*shape), "PNG")
    widths = [1, 7, 50, 99, 320]
    chained = made(content, [ImageVariant(f"w{width}", width) for width in widths], ["png"])
    for picture in chained:
        alone = one(content, int(picture.name[1:]))
        assert difference(Image.open(io.BytesIO(picture.data)), alone) < 3
        assert alone.width == min(int(picture.name[1:]), shape[0])
        assert alone.height == max(1, round(shape[1] * min(1, int(picture.name[1:]) / shape[0])))


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((100, 100), (100, 100)),
        ((300, 50), (300, 50)),
        ((50, 300), (50, 300)),
        ((800, 400), (640, 320)),
        ((500, 1000), (214, 427)),
    ],
)
def test_a_box_is_filled_from_the_centre_and_never_upscaled(box, expected):
    source = photo().filter(ImageFilter.GaussianBlur(4))
    result = one(saved(source, "PNG"), box[0], height=box[1])
    assert result.size == expected
    assert difference(result, ImageOps.fit(source, expected, Image.Resampling.LANCZOS)) < 1.5


def test_boxes_and_widths_mix_in_one_chain():
    content = saved(photo(1000, 500), "JPEG")
    variants = [ImageVariant("wide", 400), ImageVariant("tall", 60, 480), ImageVariant("square", 50, 50)]
    pictures = made(content, variants, ["png"])
    assert {(one.name, one.width, one.height) for one in pictures} == {
        ("wide", 400, 200),
        ("tall", 60, 480),
        ("square", 50, 50),
    }
    for picture in pictures:
        expected = ImageOps.fit(photo(1000, 500), (picture.width, picture.height), Image.Resampling.LANCZOS)
        assert difference(Image.open(io.BytesIO(picture.data)), expected) < 5


def test_a_picture_longer_than_webp_can_hold_is_shrunk_to_fit():
    result = one(saved(Image.new("RGB", (40, 20000), "red"), "PNG"), 1920, "webp")
    assert result.size == (33, 16383)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(kind, orientation):
    source, exif = photo(120, 80), Image.Exif()
    exif[0x0112] = orientation
    content = saved(source, kind, exif=exif) if kind != "TIFF" else saved(source, kind, tiffinfo={0x0112: orientation})
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))

    found, result = info(content), one(content, 60)

    assert (found.width, found.height) == upright.size
    assert difference(result, upright.resize(result.size, Image.Resampling.LANCZOS)) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_of_heic_is_applied_once_though_it_is_said_twice(orientation):
    source, exif = photo(120, 80), Image.Exif()
    exif[0x0112] = orientation
    content = saved(source, "HEIF", quality=95, exif=exif.tobytes())
    assert exif.tobytes()[6:] in content
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(saved(source, "PNG", exif=exif))))

    found, result = info(content), one(content, 60)

    assert (found.width, found.height) == upright.size
    assert difference(result, upright.resize(result.size, Image.Resampling.LANCZOS)) < 5


def test_real_sideways_photo():
    content = (MEDIA / "orient6.jpg").read_bytes()
    assert info(content) == ImageInfo(1800, 1200, 1, has_alpha=False)
    upright = ImageOps.exif_transpose(Image.open(MEDIA / "orient6.jpg"))
    assert difference(one(content, 320), upright.resize((320, 213), Image.Resampling.LANCZOS)) < 4


def test_no_metadata_is_left_in_any_format():
    exif = Image.Exif()
    exif[0x010F] = "SecretMaker"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>SecretMaker</x:xmpmeta>"
    profile = ImageCms.ImageCmsProfile(SRGB).tobytes()
    for kind in ("JPEG", "WEBP", "AVIF", "PNG", "HEIF"):
        extra = {} if kind == "PNG" else {"xmp": xmp}
        content = saved(photo(), kind, exif=exif.tobytes(), icc_profile=profile, **extra)
        assert b"SecretMaker" in content
        for picture in made(content, [ImageVariant("thumb", 100)], ("webp", "avif", "jpg", "png", "gif")):
            assert not any(mark in picture.data for mark in (b"SecretMaker", b"xmpmeta", b"ICC_PROFILE", b"acsp"))
            opened = Image.open(io.BytesIO(picture.data))
            assert not dict(opened.getexif())
            assert not {"exif", "xmp", "icc_profile", "comment"} & set(opened.info)


def test_nothing_of_a_gain_map_is_left():
    content = (MEDIA / "gainmap.jpg").read_bytes()
    assert b"hdrgm" in content
    assert content.count(b"\xff\xd8\xff") > 1
    for picture in made(content, formats=("jpg", "webp")):
        assert b"hdrgm" not in picture.data
        assert b"MPF" not in picture.data
        assert picture.data.count(b"\xff\xd8\xff") == (picture.format == "jpg")
    with Image.open(io.BytesIO(content)) as source:
        plain = ImageCms.profileToProfile(source, ImageCms.getOpenProfile(io.BytesIO(source.info["icc_profile"])), SRGB)
    result = one(content, 320)
    assert difference(result, plain.resize(result.size, Image.Resampling.LANCZOS)) < 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "HEIF"])
def test_wide_gamut_becomes_srgb(kind):
    p3 = bytes(pyvips.Image.profile_load("p3"))
    source = Image.new("RGB", (64, 64), (200, 100, 60))
    options = {"quality": 100} if kind in {"JPEG", "WEBP", "HEIF"} else {}
    expected = ImageCms.profileToProfile(source, ImageCms.getOpenProfile(io.BytesIO(p3)), SRGB)

    result = one(saved(source, kind, icc_profile=p3, **options), 32)

    assert difference(source, expected) > 5
    assert difference(result, expected.resize((32, 32))) < 3


def test_cmyk_with_its_profile():
    with Image.open(MEDIA / "cmyk.jpg") as source:
        profile = ImageCms.getOpenProfile(io.BytesIO(source.info["icc_profile"]))
        expected = ImageCms.profileToProfile(source, profile, SRGB, ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB")
    result = one((MEDIA / "cmyk.jpg").read_bytes(), 320)
    assert result.mode == "RGB"
    assert difference(result, expected.resize(result.size, Image.Resampling.LANCZOS)) < 6


@pytest.mark.parametrize(
    ("ink", "colour"),
    [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((0, 0, 0, 255), (35, 31, 32)),
        ((0, 255, 255, 0), (237, 28, 36)),
        ((255, 255, 0, 0), (46, 49, 146)),
        ((255, 0, 255, 0), (0, 166, 81)),
    ],
)
def test_cmyk_without_a_profile_looks_as_in_print(ink, colour):
    shown = one(saved(Image.new("CMYK", (32, 32), ink), "TIFF"), 16).getpixel((8, 8))
    assert all(abs(got - wanted) < 36 for got, wanted in zip(shown, colour, strict=True)), shown


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "RGBA"])
def test_few_and_many_bits_become_eight(mode):
    grey = Image.linear_gradient("L").resize((64, 64))
    source = (
        Image.frombytes("I;16", (64, 64), b"".join(bytes((0, value)) for value in grey.tobytes()))
        if mode == "I;16"
        else grey.convert(mode)
    )
    content = saved(source, "PNG")

    result = one(content, 32)

    assert result.mode in {"L", "LA", "RGB", "RGBA"}
    assert difference(result, grey.resize((32, 32), Image.Resampling.LANCZOS)) < (40 if mode == "1" else 5)


@pytest.mark.parametrize("bands", [3, 4])
def test_sixteen_bits_per_channel(bands):
    deep = pyvips.Image.new_from_file(str(MEDIA / "china.jpg")).colourspace("rgb16")
    content = (deep if bands == 3 else deep.bandjoin(65535)).pngsave_buffer(bitdepth=16)
    assert info(content).has_alpha is (bands == 4)
    assert difference(one(content, 320), photo(320, 214)) < 4


@pytest.mark.parametrize("image_format", ["webp", "avif", "png"])
def test_alpha_is_kept(image_format):
    content = (MEDIA / "alpha.png").read_bytes()
    assert info(content) == ImageInfo(2048, 1536, 1, has_alpha=True)
    expected = Image.open(MEDIA / "alpha.png").resize((320, 240), Image.Resampling.LANCZOS)
    result = one(content, 320, image_format)
    assert result.mode == "RGBA"
    assert difference(result.getchannel("A"), expected.getchannel("A")) < 3


def test_jpeg_shows_transparency_on_white():
    source = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    source.paste((255, 0, 0, 255), (0, 0, 32, 64))
    result = one(saved(source, "PNG"), 64, "jpg")
    assert result.getpixel((56, 32)) == (255, 255, 255)
    assert result.getpixel((8, 32))[0] > 240


def test_colour_under_transparency_does_not_bleed():
    source = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    source.paste((255, 0, 0, 255), (0, 0, 30, 64))
    edge = [one(saved(source, "PNG"), 16).getpixel((x, 8)) for x in range(16)]
    assert all(pixel[1] < 40 for pixel in edge if pixel[3] > 20)


def test_quality_changes_the_size():
    content = saved(photo(), "PNG")
    for image_format in ("webp", "avif", "jpg"):
        low, high = (made(content, formats=[image_format], quality=quality)[0].data for quality in (30, 90))
        assert len(low) * 2 < len(high)


def test_large_jpeg_for_small_sizes_is_still_sharp():
    source = photo(3200, 2136)
    for width in (100, 199, 201, 399, 401, 799):
        result = one(saved(source, "JPEG", quality=95), width)
        assert difference(result, source.resize(result.size, Image.Resampling.LANCZOS)) < 4


def test_svg_is_rasterised_at_its_own_size():
    content = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="32"><rect width="32" height="32" fill="red"/></svg>'
    assert info(content) == ImageInfo(64, 32, 1, has_alpha=True)
    result = one(content, 320)
    assert result.size == (64, 32)
    assert (result.getpixel((16, 16)), result.getpixel((48, 16))) == ((255, 0, 0, 255), (0, 0, 0, 0))


def test_pages_of_a_tiff_are_counted_and_the_first_is_shown():
    pages = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    content = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert info(content) == ImageInfo(40, 30, 3, has_alpha=False)
    assert one(content, 40).getpixel((5, 5)) == (255, 0, 0)


def test_memory_for_a_photo_of_24_megapixels(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "large.jpg"
    path.write_bytes(saved(photo(6000, 4000), "JPEG", quality=85, exif=exif))
    script = (
        "import sys;from kinora.media.image import *;from kinora.media.sniff import *;from kinora.settings import ImageVariant as V;"
        "f=open(sys.argv[1],'rb');s=sniff(f.read(HEAD_BYTES));"
        "n=sum(1 for _ in make_variants(f,s,[V('a',320),V('b',960),V('c',1920)],['webp'],80,max_pixels=1<<28));"
        "print(n,next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    count, kilobytes = map(int, done.stdout.split())
    assert count == 3
    assert kilobytes < 200_000


def test_order_is_from_large_to_small_and_complete():
    pictures = made(saved(photo(), "JPEG"), formats=("webp", "jpg"))
    assert [(one.name, one.format) for one in pictures[-2:]] == [("thumb", "webp"), ("thumb", "jpg")]
    assert {(one.name, one.format) for one in pictures} == set(itertools.product(("thumb", "medium", "large"), ("webp", "jpg")))
