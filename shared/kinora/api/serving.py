"""Sending stored objects: on AWS a redirect to a short-lived presigned URL, locally the bytes themselves, with exact ranges."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from kinora.api.conditions import http_date, is_unchanged, wanted_range
from kinora.model import Scope
from kinora.services import Services
from kinora.storage.base import ObjectInfo, Presigner, Reader

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
PRIVATE = "private, no-cache"
DIRECT = "kinora.direct"  # marks an answer whose bytes would not pass through the API on AWS
_CHUNK = 256 * 1024
_SHOWN_INLINE = ("image/", "video/", "audio/")
_ACTIVE = re.compile(r"text/html|image/svg\+xml|.*[/+]xml|.*(?:java|ecma)script|text/css")  # run or style, even by a mere link
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # categories of Unicode
_JOINERS = "\u200c\u200d"  # belong to how words and emoji are written


def send_object(
    services: Services,
    request: Request,
    scope: Scope,
    key: str,
    *,
    cache: str,
    media_type: str | None = None,
    etag: str | None = None,
    filename: str | None = None,
    presigned_seconds: int | None = None,
    shown_etag: str | None = None,
) -> Response:
    """Answer GET or HEAD for one object.

    `media_type` overrides what storage says; `etag` pins the state of the object; `shown_etag` is what
    clients see instead of it, where the key says what the object is; with `filename` anything that a browser
    could run is offered as a download. A redirect works for `presigned_seconds`, or for KINORA_URL_SECONDS.
    Raises NotFound, RangeNotSatisfiable (416), PreconditionFailed (412).
    """
    info = services.storage.head(scope, key)
    stored_etag, info = info.etag, replace(info, etag=shown_etag or info.etag)
    headers = _headers(info, cache, media_type or info.media_type, filename)
    request.scope[DIRECT] = True
    if request.method == "GET" and services.presigner is not None:
        return _redirect(services, services.presigner, scope, key, headers, presigned_seconds)
    if is_unchanged(request.headers, info.etag, info.modified_at):
        return Response(status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control", "Last-Modified")})
    if request.method == "HEAD":  # never redirected: a presigned URL holds for one method
        return Response(headers=headers | {"Content-Length": str(info.size)})
    wanted = wanted_range(request.headers, info.etag, info.modified_at)
    start, stop = wanted.resolve(info.size) if wanted else (0, info.size)
    reader = services.storage.open(scope, key, wanted, etag=etag or stored_etag)
    headers["Content-Length"] = str(stop - start)
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{info.size}"
    return _ReaderResponse(reader, 206 if wanted else 200, headers)


def _redirect(
    services: Services, presigner: Presigner, scope: Scope, key: str, headers: Mapping[str, str], seconds: int | None
) -> Response:
    """What may be kept for ever is redirected the same way for a while, so that a client asks once."""
    expires = seconds or services.settings.url_seconds
    age = f"private, max-age={expires // 2}" if "immutable" in headers["Cache-Control"] else "no-store"
    media_type, attached = headers["Content-Type"], headers.get("Content-Disposition")
    url = presigner.presign_get(scope, key, expires=expires, media_type=media_type, disposition=attached)
    return RedirectResponse(url, 302, {"Cache-Control": age})


def send_text(request: Request, body: bytes, media_type: str, cache: str) -> Response:
    """Answer GET or HEAD with a small text made now, with an ETag over its bytes."""
    etag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{etag}"', "Cache-Control": cache}
    if is_unchanged(request.headers, etag, float("inf")):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        return Response(headers=headers | {"Content-Length": str(len(body)), "Content-Type": media_type})
    return Response(body, headers=headers | {"Content-Type": media_type})


def disposition(media_type: str, filename: str) -> str:
    """Content-Disposition (RFC 6266, RFC 8187): pictures, films and sound inline, everything else as a download.

    Folders and characters that nobody sees are taken out of the name: those that turn the order of writing round make
    `gpj.exe` look like `exe.jpg`.
    """
    essence = _essence(media_type)
    inline = essence.startswith(_SHOWN_INLINE) and not _ACTIVE.fullmatch(essence)
    name = filename.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(char for char in name if char in _JOINERS or unicodedata.category(char) not in _UNSEEN).strip()
    name = name or "download"
    plain = "".join(char if char.isascii() and char not in '"%' else "_" for char in name)
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _headers(info: ObjectInfo, cache: str, media_type: str, filename: str | None) -> dict[str, str]:
    headers = {
        "ETag": f'"{info.etag}"',
        "Last-Modified": http_date(info.modified_at),
        "Accept-Ranges": "bytes",
        "Cache-Control": cache,
        "Content-Type": media_type,
    }
    if filename is not None:
        headers["Content-Disposition"] = disposition(media_type, filename)
        if _ACTIVE.fullmatch(_essence(media_type)):
            headers["Content-Type"] = "application/octet-stream"
    return headers


def _essence(media_type: str) -> str:
    """Without parameters (RFC 9110 §8.3.1)."""
    return media_type.partition(";")[0].strip().lower()


class _ReaderResponse(StreamingResponse):
    """Sends what a reader has and closes it, also when the client goes away in the middle: Starlette then drops the iterator
    without closing it, and the file would stay open until the garbage collector comes by."""

    def __init__(self, reader: Reader, status: int, headers: dict[str, str]) -> None:
        super().__init__(iter(lambda: reader.read(_CHUNK), b""), status, headers)
        self._reader = reader

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reader.close()
