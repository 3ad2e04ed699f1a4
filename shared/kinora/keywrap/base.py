"""The key-wrapping protocol: content keys leave a process only wrapped. tests/contract/keywrap_suite.py states the behaviour."""

from __future__ import annotations

from typing import Protocol

from kinora.content_keys import KeyIdentity, Wrapped


class KeyWrapping(Protocol):
    def wrap(self, plain: bytes, identity: KeyIdentity) -> Wrapped:
        """Wrap a content key under the current version. Raises Unavailable."""

    def unwrap(self, wrapped: Wrapped, identity: KeyIdentity) -> bytes:
        """Exactly the key that was wrapped for the same identity. Raises ContentKeyDamaged if the wrapped bytes, the nonce, the
        version or the identity differ, Unavailable if the version's key cannot be used now."""

    def current_version(self) -> str:
        """The version that `wrap` uses now."""
