"""What every key-wrapping driver does. A test module imports the tests and gives the fixture `wrapping`."""

from __future__ import annotations

import dataclasses
import secrets

import pytest

from kinora.content_keys import KEY_BYTES, NONCE_BYTES, KeyIdentity, Wrapped
from kinora.errors import KinoraError

IDENTITY = KeyIdentity("5f" * 16, "ab" * 32, 3)


def refuses(wrapping, wrapped: Wrapped, identity: KeyIdentity = IDENTITY) -> bool:
    try:
        wrapping.unwrap(wrapped, identity)
    except KinoraError:
        return True
    return False


def flips(data: bytes):
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def test_what_was_wrapped_is_unwrapped(wrapping):
    plain = secrets.token_bytes(KEY_BYTES)
    wrapped = wrapping.wrap(plain, IDENTITY)
    assert wrapping.unwrap(wrapped, IDENTITY) == plain
    assert plain not in wrapped.wrapped
    assert len(wrapped.nonce) == NONCE_BYTES
    assert wrapped.kek_version == wrapping.current_version()


def test_the_same_key_is_never_wrapped_the_same_way(wrapping):
    plain = secrets.token_bytes(KEY_BYTES)
    some = [wrapping.wrap(plain, IDENTITY) for _ in range(8)]
    assert len({one.nonce for one in some}) == len({one.wrapped for one in some}) == 8


@pytest.mark.parametrize("field", ["wrapped", "nonce"])
def test_every_flipped_bit_is_refused(wrapping, field):
    wrapped = wrapping.wrap(secrets.token_bytes(KEY_BYTES), IDENTITY)
    for changed in flips(getattr(wrapped, field)):
        assert refuses(wrapping, dataclasses.replace(wrapped, **{field: changed})), changed


def test_other_lengths_are_refused(wrapping):
    wrapped = wrapping.wrap(secrets.token_bytes(KEY_BYTES), IDENTITY)
    for field in ("wrapped", "nonce"):
        whole = getattr(wrapped, field)
        for changed in (b"", whole[:-1], whole + b"\0", whole[1:]):
            assert refuses(wrapping, dataclasses.replace(wrapped, **{field: changed}))


def test_a_wrapping_is_good_for_its_identity_only(wrapping):
    wrapped = wrapping.wrap(secrets.token_bytes(KEY_BYTES), IDENTITY)
    others = [
        dataclasses.replace(IDENTITY, key_id="5e" * 16),
        dataclasses.replace(IDENTITY, hash="aa" * 32),
        dataclasses.replace(IDENTITY, revision=4),
        KeyIdentity(IDENTITY.hash, IDENTITY.key_id, IDENTITY.revision),
        KeyIdentity(IDENTITY.key_id + "a", IDENTITY.hash[1:], IDENTITY.revision),
    ]
    assert all(refuses(wrapping, wrapped, one) for one in others)


def test_another_version_is_refused(wrapping):
    wrapped = wrapping.wrap(secrets.token_bytes(KEY_BYTES), IDENTITY)
    for version in ("", "v0", wrapped.kek_version + "x", wrapped.kek_version.swapcase()):
        assert refuses(wrapping, dataclasses.replace(wrapped, kek_version=version))
