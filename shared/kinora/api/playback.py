"""Who may play what: tokens from the query, a header or a cookie, their limits, and the one session of those that have one.

Called by every router that serves media, with the request (docs/signatures.md tells the rules). Never says more to who may not
than that there is nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from fastapi import Request, Response

from kinora.api.client_address import client_address
from kinora.api.credentials import PROVEN, bearer
from kinora.errors import Forbidden, KinoraError, NotFound, SignatureInvalid, Unauthorized
from kinora.media.hls_choice import belongs_to
from kinora.model import MediaAccess
from kinora.playback_tokens import NO_LIMITS, Limits, PlaybackToken, read_token
from kinora.services import Services
from kinora.signing import Keyring

TOKEN_COOKIE = "kinora_token"  # noqa: S105 - a cookie's name
SESSION_COOKIE = "kinora_session"
MOST_TOKENS = 8  # in one cookie, for as many media
BETWEEN_TOKENS = "~"
SHORT_SECONDS = 300  # what a redirect to private media may outlive the token's being looked at

PLAYBACK_PARAMETERS = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {"type": "string", "maxLength": length},
        "description": description,
    }
    for name, length, description in (
        ("token", 1200, "Playback token, for players that send no headers; else as a bearer or in the cookie kinora_token"),
        ("session", 64, "The viewer's own name for itself, for a token of one session"),
    )
]

_SESSION = re.compile(r"[A-Za-z0-9_-]{16,64}")
_MOST_HELD = 10_000
_WHOLE_FILES = ("proxy/", "moments/")  # played over one address, to which a player returns at every seek


@dataclass(frozen=True, slots=True)
class Admission:
    """What a viewer may have of one medium. `query` is what addresses in playlists carry on; `new_session` is to be set as a
    cookie."""

    is_private: bool
    limits: Limits = NO_LIMITS
    expires_at: int = 0
    query: str = ""
    new_session: str = ""

    def presigned_seconds(self, path: str, now: float, most: int) -> int:
        """How long a redirect to the file may work: never longer than the token, and only for a short time, unless it is a
        whole film and the token is for anybody who has it."""
        if not self.is_private:
            return most
        is_long = path.startswith(_WHOLE_FILES) and not self.limits.network and not self.limits.session
        return max(1, min(most, int(self.expires_at - now), most if is_long else SHORT_SECONDS))


class Playback:
    """`keyring` gives the keys of the moment."""

    def __init__(self, services: Services, keyring: Callable[[], Keyring]) -> None:
        self._services = services
        self._keyring = keyring
        self._held: set[tuple[str, str]] = set()  # claims are never given back, so what was true once stays so

    def is_private(self, content_hash: str) -> bool:
        """Whether the medium needs a token: by its own rule, or else by the setting KINORA_STREAM_ACCESS."""
        access = self._services.catalog.access(content_hash)
        return (access or MediaAccess(self._services.settings.stream_access)) is MediaAccess.TOKEN

    def admit(self, request: Request, content_hash: str, path: str, *, begins: bool = False) -> Admission:
        """Let the viewer have `path`, or raise as `require` does. A token in the address of public media is carried on
        unread: their content keys may want it.

        Where public media are the rule, who has no token for a private one gets NotFound, as for an unknown hash. With
        `begins` a session is not claimed yet: see `begin`.
        """
        if not self.is_private(content_hash):
            return Admission(is_private=False, query=_carried(request, request.query_params.get("token")))
        try:
            return self.require(request, content_hash, path, begins=begins)
        except (Unauthorized, SignatureInvalid) as error:
            if self._services.settings.stream_access == MediaAccess.TOKEN.value:
                raise
            raise NotFound(f"no token for {content_hash}: {error}") from None

    def require(
        self, request: Request, content_hash: str, path: str = "", *, begins: bool = False, tokens: Sequence[str] = ()
    ) -> Admission:
        """Let the viewer have `path` (empty: a content key) of the medium, private or not, for the request's tokens or `tokens`.

        Raises Unauthorized without a token, SignatureInvalid for a wrong one, SignatureExpired, Forbidden where its limits do
        not hold.
        """
        tokens = tokens or _presented(request)
        if not tokens:
            raise Unauthorized(public_message="This needs a playback token.")
        errors: list[KinoraError] = []
        for token in tokens:
            try:
                read = read_token(self._keyring(), token, content_hash, now=self._services.clock())
                self._check_limits(request, read.limits, path)
                if not begins:
                    self._check_session(request, read)
            except KinoraError as error:
                errors.append(error)
            else:
                request.scope[PROVEN] = token
                return Admission(True, read.limits, read.expires_at, _carried(request, _sent(request)))
        raise next((error for error in errors if not isinstance(error, SignatureInvalid)), errors[0])

    def begin(self, request: Request, admission: Admission) -> Admission:
        """Claim the session of a token that is for one only, when there is an answer that can tell the viewer of it.

        A viewer who brings no session gets a new one. Raises Forbidden if another session has the token.
        """
        if not admission.limits.session:
            return admission
        brought = _session(request)
        session = brought or secrets.token_urlsafe(24)
        self._claim(admission.limits.session, session, admission.expires_at)
        if brought:
            return admission
        carried = f"{admission.query}&{urlencode({'session': session})}" if admission.query else ""
        return replace(admission, query=carried, new_session=session)

    def mark(self, request: Request, response: Response, admission: Admission) -> Response:
        """Tell caches what the answer depends on, and the viewer its session."""
        if admission.is_private:
            response.headers["Vary"] = "Authorization, Cookie"
        if admission.new_session:
            self.set_cookie(request, response, SESSION_COOKIE, admission.new_session)
        return response

    def set_cookie(self, request: Request, response: Response, name: str, value: str) -> None:
        """A cookie that no script reads, that other sites do not send, and that goes with the browser: tokens end by themselves."""
        settings = self._services.settings
        secure = request.url.scheme == "https" or settings.public_url.startswith("https:")
        response.set_cookie(name, value, httponly=True, samesite="lax", secure=secure)

    def _check_limits(self, request: Request, limits: Limits, path: str) -> None:
        if not limits.hold_for(client_address(request, self._services.settings.trusted_proxies)):
            raise Forbidden("outside the token's network", public_message="This token is not for your address.")
        if limits.rendition and path and not belongs_to(path, limits.rendition):
            raise Forbidden("outside the token's rendition", public_message="This token is for another rendition.")

    def _check_session(self, request: Request, token: PlaybackToken) -> None:
        if not token.limits.session:
            return
        session = _session(request)
        if not session:
            raise Forbidden(public_message="This token is for one session: begin with a playlist, or send one.")
        self._claim(token.limits.session, session, token.expires_at)

    def _claim(self, name: str, session: str, expires_at: int) -> None:
        """Of several sessions that come with one token at once, one gets the lease, until the token expires."""
        owner = hashlib.sha256(session.encode()).hexdigest()
        if (name, owner) in self._held:
            return
        now = self._services.clock()
        if not self._services.leases.acquire(f"playback#{name}", owner, float(expires_at), now):
            raise Forbidden("another session has the token", public_message="This token is used by another session.")
        if len(self._held) >= _MOST_HELD:
            self._held.clear()
        self._held.add((name, owner))


def _presented(request: Request) -> list[str]:
    """The tokens of a request: the one that was sent on purpose, or else those of the cookie."""
    sent = _sent(request)
    return [sent] if sent else [one for one in request.cookies.get(TOKEN_COOKIE, "").split(BETWEEN_TOKENS) if one][:MOST_TOKENS]


def _sent(request: Request) -> str | None:
    return request.query_params.get("token") or bearer(request.headers.get("Authorization"))


def _carried(request: Request, token: str | None) -> str:
    """What a player that sends no headers needs in every address; a cookie comes by itself."""
    session = request.query_params.get("session")
    return urlencode({"token": token} | ({"session": session} if session else {})) if token else ""


def _session(request: Request) -> str:
    session = request.query_params.get("session") or request.cookies.get(SESSION_COOKIE) or ""
    if session and not _SESSION.fullmatch(session):
        raise Forbidden(public_message="A session has 16 to 64 letters, digits, - and _.")
    return session
