"""`/metrics`: what was counted and measured on this machine, for Prometheus. On AWS CloudWatch has the numbers, and there is
no such route."""

from __future__ import annotations

from fastapi import APIRouter, Response

from kinora.api.exposition import MEDIA_TYPE, exposition
from kinora.metrics.base import MetricsReader
from kinora.queues.base import Backlog


def metrics_router(reader: MetricsReader, backlog: Backlog) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get(
        "/metrics",
        summary="What was counted and measured, in Prometheus' text format",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def metrics() -> Response:
        text = exposition(reader.read(), backlog.backlog())
        return Response(text, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})

    return router
