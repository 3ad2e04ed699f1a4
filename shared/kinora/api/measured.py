"""How many requests of which route came and how long they took. Middleware of create_app, around all others."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinora.metrics.base import REQUEST_SECONDS, REQUESTS, RESPONSE_BYTES, Metrics

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
NO_ROUTE = "none"  # no route, or answered before one was found
ABORTED = "aborted"  # the client went away before the answer began


class Measured:
    """ASGI middleware. Requests are told apart by the template of their route, so that nobody can make up new labels."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status, size = ABORTED, 0

        async def counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = str(message["status"])
            size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            values = {REQUESTS: 1, REQUEST_SECONDS: time.perf_counter() - begun, RESPONSE_BYTES: size}
            self._metrics.record_soon(values, method=method, route=route, status=status)
