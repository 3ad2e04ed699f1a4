"""`/api/media/{hash}/tokens` and `/access`: letting viewers play a medium, and who needs to be let; `/stream/{hash}/token`: a
token as a cookie."""

from __future__ import annotations

import re
import secrets
from typing import Literal

from fastapi import APIRouter, Request, Response, status
from pydantic import BaseModel, Field

from kinora.api.access import Access
from kinora.api.credentials import bearer
from kinora.api.links import Links
from kinora.api.media import Hash
from kinora.api.playback import BETWEEN_TOKENS, MOST_TOKENS, TOKEN_COOKIE
from kinora.errors import InvalidInput, NotFound, Unauthorized
from kinora.model import BlobState, MediaAccess
from kinora.pipeline.plans import load_plan
from kinora.pipeline.revisions import revisions_of
from kinora.playback_tokens import Limits, network_of
from kinora.services import Services

LONGEST_SECONDS = 366 * 86400
_COOKIE_BYTES = 3500  # of the 4096 that RFC 6265 §6.1 promises for name, value and attributes
_IN_COOKIE = re.compile(r"[A-Za-z0-9_.-]{1,1200}")


class TokenRequest(BaseModel):
    seconds: int | None = Field(None, ge=1, le=LONGEST_SECONDS, description="How long it is valid; else KINORA_URL_SECONDS")
    rendition: str | None = Field(None, pattern="^[A-Za-z0-9_-]{1,64}$", description="The only one that may be seen: r720_h264")
    network: str | None = Field(None, max_length=64, description="Where the viewer must be: an address or CIDR prefix")
    single_session: bool = Field(False, description="Whether only the first viewer who comes with it may use it")


class TokenView(BaseModel):
    token: str
    expires_at: int
    stream_url: str
    rendition: str | None
    network: str | None
    single_session: bool


class TokenText(BaseModel):
    token: str = Field(max_length=1200)


class AccessChange(BaseModel):
    access: Literal["public", "token", "default"] = Field(description="`default`: as the setting KINORA_STREAM_ACCESS says")


class AccessView(BaseModel):
    access: str = Field(description="`public` or `token`, as it is now")
    is_own: bool = Field(description="Whether it was set for this medium")


def tokens_router(services: Services, access: Access, links: Links) -> APIRouter:
    router = APIRouter(prefix="/api/media/{content_hash}", tags=["playback"])

    def check_known(content_hash: str) -> None:
        blob = services.catalog.blob(content_hash)
        if blob is None or blob.state is BlobState.CONDEMNED:
            raise NotFound(f"no blob {content_hash}")

    def view_access(content_hash: str) -> AccessView:
        own = services.catalog.access(content_hash)
        return AccessView(access=(own or MediaAccess(services.settings.stream_access)).value, is_own=own is not None)

    @router.get("/access", summary="Who may play a medium")
    def get_access(content_hash: Hash) -> AccessView:
        check_known(content_hash)
        return view_access(content_hash)

    @router.put("/access", summary="Let everybody play a medium, or only who has a token")
    def put_access(content_hash: Hash, change: AccessChange) -> AccessView:
        if change.access != "token" and revisions_of(services, content_hash).newest:
            raise InvalidInput(public_message="What is encrypted stays private.", code="encrypted")
        services.catalog.set_access(content_hash, None if change.access == "default" else MediaAccess(change.access))
        links.forget_access(content_hash)
        return view_access(content_hash)

    @router.post(
        "/tokens",
        status_code=status.HTTP_201_CREATED,
        summary="Make a playback token",
        responses={400: {"description": "No network, or no such rendition"}, 404: {"description": "No such medium"}},
    )
    def create_token(content_hash: Hash, response: Response, wanted: TokenRequest | None = None) -> TokenView:
        check_known(content_hash)
        wanted = wanted or TokenRequest.model_validate({})
        limits = Limits(
            network=network_of(wanted.network) if wanted.network else "",
            rendition=wanted.rendition or "",
            session=secrets.token_urlsafe(16) if wanted.single_session else "",
        )
        check_rendition(services, content_hash, limits.rendition)
        expires_at = int(services.clock()) + (wanted.seconds or services.settings.url_seconds)
        token = access.playback_token(content_hash, expires_at=expires_at, limits=limits)
        response.headers["Cache-Control"] = "no-store"
        return TokenView(
            token=token,
            expires_at=expires_at,
            stream_url=links.stream(content_hash, "master.m3u8", token),
            rendition=wanted.rendition,
            network=limits.network or None,
            single_session=wanted.single_session,
        )

    return router


def cookie_router(access: Access) -> APIRouter:
    router = APIRouter(tags=["playback"])

    @router.post(
        "/stream/{content_hash}/token",
        status_code=status.HTTP_204_NO_CONTENT,
        summary="Keep a playback token as a cookie",
        responses={code: {"description": "As for the stream"} for code in (401, 403, 410)},
    )
    def keep_token(content_hash: Hash, request: Request, response: Response, given: TokenText | None = None) -> None:
        """Further requests of the browser need no token in their address. One that is for a single session is claimed."""
        token = given.token if given else bearer(request.headers.get("Authorization"))
        if not token:
            raise Unauthorized(public_message="This needs a playback token, in the body or as a bearer.")
        playback = access.playback
        admission = playback.begin(request, playback.require(request, content_hash, begins=True, tokens=[token]))
        playback.set_cookie(request, response, TOKEN_COOKIE, _with(token, request.cookies.get(TOKEN_COOKIE, "")))
        playback.mark(request, response, admission)
        response.headers["Cache-Control"] = "no-store"

    return router


def _with(token: str, cookie: str) -> str:
    """The cookie's value with a new token in front; the oldest ones go where browsers would not keep it whole."""
    others = [one for one in cookie.split(BETWEEN_TOKENS) if one != token and _IN_COOKIE.fullmatch(one)]
    kept = [token, *others][:MOST_TOKENS]
    while len(kept) > 1 and sum(map(len, kept)) > _COOKIE_BYTES:
        kept.pop()
    return BETWEEN_TOKENS.join(kept)


def check_rendition(services: Services, content_hash: str, rendition: str) -> None:
    """Raises InvalidInput if the medium is planned without that rendition: the token would open nothing."""
    if not rendition:
        return
    try:
        plan = load_plan(services, content_hash)
    except NotFound:
        return
    known = [one.name for one in plan.renditions]
    if rendition not in known:
        raise InvalidInput(public_message=f"There is no rendition {rendition}; there are: {', '.join(known) or 'none'}.")
