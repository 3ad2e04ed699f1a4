"""`/api/uploads`: originals come in. On AWS the client is sent on to S3; locally the body is streamed into the source scope.

Either way the upload is then noticed like any other object: the API itself starts no work.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, BinaryIO, cast

from anyio import to_thread
from fastapi import APIRouter, Header, Request, Response, status
from fastapi.responses import JSONResponse, RedirectResponse

from kinora.api.body import BodyReader
from kinora.api.links import Links
from kinora.api.schemas import UploadRequest, UploadTarget, UploadView
from kinora.errors import AlreadyExists, InvalidInput, InvalidKey, LimitExceeded, NotFound, PreconditionFailed
from kinora.model import Scope
from kinora.object_keys import check_key
from kinora.services import Services
from kinora.storage.base import PutMode
from kinora.upload_names import is_unfinished

_TAKEN = "There is an original with this key already."
_CONTENT_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):")


def uploads_router(services: Services, links: Links) -> APIRouter:
    router = APIRouter(prefix="/api/uploads", tags=["uploads"])
    settings = services.settings

    def source_key(key: str) -> str:
        """Keys are given with or without the upload prefix."""
        if is_unfinished(key):
            raise InvalidKey(public_message="Names that are hidden or stand for unfinished files are not taken in.")
        return check_key(key if key.startswith(settings.upload_prefix) else settings.upload_prefix + key)

    @router.post("", summary="Where to upload an original", responses={409: {"description": "The key is taken"}})
    def create_upload(wanted: UploadRequest) -> UploadTarget:
        key = source_key(wanted.key)
        if not wanted.replace and _exists(services, key):  # said before gigabytes are sent for nothing
            raise AlreadyExists(public_message=_TAKEN)
        headers = {} if wanted.replace else {"If-None-Match": "*"}
        if services.presigner is None:
            return UploadTarget(key=key, method="PUT", url=links.upload(key), headers=headers, needs_api_key=True)
        url = services.presigner.presign_put(Scope.SOURCE, key, expires=settings.url_seconds)
        return UploadTarget(key=key, method="PUT", url=url, headers=headers, needs_api_key=False)

    @router.put(
        "/{key:path}",
        status_code=status.HTTP_201_CREATED,
        summary="Upload an original",
        response_model=UploadView,
        responses={
            307: {"description": "Send the same request there (AWS)"},
            412: {"description": "If-None-Match: * and it exists"},
        },
        openapi_extra={
            "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
        },
    )
    async def upload(
        request: Request,
        key: str,
        if_none_match: Annotated[str | None, Header()] = None,
        content_digest: Annotated[str | None, Header(description="RFC 9530, sha-256")] = None,
        x_amz_checksum_sha256: Annotated[str | None, Header(description="As S3 has it: base64")] = None,
    ) -> Response:
        key = source_key(key)
        if services.presigner is not None:
            url = services.presigner.presign_put(Scope.SOURCE, key, expires=settings.url_seconds)
            return RedirectResponse(url, status.HTTP_307_TEMPORARY_REDIRECT, {"Cache-Control": "no-store"})
        mode = PutMode.CREATE if (if_none_match or "").strip() == "*" else PutMode.OVERWRITE
        return await _take_in(services, request, key, mode, _declared_sha256(content_digest, x_amz_checksum_sha256))

    return router


async def _take_in(services: Services, request: Request, key: str, mode: PutMode, sha256: str | None) -> Response:
    limit = services.settings.max_upload_bytes
    _check_length(request.headers.get("content-length"), limit)
    body = cast(BinaryIO, BodyReader(request.stream(), limit))
    try:
        info = await to_thread.run_sync(lambda: services.storage.put(Scope.SOURCE, key, body, mode, sha256=sha256))
    except AlreadyExists as error:
        raise PreconditionFailed(public_message=_TAKEN) from error
    view = UploadView(key=info.key, size=info.size, etag=info.etag)
    return JSONResponse(view.model_dump(), status.HTTP_201_CREATED, {"ETag": f'"{info.etag}"'})


def _exists(services: Services, key: str) -> bool:
    try:
        return bool(services.storage.head(Scope.SOURCE, key))
    except NotFound:
        return False


def _check_length(declared: str | None, limit: int) -> None:
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise LimitExceeded(public_message=f"The upload has {declared} bytes; {limit} are allowed in one request.")


def _declared_sha256(content_digest: str | None, checksum: str | None) -> str | None:
    """The hex SHA-256 that the client declares, if it does."""
    match = _CONTENT_DIGEST.search(content_digest) if content_digest else None
    encoded = match[1] if match else checksum
    if encoded is None:
        return None
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise InvalidInput(public_message="The declared checksum is not base64.") from error
    if len(raw) != 32:
        raise InvalidInput(public_message="The declared checksum is not a SHA-256.")
    return raw.hex()
