"""`/healthz`: the process lives. `/readyz`: what it depends on answers."""

from __future__ import annotations

from fastapi import APIRouter, Response

from kinora import __version__
from kinora.api.routes import get_and_head
from kinora.services import Services


def health_router(services: Services) -> APIRouter:
    router = APIRouter(tags=["health"])

    @get_and_head(router, "/healthz", summary="Whether the process lives")
    def healthz(response: Response) -> dict[str, str]:
        response.headers["Cache-Control"] = "no-store"
        return {"status": "ok", "version": __version__}

    @get_and_head(
        router, "/readyz", summary="Whether storage and metadata answer", responses={503: {"description": "One does not"}}
    )
    def readyz(response: Response) -> dict[str, str]:
        services.storage.check()
        services.catalog.check()
        response.headers["Cache-Control"] = "no-store"
        return {"status": "ok", "driver": services.settings.driver}

    return router
