"""Who may: the API key of `/api`, signatures of signed routes, playback tokens of `/stream`. Secrets are read once, lazily."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.params import Depends as DependsParam

from kinora.api.credentials import bearer
from kinora.api.playback import Admission, Playback
from kinora.errors import NotFound, Unauthorized, Unavailable
from kinora.playback_tokens import NO_LIMITS, Limits, make_token
from kinora.secrets.base import SecretName
from kinora.services import Services
from kinora.signing import Keyring, sign, verify

_FRESH_SECONDS = 30.0  # beside the five minutes for which drivers on AWS keep a secret


@dataclass(frozen=True, slots=True, repr=False)
class _Keys:
    """Without a repr, so that no log shows them."""

    read_at: float
    api: str
    signing: Keyring


class Access:
    """The keys of one process, read again every half minute so that a rotation takes effect."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = Lock()
        self._known: _Keys | None = None
        self.playback = Playback(services, lambda: self._keys().signing)

    def check_api_key(self, presented: str | None) -> None:
        """Raises Unauthorized."""
        if presented is None or not hmac.compare_digest(presented.encode(), self._keys().api.encode()):
            raise Unauthorized(public_message="This needs the API key, as 'Authorization: Bearer …' or 'X-Api-Key'.")

    def sign(self, route: str, key: str, *, options: str = "") -> str:
        """The `{sig}` of a URL for `key` and its canonical options, valid for the time of the setting KINORA_URL_SECONDS."""
        return sign(self._keys().signing, route, key, expires_at=self._expiry(), options=options)

    def verify(self, signature: str, route: str, key: str, *, options: str = "") -> int:
        """For how many seconds, at least one, the signature still holds. Raises SignatureInvalid (403), SignatureExpired (410)."""
        now = self._services.clock()
        return max(1, int(verify(self._keys().signing, signature, route, key, now=now, options=options) - now))

    def playback_token(self, content_hash: str, *, expires_at: int | None = None, limits: Limits = NO_LIMITS) -> str:
        """Valid until `expires_at`, or for the time of the setting KINORA_URL_SECONDS. Raises InvalidInput."""
        until = self._expiry() if expires_at is None else expires_at
        return make_token(self._keys().signing, content_hash, expires_at=until, limits=limits)

    def check_playback(self, content_hash: str, request: Request) -> Admission:
        """Whether the request brings a playback token for the medium, of the right address and session, for whatever needs
        one even where media are public. Raises Unauthorized (401), SignatureInvalid and Forbidden (403), SignatureExpired (410).
        """
        return self.playback.require(request, content_hash)

    def _expiry(self) -> int:
        return int(self._services.clock()) + self._services.settings.url_seconds

    def _keys(self) -> _Keys:
        with self._lock:
            now = time.monotonic()
            if self._known is None or now - self._known.read_at > _FRESH_SECONDS:
                secrets = self._services.secrets
                try:
                    api_key = secrets.get(SecretName.API_KEY).strip()
                    self._known = _Keys(now, api_key, Keyring.parse(secrets.get(SecretName.SIGNING_KEYS)))
                except NotFound as error:
                    raise Unavailable(f"a secret is missing: {error}") from error
            return self._known


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
