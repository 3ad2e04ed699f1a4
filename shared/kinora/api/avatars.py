"""`/api/avatars/{user}`: one small square picture for each user of an application, and `/avatar/{sig}/{user}` to show it to people
who have no API key."""

from __future__ import annotations

from typing import Annotated, Any, BinaryIO, cast

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response, status
from pydantic import BaseModel, Field

from kinora.api.access import Access
from kinora.api.body import BodyReader
from kinora.api.links import Links
from kinora.api.routes import get_and_head
from kinora.api.serving import PRIVATE, send_object
from kinora.api.upload_bodies import checked_length
from kinora.model import Scope
from kinora.pipeline.avatars import avatar_key, store_avatar
from kinora.services import Services

MAX_AVATAR_BYTES = 4_000_000  # a Lambda function is asked with 6 MB at most, base64 and envelope included

_User = Annotated[
    str, Path(min_length=1, max_length=128, description="The user's id in the application, whatever it looks like")
]
_BODY: dict[str, Any] = {"requestBody": {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}}
_REFUSED: dict[int | str, dict[str, Any]] = {
    413: {"description": "More bytes or pixels than are allowed"},
    415: {"description": "Not a picture"},
    422: {"description": "The picture is damaged"},
}
_NONE: dict[int | str, dict[str, Any]] = {404: {"description": "The user has no avatar"}}


class AvatarView(BaseModel):
    user: str
    url: str = Field(description="Signed, valid for a limited time")
    size: int
    etag: str


def avatars_router(services: Services, links: Links) -> APIRouter:
    router = APIRouter(prefix="/api/avatars", tags=["avatars"])

    @router.put(
        "/{user:path}", summary="Set a user's avatar", response_model=AvatarView, responses=_REFUSED, openapi_extra=_BODY
    )
    async def put_avatar(request: Request, user: _User) -> AvatarView:
        body = cast(BinaryIO, BodyReader(request.stream(), checked_length(request, MAX_AVATAR_BYTES)))
        info = await to_thread.run_sync(lambda: store_avatar(services, user, body))
        return AvatarView(user=user, url=links.avatar(user), size=info.size, etag=info.etag)

    @get_and_head(router, "/{user:path}", summary="A user's avatar", responses=_NONE)
    def avatar(request: Request, user: _User) -> Response:
        return send_object(services, request, Scope.AVATARS, avatar_key(user), cache=PRIVATE)

    @router.delete("/{user:path}", status_code=status.HTTP_204_NO_CONTENT, summary="Remove a user's avatar")
    def remove_avatar(user: _User) -> None:
        services.storage.delete(Scope.AVATARS, avatar_key(user))

    return router


def shown_avatars_router(services: Services, access: Access) -> APIRouter:
    router = APIRouter(tags=["signed"])

    @get_and_head(router, "/avatar/{signature}/{user:path}", summary="A user's avatar, by signature", responses=_NONE)
    def shown(request: Request, signature: str, user: _User) -> Response:
        access.verify(signature, "avatar", user)
        return send_object(services, request, Scope.AVATARS, avatar_key(user), cache=PRIVATE)

    return router
