"""Uploads in parts over HTTP, in the form that Uppy's AWS S3 plugin speaks with its server (docs/uploads.md).

The same routes twice: with the API key below `/api/uploads/s3`, and below `/grant/…/s3` for browsers that were granted one folder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from kinora.api.access import Access
from kinora.api.links import Links
from kinora.api.upload_schemas import (
    CompletedUpload,
    FormTarget,
    NewUpload,
    PartTarget,
    PartTargets,
    PartView,
    StartedUpload,
    UploadedParts,
)
from kinora.api.upload_steps import UploadSteps
from kinora.errors import InvalidInput
from kinora.services import Services
from kinora.storage.multipart import MAX_PARTS

GRANT_ROUTE = "upload-grant"
_MOST_AT_ONCE = 100

_UploadId = Annotated[str, Path(max_length=1024)]
_Number = Annotated[int, Path(ge=1, le=MAX_PARTS)]
_Key = Annotated[str, Query(description="As the answer to the creation has it", max_length=1024)]
_Filename = Annotated[str, Query(min_length=1, max_length=1024)]
_Sha256 = Annotated[str | None, Query(description="Hex SHA-256 of the part, which is verified", pattern="^[0-9a-f]{64}$")]
_TAKEN: dict[int | str, dict[str, Any]] = {409: {"description": "The key is taken"}}
_GONE: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such upload (any more)"}}


def folder_of_api(services: Services) -> Callable[[], str]:
    """A dependency: whoever has the API key may upload anywhere below the upload prefix."""
    return lambda: services.settings.upload_prefix


def folder_of_grant(access: Access) -> Callable[[str, str], str]:
    """A dependency: the folder that the address grants. Raises SignatureInvalid, SignatureExpired."""

    def granted(signature: str, folder: str) -> str:
        access.verify(signature, GRANT_ROUTE, f"{folder}/")
        return f"{folder}/"

    return granted


def parts_router(
    services: Services, links: Links, prefix: str, folder_of: Callable[..., str], *, may_replace: bool
) -> APIRouter:
    router = APIRouter(prefix=prefix, tags=["uploads"])
    steps = UploadSteps(services, links, may_replace=may_replace)
    inside = Depends(folder_of)

    @router.get("/params", summary="Where to send a small file, as a form")
    def params(request: Request, filename: _Filename, folder: str = inside) -> FormTarget:
        return steps.form(request, folder, filename)

    @router.post("/multipart", summary="Begin an upload in parts", responses=_TAKEN)
    def create(wanted: NewUpload, folder: str = inside) -> StartedUpload:
        return steps.create(folder, wanted)

    @router.get("/multipart/{upload}", summary="The parts that are stored", responses=_GONE)
    def stored(upload: _UploadId, key: _Key, folder: str = inside) -> list[PartView]:
        return [PartView.of(part) for part in steps.stored(folder, upload, key)]

    @router.get("/multipart/{upload}/batch", summary="Where to send several parts")
    def sign_batch(request: Request, upload: _UploadId, key: _Key, partNumbers: str, folder: str = inside) -> PartTargets:  # noqa: N803 Uppy's name
        urls = {text: steps.target(request, folder, upload, key, number, None).url for text, number in _numbers(partNumbers)}
        return PartTargets(presignedUrls=urls)

    @router.get("/multipart/{upload}/{number}", summary="Where to send a part")
    def sign(
        request: Request, upload: _UploadId, number: _Number, key: _Key, sha256: _Sha256 = None, folder: str = inside
    ) -> PartTarget:
        return steps.target(request, folder, upload, key, number, sha256)

    @router.post("/multipart/{upload}/complete", summary="Make one original of the parts", responses=_TAKEN | _GONE)
    def complete(request: Request, upload: _UploadId, key: _Key, done: UploadedParts, folder: str = inside) -> CompletedUpload:
        return steps.complete(request, folder, upload, key, done)

    @router.delete("/multipart/{upload}", summary="Forget an upload and its parts")
    def abort(upload: _UploadId, key: _Key, folder: str = inside) -> dict[str, str]:
        steps.abort(folder, upload, key)
        return {}

    return router


def _numbers(listed: str) -> list[tuple[str, int]]:
    """Part numbers as they are written and as numbers. Raises InvalidInput."""
    texts = listed.split(",")
    if len(texts) > _MOST_AT_ONCE or not all(text.isascii() and text.isdigit() and len(text) <= 5 for text in texts):
        raise InvalidInput(public_message=f"partNumbers are up to {_MOST_AT_ONCE} numbers, separated by commas.")
    return [(text, int(text)) for text in texts]
