"""`/api/media/{hash}/encryption`: having a stream encrypted, giving it a new content key, and how far that is."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, Field

from kinora.api.media import Hash
from kinora.api.schemas import FailureView
from kinora.pipeline.encryption_requests import Encryption, look_at_encryption, request_encryption
from kinora.services import Services


class EncryptionRequest(BaseModel):
    revision: int | None = Field(
        None, ge=1, le=999_999, description="The revision to serve: 1 encrypts, the next one changes the content key"
    )


class RevisionView(BaseModel):
    revision: int
    state: str = Field(description="pending, ready, failed or retired")
    error: FailureView | None
    key_id: str | None
    created_at: float | None = Field(description="When the content key was made")


class EncryptionView(BaseModel):
    encrypted: bool = Field(description="Whether players get an encrypted stream")
    revision: int = Field(description="The revision that players get, 0 for the clear one")
    revisions: list[RevisionView]


def encryption_router(services: Services) -> APIRouter:
    router = APIRouter(prefix="/api/media/{content_hash}/encryption", tags=["media"])

    @router.get("", summary="Whether a stream is encrypted, and by which keys")
    def get_encryption(content_hash: Hash) -> EncryptionView:
        return _view(look_at_encryption(services, content_hash))

    @router.put(
        "",
        summary="Encrypt a stream, or change its content key",
        responses={
            202: {"model": EncryptionView, "description": "It is being written"},
            409: {"description": "That revision is not the next one"},
            415: {"description": "It is no video or audio"},
        },
    )
    def put_encryption(content_hash: Hash, response: Response, wanted: EncryptionRequest | None = None) -> EncryptionView:
        encryption = request_encryption(services, content_hash, wanted.revision if wanted else None)
        if not encryption.is_settled:
            response.status_code = status.HTTP_202_ACCEPTED
        return _view(encryption)

    return router


def _view(encryption: Encryption) -> EncryptionView:
    return EncryptionView(
        encrypted=encryption.served > 0,
        revision=encryption.served,
        revisions=[
            RevisionView(
                revision=one.revision,
                state=one.state,
                error=FailureView(code=one.error.code, message=one.error.message) if one.error else None,
                key_id=one.key.key_id if one.key else None,
                created_at=one.key.created_at if one.key else None,
            )
            for one in encryption.revisions
        ],
    )
