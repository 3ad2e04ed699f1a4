"""`/api/uploads`: originals come in. On AWS the client is sent on to S3; locally the body is streamed into the source scope.

Either way the upload is then noticed like any other object: the API itself starts no work.
"""

from __future__ import annotations

from typing import Annotated, BinaryIO, cast

from anyio import to_thread
from fastapi import APIRouter, Header, Request, Response, status
from fastapi.responses import JSONResponse, RedirectResponse

from kinora.api.access import Access
from kinora.api.body import BodyReader
from kinora.api.declared import checksum_header, declared_sha256
from kinora.api.links import Links
from kinora.api.schemas import UploadRequest, UploadTarget, UploadView
from kinora.api.upload_bodies import checked_length
from kinora.api.upload_keys import key_below
from kinora.api.upload_parts import GRANT_ROUTE
from kinora.api.upload_schemas import Grant, GrantRequest
from kinora.api.upload_steps import TAKEN, exists
from kinora.errors import AlreadyExists, PreconditionFailed
from kinora.model import Scope
from kinora.pipeline.encryption_requests import mark_for_encryption
from kinora.services import Services
from kinora.storage.base import PutMode

ENCRYPT_HEADER = "x-amz-meta-kinora-encrypt"


def uploads_router(services: Services, links: Links, access: Access) -> APIRouter:
    router = APIRouter(prefix="/api/uploads", tags=["uploads"])
    settings = services.settings

    @router.post("", summary="Where to upload an original", responses={409: {"description": "The key is taken"}})
    def create_upload(wanted: UploadRequest) -> UploadTarget:
        key = key_below(settings.upload_prefix, wanted.key)
        if not wanted.replace and exists(services, key):  # said before gigabytes are sent for nothing
            raise AlreadyExists(public_message=TAKEN)
        headers = {} if wanted.replace else {"If-None-Match": "*"}
        headers |= checksum_header(wanted.sha256) if wanted.sha256 else {}
        headers |= {ENCRYPT_HEADER: "true"} if wanted.encrypt else {}
        if services.presigner is None:
            return UploadTarget(key=key, method="PUT", url=links.upload(key), headers=headers, needs_api_key=True)
        url = services.presigner.presign_put(
            Scope.SOURCE, key, expires=settings.url_seconds, sha256=wanted.sha256, encrypt=wanted.encrypt
        )
        return UploadTarget(key=key, method="PUT", url=url, headers=headers, needs_api_key=False)

    @router.post("/grants", summary="Let a browser upload into one folder")
    def grant(request: Request, wanted: GrantRequest) -> Grant:
        inside = key_below(settings.upload_prefix, wanted.folder.strip("/"))
        signature = access.sign(GRANT_ROUTE, f"{inside}/")
        endpoint = links.absolute(request, links.grant(signature, inside))
        return Grant(folder=f"{inside}/", endpoint=endpoint, expires=settings.url_seconds)

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
        x_amz_meta_kinora_encrypt: Annotated[str | None, Header(description="`true`: its stream shall be encrypted")] = None,
    ) -> Response:
        key = key_below(settings.upload_prefix, key)
        encrypt = (x_amz_meta_kinora_encrypt or "").strip().lower() == "true"
        sha256 = declared_sha256(content_digest, x_amz_checksum_sha256)
        if services.presigner is not None:
            # S3 verifies only what the address binds, and refuses such headers that it does not bind.
            bound = sha256 if x_amz_checksum_sha256 else None
            url = services.presigner.presign_put(Scope.SOURCE, key, expires=settings.url_seconds, sha256=bound, encrypt=encrypt)
            return RedirectResponse(url, status.HTTP_307_TEMPORARY_REDIRECT, {"Cache-Control": "no-store"})
        if encrypt:
            await to_thread.run_sync(lambda: mark_for_encryption(services, key))
        mode = PutMode.CREATE if (if_none_match or "").strip() == "*" else PutMode.OVERWRITE
        return await _take_in(services, request, key, mode, sha256)

    return router


async def _take_in(services: Services, request: Request, key: str, mode: PutMode, sha256: str | None) -> Response:
    limit = checked_length(request, services.settings.max_upload_bytes)
    body = cast(BinaryIO, BodyReader(request.stream(), limit))
    try:
        info = await to_thread.run_sync(lambda: services.storage.put(Scope.SOURCE, key, body, mode, sha256=sha256))
    except AlreadyExists as error:
        raise PreconditionFailed(public_message=TAKEN) from error
    view = UploadView(key=info.key, size=info.size, etag=info.etag)
    return JSONResponse(view.model_dump(), status.HTTP_201_CREATED, {"ETag": f'"{info.etag}"'})
