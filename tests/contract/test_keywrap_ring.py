"""The contract of key wrapping, on the ring of key encryption keys; and the ring itself."""

from __future__ import annotations

import base64
import dataclasses
import secrets

import pytest

from kinora.content_keys import KekRing, new_kek, next_version
from kinora.errors import InvalidSetting, NotFound, Unavailable
from kinora.keywrap.ring import RingWrapping
from tests.contract.keywrap_suite import *  # noqa: F403 - the suite's tests are collected here
from tests.contract.keywrap_suite import IDENTITY, refuses


class Store:
    def __init__(self, text: str | None) -> None:
        self.text = text

    def forget(self, name):
        """Nothing is kept."""

    def get(self, name):
        if self.text is None:
            raise NotFound(name)
        return self.text


@pytest.fixture
def wrapping():
    return RingWrapping(Store(new_kek("v1")))


def test_older_versions_unwrap_and_the_first_one_wraps():
    store = Store(new_kek("v1"))
    wrapping, old = RingWrapping(store), store.text
    first = wrapping.wrap(b"k" * 16, IDENTITY)
    store.text = f"{new_kek('v2')},{old}"
    assert wrapping.unwrap(first, IDENTITY) == b"k" * 16
    assert wrapping.wrap(b"k" * 16, IDENTITY).kek_version == "v2"
    both = f"{new_kek('v2')},{new_kek('v1')}"  # the versions are the same, the keys are not
    assert refuses(RingWrapping(Store(both)), first)


def test_a_version_cannot_be_renamed_even_when_both_have_the_same_key():
    _, key = new_kek("v1").split(":")
    wrapping = RingWrapping(Store(f"v1:{key},v2:{key}"))
    wrapped = wrapping.wrap(secrets.token_bytes(16), IDENTITY)
    assert refuses(wrapping, dataclasses.replace(wrapped, kek_version="v2"))


def test_a_lost_version_may_come_back():
    wrapped = RingWrapping(Store(new_kek("v1"))).wrap(b"k" * 16, IDENTITY)
    for store in (Store(new_kek("v2")), Store(None)):
        with pytest.raises(Unavailable):
            RingWrapping(store).unwrap(wrapped, IDENTITY)


@pytest.mark.parametrize(
    "text", ["", ",", "v1:short", "v1:" + "A" * 44, "v1:" + "A" * 43 + ",v1:" + "B" * 43, "v 1:" + "A" * 43]
)
def test_a_ring_that_says_something_else_is_refused_without_quoting_it(text):
    with pytest.raises(InvalidSetting) as refused:
        KekRing.parse(text)
    assert "AAA" not in str(refused.value)


def test_entries_of_the_ring():
    raw = base64.urlsafe_b64encode(bytes(range(32))).decode()
    assert KekRing.parse(raw.rstrip("=")).keys == {"v1": bytes(range(32))}
    ring = KekRing.parse(f"\nv7:{raw}\n{new_kek('spare')}\n")
    assert (ring.current, list(ring.keys), next_version(ring)) == ("v7", ["v7", "spare"], "v8")
    assert raw[:8] not in repr(ring)
