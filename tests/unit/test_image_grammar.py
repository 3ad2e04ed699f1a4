"""The grammar of picture options: what is the same picture has the same name, what is not in the grammar is refused."""

from __future__ import annotations

import json
import string
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinora.errors import InvalidEvent, InvalidInput, InvalidSetting
from kinora.image_grammar import Preset, canonical, expand, parse_options, parse_presets
from kinora.image_options import COMPASS, FORMATS, ImageOptions, processing_hash
from kinora.settings import Settings

HASH = "ab" * 32
CHEAP = settings(max_examples=60, deadline=None)

WORDS = st.fixed_dictionaries(
    {},
    optional={
        "w": st.integers(1, 3000).map(str),
        "h": st.integers(1, 3000).map(str),
        "dpr": st.sampled_from(["1", "1.0", "2", "0.5", "1.25", "3.00"]),
        "fit": st.sampled_from(["inside", "cover", "contain"]),
        "g": st.sampled_from([*COMPASS, "attention", "entropy", "center"]),
        "q": st.integers(1, 100).map(str),
        "rot": st.sampled_from(["0", "90", "180", "270"]),
        "flip": st.sampled_from(["h", "v", "hv"]),
        "blur": st.sampled_from(["0", "0.0", "2", "2.50", "50"]),
        "sharp": st.sampled_from(["0", "1", "1.50"]),
        "crop": st.sampled_from(["0:0:10:10", "0.0:0:1:1", "0.1:0.2:0.3:0.4", "5:6:7:8"]),
        "page": st.sampled_from(["1", "2"]),
        "t": st.sampled_from(["0", "12.5", "12.500", "3"]),
        "strip": st.sampled_from(["0", "1"]),
        "bg": st.sampled_from(["ffffff", "FFFFFF", "00ff7f"]),
    },
)


def hash_of(text: str, image_format: str = "webp", media_type: str = "image/jpeg") -> str:
    return processing_hash(HASH, canonical(parse_options(text), image_format, media_type, 80))


def spelled(words: dict[str, str]) -> str:
    return ",".join(f"{name}:{value}" for name, value in words.items()) or "-"


@CHEAP
@given(WORDS, st.randoms(use_true_random=False), st.sampled_from(FORMATS), st.sampled_from(["image/gif", "video/mp4"]))
def test_order_and_spelling_of_numbers_make_no_difference(words, random, image_format, media_type):
    names = list(words)
    random.shuffle(names)
    longer = {"dpr": {"1": "1.000", "2": "2.0"}, "blur": {"2": "02.00"}, "t": {"12.5": "12.5000"}, "w": {}, "h": {}}
    shuffled = {name: longer.get(name, {}).get(words[name], words[name]) for name in names}
    shuffled |= {side: f"0{shuffled[side]}" for side in ("w", "h") if side in shuffled}
    assert hash_of(spelled(words), image_format, media_type) == hash_of(spelled(shuffled), image_format, media_type)


@CHEAP
@given(WORDS, st.sampled_from(FORMATS), st.sampled_from(["image/gif", "image/jpeg", "video/mp4"]))
def test_the_canonical_form_survives_its_way_to_the_function_that_makes_the_picture(words, image_format, media_type):
    options = canonical(parse_options(spelled(words)), image_format, media_type, 80)
    carried = ImageOptions.from_dict(json.loads(json.dumps(options.to_dict())))
    assert carried == options
    assert processing_hash(HASH, carried) == processing_hash(HASH, options)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-", "fit:inside"),
        ("w:100", "w:100,dpr:1"),
        ("w:200,h:100", "w:100,h:50,dpr:2"),
        ("w:200", "w:200,fit:cover,g:attention"),
        ("w:9,h:9", "w:9,h:9,g:north"),
        ("w:9,h:9,fit:contain", "w:9,h:9,fit:contain,g:entropy"),
        ("flip:hv", "rot:180"),
        ("flip:v", "rot:180,flip:h"),
        ("rot:90,flip:v", "rot:270,flip:h"),
        ("rot:270,flip:hv", "rot:90"),
        ("crop:0.0:0:1:1", "-"),
        ("q:80", "blur:0,sharp:0.0,strip:1,page:1,t:9"),
        ("v:abcdef01", "-"),
        ("g:center", "g:centre"),
    ],
)
def test_the_same_picture_has_the_same_name(one, other):
    assert hash_of(one) == hash_of(other)


