"""`/healthz`: the process lives. `/readyz`: what it depends on answers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from kinora import __version__
from kinora.api.problems import PROBLEM_JSON, PROBLEM_SCHEMA, problem
from kinora.api.readiness import Check, Readiness, dependencies
from kinora.api.routes import get_and_head
from kinora.services import Services


def health_router(services: Services) -> APIRouter:
    router = APIRouter(tags=["health"])
    readiness = Readiness(dependencies(services), services.settings.ready_seconds)

    @get_and_head(router, "/healthz", summary="Whether the process lives")
    def healthz(response: Response) -> dict[str, str]:
        response.headers["Cache-Control"] = "no-store"
        return {"status": "ok", "version": __version__}

    @get_and_head(
        router,
        "/readyz",
        summary="Whether storage, metadata, queues and secrets answer, each within KINORA_READY_SECONDS",
        response_model=dict[str, Any],
        responses={
            503: {
                "description": "One does not: `checks` says which, and how long it took",
                "content": {PROBLEM_JSON: {"schema": PROBLEM_SCHEMA}},
            }
        },
    )
    def readyz() -> Response:
        answers = readiness.ask()
        checks = [_view(one) for one in answers]
        failed = [one.name for one in answers if one.code]
        if failed:
            detail = f"These do not answer: {', '.join(failed)}."
            return problem(503, "not-ready", detail, {"Retry-After": "1"}, {"checks": checks})
        body = {"status": "ok", "driver": services.settings.driver, "checks": checks}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    return router


def _view(check: Check) -> dict[str, object]:
    """What anybody may know: no address, no name of a bucket, no words of the backend."""
    return {"name": check.name, "ok": not check.code, "seconds": round(check.seconds, 3)} | (
        {"code": check.code} if check.code else {}
    )
