"""Every address that the API hands out, put together in one place."""

from __future__ import annotations

from urllib.parse import quote

from kinora.api.access import Access
from kinora.services import Services


class Links:
    """Addresses relative to the API's own origin, or absolute if KINORA_PUBLIC_URL is set."""

    def __init__(self, services: Services, access: Access) -> None:
        self._base = services.settings.public_url.rstrip("/")
        self._needs_token = services.settings.stream_access == "token"
        self._access = access

    def stream(self, content_hash: str, path: str) -> str:
        token = f"?token={self._access.playback_token(content_hash)}" if self._needs_token else ""
        return f"{self._base}/stream/{content_hash}/{path}{token}"

    def original(self, key: str) -> str:
        return f"{self._base}/original/{self._access.sign('original', key)}/{quote(key)}"

    def thumb(self, key: str) -> str:
        return f"{self._base}/thumb/{self._access.sign('thumb', key)}/{quote(key)}"

    def media(self, content_hash: str) -> str:
        return f"{self._base}/api/media/{content_hash}"

    def job(self, identifier: str) -> str:
        return f"{self._base}/api/jobs/{identifier}"

    def upload(self, key: str) -> str:
        return f"{self._base}/api/uploads/{quote(key)}"
