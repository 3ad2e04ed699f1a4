"""Object keys: which are allowed, and where everything lies."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinora.errors import InvalidKey
from kinora.object_keys import (
    check_key,
    check_prefix,
    image_key,
    init_path,
    is_hash,
    media_type_of,
    playlist_path,
    segment_path,
    video_key,
)
from tests.contract.storage_suite import HOSTILE_KEYS, ODD_KEYS

HASH = "ab" + "0" * 62


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys_are_allowed_and_come_back_unchanged(key):
    assert check_key(key) == key


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_hostile_keys_are_refused(key):
    with pytest.raises(InvalidKey):
        check_key(key)


@given(st.text(alphabet=st.sampled_from(list("ab./\\ é\x00\n:~")), max_size=40))
def test_no_allowed_key_leaves_its_root(key):
    try:
        check_key(key)
    except InvalidKey:
        return
    path = PurePosixPath("/media") / key
    assert path.is_relative_to("/media")
    assert ".." not in path.parts
    assert str(path) == "/media/" + key


@pytest.mark.parametrize(("key", "allowed"), [("k" * 255, True), ("k" * 256, False), ("é" * 127, True), ("é" * 128, False)])
def test_components_are_measured_in_bytes(key, allowed):
    if allowed:
        assert check_key(f"a/{key}/b")
    else:
        with pytest.raises(InvalidKey):
            check_key(f"a/{key}/b")


def test_keys_have_at_most_1024_bytes():
    assert check_key("/".join(["k" * 204] * 5))
    with pytest.raises(InvalidKey):
        check_key("/".join(["k" * 204] * 5) + "k")


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "a/b.", "videos/ab/", "a b/é"])
def test_prefixes_are_beginnings_of_keys(prefix):
    assert check_prefix(prefix) == prefix


@pytest.mark.parametrize("prefix", ["/", "../", "a/../", "a//", "./", ".kinora/", "a\\", "\n"])
def test_prefixes_that_begin_no_key_are_refused(prefix):
    with pytest.raises(InvalidKey):
        check_prefix(prefix)


def test_only_lower_case_hex_sha256_is_a_hash():
    assert is_hash(HASH)
    for other in (HASH[:-1], HASH + "0", HASH.upper(), HASH[:-1] + "\n", "g" * 64, ""):
        assert not is_hash(other)


def test_the_layout_of_the_media_scope():
    assert image_key(HASH, "thumb", "webp") == f"images/ab/{HASH}/thumb.webp"
    assert video_key(HASH, "master.m3u8") == f"videos/ab/{HASH}/master.m3u8"
    assert video_key(HASH, segment_path("video/r720_h264", 12)) == f"videos/ab/{HASH}/video/r720_h264/seg_12.m4s"
    assert init_path("audio/und_aac_2ch") == "audio/und_aac_2ch/init.mp4"
    assert playlist_path("video/r720_h264") == "video/r720_h264/playlist.m3u8"


@pytest.mark.parametrize(
    ("key", "media_type"),
    [
        ("a/master.m3u8", "application/vnd.apple.mpegurl"),
        ("a/seg_1.m4s", "video/iso.segment"),
        ("A.JPG", "image/jpeg"),
        ("page.html", "application/octet-stream"),
        ("folder.webp/noextension", "application/octet-stream"),
        ("noextension", "application/octet-stream"),
    ],
)
def test_media_types_come_from_the_extension_alone(key, media_type):
    assert media_type_of(key) == media_type
