"""Errors as RFC 9457 problem details: every answer that is not a success has a stable `code`. Registered by create_app."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinora.api.credentials import without_credentials
from kinora.api.routes import allowed_methods
from kinora.errors import KinoraError, RangeNotSatisfiable, Unauthorized, Unavailable
from kinora.observability import logger

PROBLEM_JSON = "application/problem+json"
PROBLEM_SCHEMA = {
    "type": "object",
    "description": "Problem details (RFC 9457)",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable and machine-readable"},
    },
}
_CODES = {404: "not-found", 405: "method-not-allowed", 413: "limit-exceeded"}


def problem(
    status: int,
    code: str,
    detail: str,
    headers: dict[str, str] | None = None,
    members: Mapping[str, object] | None = None,
) -> JSONResponse:
    """One problem document (RFC 9457 §3) with the extension member `code`, and `members` over or beside its own."""
    content: dict[str, object] = {
        "type": "about:blank",
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
    } | dict(members or {})
    return JSONResponse(content, status, {"Cache-Control": "no-store"} | (headers or {}), PROBLEM_JSON)


def register_problems(app: FastAPI) -> None:
    """Let the app answer every error as a problem document."""
    app.add_exception_handler(KinoraError, _on_kinora_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_middleware(_UnexpectedErrors)


def _on_kinora_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KinoraError)  # noqa: S101 - Starlette's signature is wider than its promise
    headers = {}
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="kinora"'
    if isinstance(error, Unavailable):
        headers["Retry-After"] = "1"
    if error.status >= 500 and error.code != "pending":
        logger.error(
            "request failed", extra={"path": without_credentials(request.url.path), "code": error.code, "reason": str(error)}
        )
    return problem(error.status, error.code, error.public_message, headers)


def _on_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    where = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors())
    return problem(422, "validation-failed", where)


def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    code = _CODES.get(error.status_code, "invalid-input" if error.status_code < 500 else "internal")
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(allowed_methods(request))
    return problem(error.status_code, code, str(error.detail), headers)


class _UnexpectedErrors:
    """Answers what nobody expected inside the other middleware, so that this answer, too, has its headers: without those of
    CORS a page elsewhere would not even see the status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            logger.error("request failed unexpectedly", extra={"path": without_credentials(scope["path"])}, exc_info=error)
            await problem(500, KinoraError.code, KinoraError.public_message)(scope, receive, send)
