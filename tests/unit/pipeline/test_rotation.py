"""Rotating the keys that wrap content keys: all rows, no media, as often as it is cut short."""

from __future__ import annotations

import dataclasses
import secrets

import boto3
import pytest
from moto import mock_aws

from kinora.content_keys import KekRing, KeyIdentity
from kinora.errors import ContentKeyDamaged, NotFound, Unavailable
from kinora.keywrap.ring import RingWrapping
from kinora.model import ContentKey
from kinora.pipeline.rotation import add_version, rewrap_all, versions_in_use
from kinora.pipeline.segment_keys import plain_key
from kinora.secrets.base import SecretName
from kinora.secrets.secretsmanager import SecretsManager
from kinora.settings import Settings
from tests.house import House, house


@pytest.fixture
def home(tmp_path):
    with house(tmp_path) as made:
        yield made


def add_keys(home: House, count: int) -> dict[str, bytes]:
    """Plain content keys by id."""
    plain = {secrets.token_hex(16): secrets.token_bytes(16) for _ in range(count)}
    for revision, (key_id, key) in enumerate(plain.items(), start=1):
        wrapped = home.services.key_wrapping.wrap(key, KeyIdentity(key_id, "a" * 64, revision))
        row = ContentKey(key_id, "a" * 64, revision, wrapped.wrapped, wrapped.nonce, wrapped.kek_version, 1.0)
        home.services.content_keys.create(row)
    return plain


def unwrapped(home: House) -> dict[str, bytes]:
    return {key.key_id: plain_key(home.services, key) for key in home.services.content_keys.all()}


def test_all_rows_are_wrapped_by_the_new_version_and_hold_the_same_keys(home):
    plain = add_keys(home, 20)
    assert versions_in_use(home.services) == {"v1": 20}
    assert add_version(home.services) == "v2"
    done = rewrap_all(home.services)
    assert (done.version, done.rewrapped, done.left) == ("v2", 20, 0)
    assert versions_in_use(home.services) == {"v2": 20}
    assert unwrapped(home) == plain
    text = home.services.secrets.get(SecretName.KEY_ENCRYPTION_KEYS)
    assert list(KekRing.parse(text).keys) == ["v2", "v1"]
    nonces = [key.nonce for key in home.services.content_keys.all()]
    assert len(set(nonces)) == 20


def test_cut_short_it_goes_on_where_it_was(home):
    plain = add_keys(home, 6)
    add_version(home.services)
    real = home.services.content_keys

    class Killed:
        left = 3

        def __getattr__(self, name):
            return getattr(real, name)

        def rewrap(self, key, expected):
            if self.left == 0:
                raise Unavailable("gone")
            self.left -= 1
            real.rewrap(key, expected)

    with pytest.raises(Unavailable):
        rewrap_all(dataclasses.replace(home.services, content_keys=Killed()))
    assert versions_in_use(home.services) == {"v1": 3, "v2": 3}
    assert unwrapped(home) == plain
    done = rewrap_all(home.services)
    assert (done.rewrapped, done.left) == (3, 3)
    assert unwrapped(home) == plain


def test_who_was_faster_wins_and_what_was_removed_stays_so(home):
    plain = add_keys(home, 3)
    add_version(home.services)
    real = home.services.content_keys
    calls = []

    class Raced:
        def __getattr__(self, name):
            return getattr(real, name)

        def rewrap(self, key, expected):
            calls.append(key)
            if len(calls) == 1:
                rewrap_all(home.services)
            if len(calls) == 3:
                real.delete(key.hash)
            real.rewrap(key, expected)

    done = rewrap_all(dataclasses.replace(home.services, content_keys=Raced()))
    assert (done.rewrapped, done.left) == (0, 3)
    assert unwrapped(home) == {}
    assert len(plain) == 3


def test_a_row_that_was_changed_is_refused_also_by_who_has_unwrapped_it_before(home):
    plain = add_keys(home, 1)
    (row,) = home.services.content_keys.all()
    assert plain_key(home.services, row) == plain[row.key_id]
    others = {
        "key_id": "0" * 32,
        "hash": "b" * 64,
        "revision": 2,
        "wrapped": row.wrapped[:-1] + bytes([row.wrapped[-1] ^ 1]),
        "nonce": bytes([row.nonce[0] ^ 128]) + row.nonce[1:],
    }
    for field, value in others.items():
        with pytest.raises(ContentKeyDamaged):
            plain_key(home.services, dataclasses.replace(row, **{field: value}))
    with pytest.raises(Unavailable):
        plain_key(home.services, dataclasses.replace(row, kek_version="v0"))


def test_a_damaged_row_is_told_and_kept(home):
    add_keys(home, 1)
    (row,) = home.services.content_keys.all()
    home.services.content_keys.rewrap(dataclasses.replace(row, wrapped=bytes(32)), "v1")
    add_version(home.services)
    with pytest.raises(ContentKeyDamaged):
        rewrap_all(home.services)
    assert versions_in_use(home.services) == {"v1": 1}


def test_on_aws_a_process_that_keeps_the_old_ring_reads_it_anew_when_it_meets_the_new_version(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    identity = KeyIdentity("k" * 32, "a" * 64, 1)
    settings = Settings.from_env({"KINORA_KEY_ENCRYPTION_KEYS_SECRET": "keks"})
    with mock_aws():
        with pytest.raises(NotFound):
            SecretsManager(settings).change(SecretName.KEY_ENCRYPTION_KEYS, str)
        boto3.client("secretsmanager").create_secret(Name="keks", SecretString="A" * 43)
        running, admin = (SecretsManager(settings) for _ in range(2))
        old = RingWrapping(running).wrap(b"k" * 16, identity)
        admin.change(SecretName.KEY_ENCRYPTION_KEYS, lambda text: f"v2:{'B' * 43},v1:{text}")
        new = RingWrapping(admin).wrap(b"k" * 16, identity)
        assert (old.kek_version, new.kek_version) == ("v1", "v2")
        assert RingWrapping(running).unwrap(new, identity) == RingWrapping(admin).unwrap(old, identity) == b"k" * 16
