"""Playback tokens by themselves: limits that cannot be changed, networks in one form, and what belongs to a rendition."""

from __future__ import annotations

import base64
import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinora.errors import InvalidInput, SignatureExpired, SignatureInvalid
from kinora.media.hls_choice import belongs_to, only_rendition
from kinora.playback_tokens import ROUTE, Limits, make_token, network_of, read_token
from kinora.signing import Keyring, sign
from tests.unit.test_signing import HASH, KEY_1, mutate

RING = Keyring.parse(f"k1:{KEY_1}")
EXPIRES = 1_800_000_000
LIMITS = Limits("203.0.113.0/24", "r720_h264", "abc")


@given(st.sampled_from(["", "10.0.0.0/8", "2001:db8::/32"]), st.sampled_from(["", "r240_av1"]), st.sampled_from(["", "x-Y_9"]))
def test_limits_are_read_as_they_were_written(network, rendition, session):
    limits = Limits(network, rendition, session)
    token = make_token(RING, HASH, expires_at=EXPIRES, limits=limits)
    assert set(token) <= set(string.ascii_letters + string.digits + "-_.")
    read = read_token(RING, token, HASH, now=EXPIRES - 1)
    assert (read.limits, read.expires_at) == (limits, EXPIRES)
    with pytest.raises(SignatureExpired):
        read_token(RING, token, HASH, now=EXPIRES)


def test_none_of_30000_mutated_tokens_is_accepted():
    token = make_token(RING, HASH, expires_at=EXPIRES, limits=LIMITS)
    chance = random.Random(21)
    alphabet = string.ascii_letters + string.digits + "-_.=+/ \n%é"
    accepted = set()
    for _ in range(30_000):
        mutated = mutate(token, chance, alphabet)
        try:
            read_token(RING, mutated, HASH, now=0)
        except SignatureInvalid:
            continue
        accepted.add(mutated)
    assert accepted <= {token}


def signed_as(document: str) -> str:
    """A token with a true signature over whatever limits."""
    written = base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")
    return f"{sign(RING, ROUTE, HASH, expires_at=EXPIRES, options=written)}.{written}"


@pytest.mark.parametrize(
    "document",
    [
        '{"country":"DE"}',
        '{"network":"203.0.113.7/24"}',
        '{"network":"nowhere"}',
        '{"network":["10.0.0.0/8"]}',
        '{"session":1}',
        '{"session":null}',
        '{"rendition":"a/b"}',
        '{"rendition": "a"}',
        '{"session":"a","rendition":"b"}',
        '{"rendition":"a","rendition":"b"}',
        "{}",
        "[]",
        '"x"',
        "null",
        "no json",
        "[" * 500,
    ],
)
def test_limits_that_are_not_understood_make_a_token_useless(document):
    with pytest.raises(SignatureInvalid):
        read_token(RING, signed_as(document), HASH, now=0)


def test_the_one_form_is_accepted_from_others_too():
    assert read_token(RING, signed_as('{"rendition":"a"}'), HASH, now=0).limits == Limits(rendition="a")
    with pytest.raises(SignatureInvalid):
        read_token(RING, signed_as(json.dumps({"rendition": "a"})), "cd" * 32, now=0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        (" 203.0.113.7/24 ", "203.0.113.0/24"),
        ("2001:DB8::1/32", "2001:db8::/32"),
        ("::ffff:203.0.113.9/120", "203.0.113.0/24"),
        ("::/0", "::/0"),
    ],
)
def test_networks_have_one_form(given, expected):
    assert network_of(given) == expected
    assert network_of(expected) == expected


@pytest.mark.parametrize("text", ["", "x", "10.0.0.0/33", "10.0.0/8", "1.2.3.4/-1", "::/129", "010.0.0.1", "1.2.3.4,5.6.7.8"])
def test_what_is_no_network_is_refused(text):
    with pytest.raises(InvalidInput):
        network_of(text)


def test_addresses_are_inside_or_not():
    inside = {"203.0.113.255", "::ffff:203.0.113.1"}
    for address in [*inside, "203.0.114.0", "2001:db8::1", "::1", "", None, "testclient", "203.0.113.1:80", "fe80::1%eth0"]:
        assert Limits("203.0.113.0/24").hold_for(address) == (address in inside), address
        assert Limits().hold_for(address)
    assert Limits("fe80::/10").hold_for("fe80::1%eth0")


def test_files_of_a_rendition():
    mine = ["master.m3u8", "video/r1/seg_0.m4s", "rev_2/video/r1/init.mp4", "audio/und_aac/seg_0.m4s", "subtitles/en/seg_0.vtt"]
    others = [
        "video/r10/seg_0.m4s",
        "rev_2/video/r2/seg_0.m4s",
        "cover.jpg",
        "storyboard/sheet_0.jpg",
        "x/y/video/r1/seg_0.m4s",
    ]
    others += ["proxy/r2.mp4", "moments/x/v1.mp4", "video/r1", "audio/../video/r2/seg_0.m4s", "waveform.json", ""]
    assert all(belongs_to(path, "r1") for path in [*mine, "proxy/r1.mp4"])
    assert not [path for path in others if belongs_to(path, "r1")]


def test_a_multivariant_playlist_loses_only_other_renditions():
    text = (
        '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI="audio/a/playlist.m3u8"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=1\nrev_1/video/r1/playlist.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=2\n# a comment\n\nvideo/r2/playlist.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=3\naudio/a/playlist.m3u8\n"
        '#EXT-X-I-FRAME-STREAM-INF:URI="video/r2/iframes.m3u8",BANDWIDTH=1\n'
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="video/r1/iframes.m3u8"\n#EXT-X-ENDLIST\n'
    )
    assert only_rendition(text, "r1").split("\n") == [
        "#EXTM3U",
        '#EXT-X-MEDIA:TYPE=AUDIO,URI="audio/a/playlist.m3u8"',
        "#EXT-X-STREAM-INF:BANDWIDTH=1",
        "rev_1/video/r1/playlist.m3u8",
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="video/r1/iframes.m3u8"',
        "#EXT-X-ENDLIST",
        "",
    ]
