"""Key wrapping with AES-256-GCM under a ring of key encryption keys, which is a secret. Built by bootstrap; keeps no key."""

from __future__ import annotations

import secrets

from kinora.content_keys import NONCE_BYTES, KekRing, KeyIdentity, Wrapped, unwrap, wrap
from kinora.errors import NotFound, Unavailable
from kinora.secrets.base import SecretName, Secrets


class RingWrapping:
    """Implements `keywrap.base.KeyWrapping`. The ring is read each time, as fresh as `store` keeps it."""

    def __init__(self, store: Secrets) -> None:
        self._store = store

    def wrap(self, plain: bytes, identity: KeyIdentity) -> Wrapped:
        return wrap(self._ring(), plain, identity, secrets.token_bytes(NONCE_BYTES))

    def unwrap(self, wrapped: Wrapped, identity: KeyIdentity) -> bytes:
        ring = self._ring()
        if wrapped.kek_version not in ring.keys:  # it may be newer than what is kept here
            self._store.forget(SecretName.KEY_ENCRYPTION_KEYS)
            ring = self._ring()
        return unwrap(ring, wrapped, identity)

    def current_version(self) -> str:
        return self._ring().current

    def _ring(self) -> KekRing:
        try:
            return KekRing.parse(self._store.get(SecretName.KEY_ENCRYPTION_KEYS))
        except NotFound as error:
            raise Unavailable(f"there is no key encryption key: {error}") from error
