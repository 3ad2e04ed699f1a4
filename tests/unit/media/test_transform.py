"""Pictures made by options, judged by Pillow: sizes, places, turns, colours, pages, metadata, limits."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from kinora.errors import CorruptMedia, InvalidInput, KinoraError, LimitExceeded
from kinora.image_grammar import canonical, parse_options
from kinora.media.image import Picture
from kinora.media.sniff import HEAD_BYTES, sniff
from kinora.media.transform import transform
from tests.unit.media.image_samples import MAX_PIXELS, MEDIA, difference, photo, saved

CHINA = (MEDIA / "china.jpg").read_bytes()


def transformed(
    content: bytes, options: str, image_format: str = "png", *, max_output: int = 1 << 25, seconds: float = 20.0
) -> Picture:
    sniffed = sniff(content[:HEAD_BYTES])
    wanted = canonical(parse_options(options), image_format, sniffed.media_type, 80)
    return transform(io.BytesIO(content), sniffed, wanted, max_pixels=MAX_PIXELS, max_output=max_output, seconds=seconds)


def made(content: bytes, options: str, image_format: str = "png") -> Image.Image:
    picture = transformed(content, options, image_format)
    opened = Image.open(io.BytesIO(picture.data))
    opened.load()
    assert opened.size == (picture.width, picture.height)
    return opened


def quarters(width: int = 80, height: int = 60) -> Image.Image:
    """Red, green, blue and white, so that it can be seen how it lies."""
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    for colour, left, top in [("red", 0, 0), ("lime", width // 2, 0), ("blue", 0, height // 2)]:
        draw.rectangle((left, top, left + width // 2 - 1, top + height // 2 - 1), colour)
    return picture


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("-", (640, 427)),
        ("w:300", (300, 200)),
        ("h:100", (150, 100)),
        ("w:300,h:100", (150, 100)),
        ("w:9000,h:100", (150, 100)),
        ("w:5000", (640, 427)),
        ("w:100,dpr:2", (200, 133)),
        ("w:101,dpr:1.5", (152, 101)),
        ("w:200,h:200,fit:cover", (200, 200)),
        ("w:2000,h:2000,fit:cover", (427, 427)),
        ("w:2000,h:1000,fit:cover", (640, 320)),
        ("w:200,h:200,fit:contain", (200, 200)),
        ("w:2000,h:1000,fit:contain", (2000, 1000)),
        ("rot:90,w:100", (100, 150)),
        ("rot:270,w:200,h:100,fit:cover", (200, 100)),
        ("crop:10:20:64:48", (64, 48)),
        ("crop:0.5:0.5:0.25:0.5", (160, 213)),
        ("crop:600:400:500:500", (40, 27)),
        ("crop:9000:9000:5:5", (1, 1)),
        ("crop:10:20:64:48,rot:90,h:32", (24, 32)),
        ("w:1", (1, 1)),
    ],
)
def test_sizes(options, size):
    assert made(CHINA, options).size == size


@pytest.mark.parametrize(
    "options", ["w:200", "w:200,h:150,fit:cover", "h:90,w:90,fit:cover,g:east", "crop:40:30:400:300,w:200"]
)
@pytest.mark.parametrize("lossy", ["jpg", "webp", "avif"])
def test_pixels_are_those_that_pillow_makes(options, lossy):
    with Image.open(io.BytesIO(CHINA)) as source:
        expected = {
            "w:200": lambda: source.resize((200, 133), Image.Resampling.LANCZOS),
            "w:200,h:150,fit:cover": lambda: source.resize((225, 150), Image.Resampling.LANCZOS).crop((12, 0, 212, 150)),
            "h:90,w:90,fit:cover,g:east": lambda: source.resize((135, 90), Image.Resampling.LANCZOS).crop((45, 0, 135, 90)),
            "crop:40:30:400:300,w:200": lambda: source.crop((40, 30, 440, 330)).resize((200, 150), Image.Resampling.LANCZOS),
        }[options]()
    assert difference(made(CHINA, options), expected) < 2.5
    assert difference(made(CHINA, options, lossy), expected) < 6


@pytest.mark.parametrize(
    ("gravity", "colours"),
    [("northwest", "red"), ("northeast", "lime"), ("southwest", "blue"), ("southeast", "white")],
)
def test_the_compass_says_where_is_cut_and_where_is_placed(gravity, colours):
    source = saved(quarters(), "PNG")
    wide, high = (made(source, f"{box},fit:cover,g:{gravity}").convert("RGB") for box in ("w:80,h:20", "w:20,h:60"))
    expected = Image.new("RGB", (1, 1), colours).getpixel((0, 0))
    assert wide.getpixel((2 if "west" in gravity else 77, 10)) == expected
    assert high.getpixel((10, 2 if "north" in gravity else 57)) == expected
    placed = made(source, f"w:100,h:100,fit:contain,g:{gravity},bg:000000").convert("RGB")
    corner = placed.crop(
        (0 if "west" in gravity else 20, 0 if "north" in gravity else 40, 80 if "west" in gravity else 100, 100)
    )
    corner = corner.crop((0, 0, 80, 60))
    assert difference(corner, quarters()) == 0
    assert placed.getpixel((99 if "west" in gravity else 0, 50)) == (0, 0, 0)


@pytest.mark.parametrize("gravity", ["attention", "entropy"])
def test_what_is_looked_at_is_kept(gravity):
    source = Image.new("RGB", (300, 60), (120, 120, 120))
    source.paste(photo(50, 60).filter(ImageFilter.SHARPEN), (240, 0))
    kept = made(saved(source, "PNG"), f"w:60,h:60,fit:cover,g:{gravity}")
    centre = made(saved(source, "PNG"), "w:60,h:60,fit:cover")
    assert centre.convert("RGB").getcolors() == [(3600, (120, 120, 120))]
    assert len(kept.convert("RGB").getcolors(4000)) > 500


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", ["", "h", "v", "hv"])
def test_turned_first_and_flipped_then(rotate, flip):
    expected = quarters().rotate(-rotate, expand=True)
    expected = ImageOps.mirror(expected) if "h" in flip else expected
    expected = ImageOps.flip(expected) if "v" in flip else expected
    options = f"rot:{rotate}" + (f",flip:{flip}" if flip else "")
    assert difference(made(saved(quarters(), "PNG"), options), expected) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_as_the_picture_is_seen(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(photo(400, 300), "JPEG", quality=98, exif=exif)
    with Image.open(io.BytesIO(content)) as source:
        seen = ImageOps.exif_transpose(source)
    for box in ((10, 20, 100, 150), (0, 0, 30, 40), (210, 160, 60, 50)):
        left, top, width, height = box
        cut = made(content, f"crop:{left}:{top}:{width}:{height}")
        assert difference(cut, seen.crop((left, top, left + width, top + height))) < 1.5
        small = made(content, f"crop:{left}:{top}:{width}:{height},w:10,rot:90")
        assert small.width == 10
    assert difference(made(content, "w:60"), seen.resize((60, round(seen.height * 60 / seen.width)))) < 3


def test_transparency_goes_where_the_format_has_none_and_stays_elsewhere():
    clear = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    content = saved(clear, "PNG")
    assert made(content, "-", "jpg").getpixel((5, 5)) == (255, 255, 255)
    assert made(content, "bg:0000ff", "jpg").getpixel((5, 5))[2] > 250
    assert made(content, "bg:0000ff").convert("RGBA").getpixel((5, 5)) == (0, 0, 255, 255)
    for image_format in ("png", "webp", "avif"):
        assert made(content, "blur:1", image_format).convert("RGBA").getpixel((5, 5))[3] == 0
    grey = saved(Image.new("L", (40, 30), 100), "PNG")
    around = made(grey, "w:60,h:60,fit:contain,bg:00ff00").convert("RGB")
    assert (around.getpixel((2, 2)), around.getpixel((30, 30))) == ((0, 255, 0), (100, 100, 100))
    assert made(grey, "w:60,h:60,fit:contain").convert("RGBA").getpixel((2, 2))[3] == 0


def test_blurred_and_sharpened():
    plain, soft, hard = (made(CHINA, f"w:200{more}").convert("L") for more in ("", ",blur:3", ",sharp:1.5"))
    edges = [sum(one.filter(ImageFilter.FIND_EDGES).histogram()[60:]) for one in (soft, plain, hard)]
    assert edges == sorted(edges)
    assert edges[0] * 4 < edges[1]


def test_quality_makes_the_difference_in_bytes():
    for image_format in ("jpg", "webp", "avif"):
        low, high = (len(transformed(CHINA, f"w:200,q:{q}", image_format).data) for q in (20, 90))
        assert low * 2 < high
    assert transformed(CHINA, "q:20,w:20").data == transformed(CHINA, "q:90,w:20").data


def test_metadata_goes_unless_it_is_wanted_and_what_is_outdated_goes_anyway():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "where I live"
    content = saved(photo(80, 60), "JPEG", exif=exif)
    for image_format in ("jpg", "webp", "png", "avif"):
        bare = made(content, "w:30", image_format)
        assert not dict(bare.getexif())
        assert not {"exif", "icc_profile", "xmp"} & bare.info.keys()
    kept = made(content, "w:30,strip:0", "jpg")
    assert (kept.getexif()[0x010E], kept.getexif().get(0x0112, 1), kept.size) == ("where I live", 1, (30, 40))


def animation() -> bytes:
    frames = [Image.new("RGB", (40, 20), colour) for colour in ("red", "lime", "blue")]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=3)


@pytest.mark.parametrize("image_format", ["webp", "gif"])
def test_animations_stay_whole_in_time_and_loop(image_format):
    moving = made(animation(), "w:10,h:20,fit:cover,rot:90,bg:ffffff,blur:0.5", image_format)
    assert (moving.n_frames, moving.size) == (3, (10, 20))
    assert moving.info["loop"] == {"gif": 3, "webp": 4}[image_format], "GIF counts repetitions, WebP how often it is shown"
    for n, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        moving.seek(n)
        shown = moving.convert("RGB").getpixel((5, 5))
        assert max(abs(one - other) for one, other in zip(shown, colour, strict=True)) < 12
    part = made(animation(), "crop:0.5:0:0.5:1,w:5,h:30,fit:contain,bg:ffffff,g:southeast", image_format)
    assert (part.n_frames, part.size) == (3, (5, 30))


@pytest.mark.parametrize(("options", "image_format"), [("-", "png"), ("page:1", "webp"), ("page:1", "gif"), ("-", "jpg")])
def test_the_first_frame_where_nothing_moves(options, image_format):
    still = made(animation(), options, image_format)
    assert getattr(still, "n_frames", 1) == 1
    assert still.convert("RGB").getpixel((5, 5))[0] > 250


def test_pages():
    sizes = [(40, 30), (60, 20), (10, 90)]
    pages = [Image.new("RGB", size, colour) for size, colour in zip(sizes, ("red", "lime", "blue"), strict=True)]
    content = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    for n, size in enumerate(sizes, start=1):
        assert made(content, f"page:{n}").size == size
    assert made(animation(), "page:3", "webp").convert("RGB").getpixel((5, 5))[2] > 250
    with pytest.raises(InvalidInput) as refused:
        made(content, "page:4")
    assert refused.value.code == "no-such-page"


def test_what_would_be_too_large_or_too_long_is_refused():
    for options, image_format in [("-", "png"), ("w:20,h:2000,fit:contain", "png")]:
        with pytest.raises(LimitExceeded) as refused:
            transformed(CHINA, options, image_format, max_output=39_000)
        assert refused.value.code == "output-too-large"
    with pytest.raises(LimitExceeded):
        transformed(animation(), "-", "webp", max_output=3 * 40 * 20 - 1)
    assert transformed(animation(), "-", "webp", max_output=3 * 40 * 20).data
    begun = time.monotonic()
    with pytest.raises(LimitExceeded) as late:
        transformed(saved(photo(3000, 2000), "JPEG"), "blur:50", "jpg", seconds=0.01)
    assert late.value.code == "too-slow"
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF"])
def test_damage_is_told_from_success(kind):
    whole = saved(photo(200, 150), kind)
    assert made(whole, "crop:20:20:100:100,w:50,rot:90").size == (50, 50)
    for part in (0.3, 0.7):
        with pytest.raises(KinoraError) as refused:
            made(whole[: int(len(whole) * part)], "w:50")
        assert isinstance(refused.value, CorruptMedia)
