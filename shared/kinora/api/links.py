"""Every address that the API hands out, put together in one place."""

from __future__ import annotations

import time
from urllib.parse import quote

from fastapi import Request

from kinora.api.access import Access
from kinora.services import Services

_FRESH_SECONDS = 1.0
_MOST_KNOWN = 1000


class Links:
    """Addresses relative to the API's own origin, or absolute if KINORA_PUBLIC_URL is set."""

    def __init__(self, services: Services, access: Access) -> None:
        self._base = services.settings.public_url.rstrip("/")
        self._access = access
        self._private: dict[str, tuple[float, bool]] = {}

    def stream(self, content_hash: str, path: str, token: str | None = None) -> str:
        """With a token where the medium needs one, or with the one given."""
        if token is None and self._is_private(content_hash):
            token = self._access.playback_token(content_hash)
        return f"{self._base}/stream/{content_hash}/{path}{f'?token={token}' if token else ''}"

    def forget_access(self, content_hash: str) -> None:
        """It has been changed."""
        self._private.pop(content_hash, None)

    def original(self, key: str) -> str:
        return f"{self._base}/original/{self._access.sign('original', key)}/{quote(key)}"

    def thumb(self, key: str) -> str:
        return f"{self._base}/thumb/{self._access.sign('thumb', key)}/{quote(key)}"

    def _is_private(self, content_hash: str) -> bool:
        """Read once for all addresses of an answer; one that lags behind only lacks its token, or has one too many."""
        now = time.monotonic()
        read_at, is_private = self._private.get(content_hash, (-_FRESH_SECONDS, False))
        if now - read_at >= _FRESH_SECONDS:
            is_private = self._access.playback.is_private(content_hash)
            if len(self._private) >= _MOST_KNOWN:
                self._private.clear()
            self._private[content_hash] = now, is_private
        return is_private

    def media(self, content_hash: str) -> str:
        return f"{self._base}/api/media/{content_hash}"

    def job(self, identifier: str) -> str:
        return f"{self._base}/api/jobs/{identifier}"

    def upload(self, key: str) -> str:
        return f"{self._base}/api/uploads/{quote(key)}"

    def absolute(self, request: Request, address: str) -> str:
        """For pages of other origins: an address with the API's own origin, as this client knows it."""
        return address if self._base else f"{str(request.base_url).rstrip('/')}{address}"

    def avatar(self, user: str) -> str:
        return f"{self._base}/avatar/{self._access.sign('avatar', user)}/{quote(user, safe='')}"

    def upload_form(self, key: str) -> str:
        return f"{self._base}/upload/{self._access.sign('upload-form', key)}/form/{quote(key)}"

    def upload_part(self, key: str, upload: str, number: int, sha256: str | None) -> str:
        signature = self._access.sign("upload-part", key, options=f"{upload}/{number}/{sha256 or ''}")
        return f"{self._base}/upload/{signature}/part/{number}/{quote(upload, safe='')}/{quote(key)}"

    def grant(self, signature: str, folder: str) -> str:
        return f"{self._base}/grant/{signature}/{quote(folder)}"
