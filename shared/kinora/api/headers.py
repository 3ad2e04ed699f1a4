"""Headers that every answer has, and who may call from other origins. Middleware of create_app.

What Kinora did not write itself (originals, media) is answered like everything else that is no page: it may load nothing,
run nothing and is in no origin, should a browser ever show it as a document.
"""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinora.settings import Settings

NO_DOCUMENT = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"  # browsers put a picture or a film that is opened by itself into a document of their own, with a style
HSTS = "max-age=31536000"

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_SENT = [
    *("Authorization", "Content-Digest", "Content-Type", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range"),
    *("Last-Event-ID", "Range", "X-Amz-Checksum-Sha256", "X-Amz-Meta-Kinora-Encrypt", "X-Api-Key"),
]
_EXPOSED = [
    *("Accept-Ranges", "Allow", "Content-Digest", "Content-Disposition", "Content-Length", "Content-Range", "ETag"),
    *("Last-Modified", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate"),
]


class SafeHeaders:
    """ASGI middleware. A header that the answer has already stays as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Content-Security-Policy", NO_DOCUMENT)
                headers.setdefault("Referrer-Policy", "no-referrer")
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", HSTS)
            await send(message)

        await self._app(scope, receive, with_headers)


class BehindProxies:
    """ASGI middleware for where proxies are trusted: the scheme is what the nearest of them says that its client used."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            noted = Headers(scope=scope).get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
            if noted in {"http", "https"}:
                scope["scheme"] = noted
        await self._app(scope, receive, send)


def allow_origins(app: FastAPI, settings: Settings) -> None:
    """CORS by the setting KINORA_CORS_ORIGINS. Cookies (playback tokens) count for origins that are named, never for `*`."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(settings.cors_origins),
        allow_credentials="*" not in settings.cors_origins,
        allow_methods=_METHODS,
        allow_headers=_SENT,
        expose_headers=_EXPOSED,
        max_age=86400,
    )
