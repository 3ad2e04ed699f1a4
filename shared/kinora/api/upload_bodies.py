"""`/upload/{sig}/…`: where the bytes of parts and forms go in local mode. The signature in the address is the permission.

On AWS clients send them to S3 itself, and these routes do not exist.
"""

from __future__ import annotations

from typing import Annotated, Any, BinaryIO, cast

from anyio import to_thread
from fastapi import APIRouter, Header, Request, Response, status
from fastapi.responses import JSONResponse

from kinora.api.access import Access
from kinora.api.body import BodyReader
from kinora.api.declared import declared_sha256
from kinora.api.form import boundary_of, file_of_form
from kinora.errors import LimitExceeded
from kinora.model import Scope
from kinora.object_keys import check_key
from kinora.services import Services

_BYTES = {"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    403: {"description": "The signature is not valid"},
    410: {"description": "The address has expired"},
}


def bodies_router(services: Services, access: Access) -> APIRouter:
    router = APIRouter(prefix="/upload/{signature}", tags=["uploads"], responses=_REFUSALS)
    limit = services.settings.max_upload_bytes

    @router.put("/part/{number}/{upload}/{key:path}", summary="Send one part", openapi_extra=_BYTES)
    async def part(
        request: Request,
        signature: str,
        number: int,
        upload: str,
        key: str,
        x_amz_checksum_sha256: Annotated[str | None, Header(description="As S3 has it: base64")] = None,
    ) -> Response:
        sha256 = declared_sha256(None, x_amz_checksum_sha256)
        access.verify(signature, "upload-part", key, options=f"{upload}/{number}/{sha256 or ''}")
        body = cast(BinaryIO, BodyReader(request.stream(), checked_length(request, limit)))
        stored = await to_thread.run_sync(
            lambda: services.multipart.put_part(Scope.SOURCE, key, upload, number, body, sha256=sha256)
        )
        return Response(status_code=status.HTTP_200_OK, headers={"ETag": f'"{stored.etag}"'})

    @router.post("/form/{key:path}", summary="Send a small file as a form", status_code=status.HTTP_201_CREATED)
    async def form(request: Request, signature: str, key: str) -> Response:
        access.verify(signature, "upload-form", key)
        boundary = boundary_of(request.headers.get("content-type"))
        checked_length(request, limit + 1_000_000)  # the form's own text aside
        body = cast(BinaryIO, BodyReader(file_of_form(request.stream(), boundary), limit))
        # A form that is sent again because its answer was lost replaces the same bytes.
        info = await to_thread.run_sync(lambda: services.storage.put(Scope.SOURCE, check_key(key), body))
        view = {"key": info.key, "size": info.size, "etag": info.etag}
        return JSONResponse(view, status.HTTP_201_CREATED, {"ETag": f'"{info.etag}"'})

    return router


def checked_length(request: Request, limit: int) -> int:
    """`limit`, unless the request declares more bytes. Raises LimitExceeded."""
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise LimitExceeded(public_message=f"The upload has {declared} bytes; {limit} are allowed in one request.")
    return limit
