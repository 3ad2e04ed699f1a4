"""Who may: the API key of `/api`, signatures of signed routes, playback tokens of `/stream`. Secrets are read once, lazily."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from threading import Lock
from typing import Annotated

from fastapi import Depends, Header
from fastapi.params import Depends as DependsParam

from kinora.errors import NotFound, Unauthorized, Unavailable
from kinora.secrets.base import SecretName
from kinora.services import Services
from kinora.signing import Keyring, sign, sign_playback, verify, verify_playback

_FRESH_SECONDS = 300.0


class Access:
    """The keys of one process, read again every five minutes so that a rotation takes effect."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = Lock()
        self._read: tuple[float, str, Keyring] | None = None

    def check_api_key(self, presented: str | None) -> None:
        """Raises Unauthorized."""
        if presented is None or not hmac.compare_digest(presented.encode(), self._keys()[0].encode()):
            raise Unauthorized(public_message="This needs the API key, as 'Authorization: Bearer …' or 'X-Api-Key'.")

    def sign(self, route: str, key: str, *, options: str = "") -> str:
        """The `{sig}` of a URL for `key` and its canonical options, valid for the time of the setting KINORA_URL_SECONDS."""
        return sign(self._keys()[1], route, key, expires_at=self._expiry(), options=options)

    def verify(self, signature: str, route: str, key: str, *, options: str = "") -> None:
        """Raises SignatureInvalid (403), SignatureExpired (410)."""
        verify(self._keys()[1], signature, route, key, now=self._services.clock(), options=options)

    def playback_token(self, content_hash: str) -> str:
        return sign_playback(self._keys()[1], content_hash, expires_at=self._expiry())

    def check_playback(self, content_hash: str, token: str | None) -> None:
        """Raises Unauthorized without a token, SignatureInvalid or SignatureExpired with a wrong one."""
        if not token:
            raise Unauthorized(public_message="This stream needs a playback token.")
        verify_playback(self._keys()[1], token, content_hash, now=self._services.clock())

    def _expiry(self) -> int:
        return int(self._services.clock()) + self._services.settings.url_seconds

    def _keys(self) -> tuple[str, Keyring]:
        with self._lock:
            now = time.monotonic()
            if self._read is None or now - self._read[0] > _FRESH_SECONDS:
                secrets = self._services.secrets
                try:
                    api_key = secrets.get(SecretName.API_KEY).strip()
                    self._read = now, api_key, Keyring.parse(secrets.get(SecretName.SIGNING_KEYS))
                except NotFound as error:
                    raise Unavailable(f"a secret is missing: {error}") from error
            return self._read[1], self._read[2]


def bearer(authorization: str | None) -> str | None:
    """The credential of an `Authorization: Bearer` header (RFC 6750 §2.1)."""
    scheme, _, credential = (authorization or "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" and credential.strip() else None


def require_api_key(access: Access) -> Callable[..., None]:
    """A dependency that lets only holders of the API key pass."""

    def check(
        authorization: Annotated[str | None, Header()] = None,
        x_api_key: Annotated[str | None, Header()] = None,
    ) -> None:
        access.check_api_key(x_api_key or bearer(authorization))

    return check


def needs_api_key(access: Access) -> list[DependsParam]:
    return [Depends(require_api_key(access))]
