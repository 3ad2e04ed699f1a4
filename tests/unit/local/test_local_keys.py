"""`kinora keys` as its own process: what wraps content keys is listed and replaced."""

from __future__ import annotations

from pathlib import Path

from kinora.content_keys import KeyIdentity
from kinora.model import ContentKey
from tests.house import house
from tests.unit.local.run_cli import kinora


def test_keys_are_listed_and_rotated(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        for n in range(3):
            identity = KeyIdentity(f"{n}" * 32, "a" * 64, n + 1)
            row = home.services.key_wrapping.wrap(b"k" * 16, identity)
            key = ContentKey(identity.key_id, "a" * 64, n + 1, row.wrapped, row.nonce, row.kek_version, 1.0)
            home.services.content_keys.create(key)
    listed = kinora("keys", "list", "--data", tmp_path)
    assert (listed.code, listed.out) == (0, "v1  wraps 3 content keys  (current)\n")
    rotated = kinora("keys", "rotate", "--data", tmp_path, "--json")
    assert rotated.results == [{"version": "v2", "rewrapped": 3, "left": 0}]
    resumed = kinora("keys", "rotate", "--resume", "--data", tmp_path)
    assert resumed.out == "v2 wraps all content keys now: 0 wrapped anew, 3 left as they were\n"
    with house(tmp_path) as home:
        assert {key.kek_version for key in home.services.content_keys.all()} == {"v2"}
    assert (tmp_path / "secrets" / "key-encryption-keys").stat().st_mode & 0o777 == 0o600
    assert kinora("keys", "--data", tmp_path).code == 2