def test_different_pictures_have_different_names():
    texts = [
        "-",
        "w:100",
        "h:100",
        "w:100,h:100",
        "w:100,h:100,fit:cover",
        "w:100,h:100,fit:contain",
        "q:79",
        "rot:90",
        "flip:h",
    ]
    texts += [
        "w:100,h:100,fit:cover,g:north",
        "blur:1",
        "sharp:1",
        "crop:0:0:1:1",
        "crop:0.0:0:1:0.5",
        "page:2",
        "strip:0",
        "bg:ffffff",
    ]
    assert len({hash_of(text) for text in texts}) == len(texts)
    assert len({hash_of("-", image_format) for image_format in FORMATS}) == len(FORMATS)
    options = canonical({}, "webp", "image/jpeg", 80)
    assert processing_hash("ab" * 32, options) != processing_hash("ac" * 32, options)


def test_what_makes_no_difference_depends_on_format_and_source():
    assert hash_of("q:10", "png") == hash_of("q:90", "png")
    assert hash_of("bg:ffffff", "jpg") == hash_of("-", "jpg")
    assert hash_of("page:1", "webp", "image/gif") != hash_of("-", "webp", "image/gif"), "one frame, or all"
    assert hash_of("page:1", "jpg", "image/gif") == hash_of("-", "jpg", "image/gif")
    assert hash_of("t:1", "jpg", "video/mp4") != hash_of("t:2", "jpg", "video/mp4")
    assert hash_of("page:3,strip:0", "jpg", "video/mp4") == hash_of("-", "jpg", "video/mp4")


def test_a_hash_that_others_can_compute():
    """Stored pictures and ETags are called by it; if this changes, RECIPE must have changed."""
    options = canonical(parse_options("w:300,h:200,fit:cover,dpr:2"), "webp", "image/jpeg", 80)
    assert options.to_dict() == {"format": "webp", "width": 600, "height": 400, "fit": "cover", "quality": 80}
    assert processing_hash(HASH, options) == "9f30a62dfd39d9a9de11460a1693c41540d1518849ae8b4f272590b8940f25dd"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "w",
        "w:",
        "w:0",
        "w:-1",
        "w:1.5",
        "w:16384",
        "w:1e3",
        "w:٣",
        "w: 1",
        "W:1",
        "w:1,",
        "w:1,w:1",
        "h:99999999",
        "fit:fill",
        "g:up",
        "q:0",
        "q:101",
        "dpr:0",
        "dpr:5.01",
        "dpr:nan",
        "dpr:inf",
        "rot:45",
        "rot:360",
        "flip:x",
        "flip:",
        "blur:50.1",
        "blur:-1",
        "sharp:11",
        "crop:1:2:3",
        "crop:0:0:0:1",
        "crop:0.5:0:1.5:1",
        "crop:a:b:c:d",
        "crop:1:2:3:4:5",
        "page:0",
        "page:-1",
        "t:-1",
        "t:1e9",
        "t:1:2",
        "strip:yes",
        "bg:fff",
        "bg:gggggg",
        "preset:",
        "preset:A",
        "v:xyz",
        "v:abc",
        "x" * 600,
        "w:1\n",
        "w:1;h:1",
    ],
)
def test_what_is_not_in_the_grammar_is_refused(text):
    with pytest.raises(InvalidInput) as refused:
        parse_options(text)
    assert refused.value.code == "invalid-option"


@CHEAP
@given(st.text(alphabet=string.printable + "é٣\x00", max_size=40))
def test_no_text_does_anything_else_than_being_read_or_refused(text):
    with suppress(InvalidInput):  # nothing else may come out
        canonical(parse_options(text), "webp", "image/jpeg", 80)


def test_sizes_times_density_stay_within_what_formats_can_have():
    with pytest.raises(InvalidInput):
        canonical(parse_options("w:9000,dpr:2"), "webp", "image/jpeg", 80)


def test_presets_lie_below_the_options():
    presets = {"card": Preset(parse_options("w:300,h:200,fit:cover"), is_public=False)}
    words = expand(parse_options("preset:card,w:100"), presets)
    assert canonical(words, "png", "image/png", 80).to_dict() == {"format": "png", "width": 100, "height": 200, "fit": "cover"}
    with pytest.raises(InvalidInput):
        expand(parse_options("preset:other"), presets)


def test_presets_of_the_settings():
    found = parse_presets("public:card=w:300,h:200 hero=w:1600,q:70")
    assert {name: preset.is_public for name, preset in found.items()} == {"card": True, "hero": False}
    for wrong in ("card", "card=w:0", "a=w:1 a=w:2", "a=preset:b", "a=v:abcdef01", "Public:a=w:1", "=w:1"):
        with pytest.raises(InvalidSetting, match="KINORA_IMAGE_PRESETS"):
            Settings.from_env({"KINORA_IMAGE_PRESETS": wrong})


@pytest.mark.parametrize("raw", [{}, {"format": "webp", "more": 1}, {"format": "webp", "crop": 7}])
def test_other_options_than_its_own_are_refused_by_the_function(raw):
    with pytest.raises(InvalidEvent):
        ImageOptions.from_dict(raw)
