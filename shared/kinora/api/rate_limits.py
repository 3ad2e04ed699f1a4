"""Rate limits of the API: which class a request is of, whose it is, and what clients are told (429, Retry-After, RateLimit).

A middleware, so that a new route below one of the prefixes is limited without saying so; every answer of a limited class has
the fields of draft-ietf-httpapi-ratelimit-headers-11. A class without a limit costs nothing and touches no store.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math

from anyio import to_thread
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinora.api.access import Access
from kinora.api.client_address import client_address
from kinora.api.credentials import PROVEN, bearer
from kinora.api.problems import problem
from kinora.errors import KinoraError, Unauthorized, Unavailable
from kinora.metadata.windows import Quota
from kinora.metrics.base import RATE_LIMITED
from kinora.observability import logger
from kinora.services import Services
from kinora.setting_values import RateLimit

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
_PREFIXES = {
    "/api/uploads": "uploads",
    "/grant/": "uploads",
    "/upload/": "uploads",
    "/api/": "api",
    "/keys/": "keys",
    "/stream/": "stream",
    "/img/": "img",
    "/original/": "files",
    "/thumb/": "files",
    "/avatar/": "files",
}
_FAIL_CLOSED = {"keys"}
_IPV6_CLIENT = 64  # bits: what one subscriber gets at least (RFC 6177), and can change the rest of at will


class RateLimited:
    """ASGI middleware. A client is who has the API key, or an address; IPv6 addresses count by their first 64 bits.

    Content keys are counted when the answer is known: against the playback token that was found good, or against the address
    that failed. So viewers behind one address do not use up each other's quota, and made-up tokens open no new one. No key
    leaves while the store of the counts is away (503); everything else goes on uncounted then.
    """

    def __init__(self, app: ASGIApp, services: Services, access: Access) -> None:
        self._app = app
        self._services = services
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = route_class(scope["path"]) if scope["type"] == "http" else None
        limit = self._services.settings.rate_limits.get(name) if name else None
        if name is None or limit is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if name in _FAIL_CLOSED:
            await self._app(scope, receive, _Judged(self, request, name, limit, receive, send))
            return
        quota = await to_thread.run_sync(lambda: self.take(request, name, limit, self.client_of(request)))
        if quota is not None and not quota.allowed:
            await self.refuse(name, limit, quota)(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and quota is not None:
                _tell(MutableHeaders(scope=message), name, limit, quota)
            await send(message)

        await self._app(scope, receive, told)

    def take(self, request: Request, name: str, limit: RateLimit, client: str) -> Quota | None:
        """None where the store does not answer and the class goes on without it. Raises Unavailable where it does not."""
        digest = hashlib.sha256(client.encode()).hexdigest()[:32]
        try:
            return self._services.rate_limits.take(f"{name}#{digest}", limit.requests, limit.seconds, self._services.clock())
        except KinoraError as error:
            logger.error("requests cannot be counted", extra={"path": request.url.path, "reason": str(error)})
            if name in _FAIL_CLOSED:
                raise Unavailable(f"requests cannot be counted: {error}") from error
            return None

    def refuse(self, name: str, limit: RateLimit, quota: Quota) -> ASGIApp:
        self._services.metrics.record_soon({RATE_LIMITED: 1}, **{"class": name})
        wait = _whole_seconds(quota)
        more = {"type": QUOTA_EXCEEDED, "violated-policies": [name]}
        detail = f"{limit.requests} requests in {limit.seconds} s are allowed here; the next one in {wait} s."
        answer = problem(429, "rate-limited", detail, {"Retry-After": str(wait)}, more)
        _tell(answer.headers, name, limit, quota)
        return answer

    def client_of(self, request: Request, token: str = "") -> str:
        """Who counts for the request: the API key if it is the right one, a `token` found good, or the address."""
        presented = request.headers.get("X-Api-Key") or bearer(request.headers.get("Authorization"))
        try:
            self._access.check_api_key(presented)
        except Unauthorized:
            return f"token {token}" if token else f"address {self._address(request)}"
        except KinoraError:  # whoever needs the secrets will say so
            return f"address {self._address(request)}"
        return f"key {presented}"

    def _address(self, request: Request) -> str:
        text = client_address(request, self._services.settings.trusted_proxies) or ""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return text
        if isinstance(address, ipaddress.IPv4Address):
            return str(address)
        return str(address.ipv4_mapped or ipaddress.ip_network((int(address), _IPV6_CLIENT), strict=False))


class _Judged:
    """Takes the place of `send`: counts when the answer begins, and replaces it if it is one too many."""

    def __init__(
        self, limits: RateLimited, request: Request, name: str, limit: RateLimit, receive: Receive, send: Send
    ) -> None:
        self._limits = limits
        self._request = request
        self._name = name
        self._limit = limit
        self._receive = receive
        self._send = send
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            instead = await to_thread.run_sync(self._count, message)
            if instead is not None:
                self._replaced = True
                await instead(self._request.scope, self._receive, self._send)
        if not self._replaced:
            await self._send(message)

    def _count(self, message: Message) -> ASGIApp | None:
        try:
            client = self._limits.client_of(self._request, self._request.scope.get(PROVEN, ""))
            quota = self._limits.take(self._request, self._name, self._limit, client)
        except Unavailable as error:
            return problem(error.status, error.code, error.public_message, {"Retry-After": "1"})
        if quota is None or quota.allowed:
            if quota is not None:
                _tell(MutableHeaders(scope=message), self._name, self._limit, quota)
            return None
        return self._limits.refuse(self._name, self._limit, quota)


def route_class(path: str) -> str | None:
    """The class of routes whose limit holds for a path; None: never limited (health, page, schema)."""
    return next((name for prefix, name in _PREFIXES.items() if path.startswith(prefix)), None)


def _whole_seconds(quota: Quota) -> int:
    return max(1, math.ceil(quota.reset))


def _tell(headers: MutableHeaders, name: str, limit: RateLimit, quota: Quota) -> None:
    headers["RateLimit-Policy"] = f'"{name}";q={limit.requests};w={limit.seconds}'
    headers["RateLimit"] = f'"{name}";r={quota.remaining};t={_whole_seconds(quota)}'
