"""The HTTP face of Kinora: one FastAPI app over the services, served by Mangum on AWS and by uvicorn locally."""

from __future__ import annotations

from fastapi import FastAPI

from kinora import __version__
from kinora.api.access import Access, needs_api_key
from kinora.api.avatars import avatars_router, shown_avatars_router
from kinora.api.crops import crops_router
from kinora.api.encryption import encryption_router
from kinora.api.events import Listeners, events_router
from kinora.api.exports import exports_router
from kinora.api.headers import BehindProxies, SafeHeaders, allow_origins
from kinora.api.health import health_router
from kinora.api.img import img_router
from kinora.api.jobs import jobs_router
from kinora.api.keys import keys_router
from kinora.api.limits import AnswerLimits
from kinora.api.links import Links
from kinora.api.measured import Measured
from kinora.api.media import media_router
from kinora.api.moments import moments_router
from kinora.api.numbers import metrics_router
from kinora.api.page import page_router
from kinora.api.problems import PROBLEM_JSON, PROBLEM_SCHEMA, register_problems
from kinora.api.rate_limits import RateLimited
from kinora.api.signed import signed_router
from kinora.api.stream import stream_router
from kinora.api.subtitles import subtitles_router
from kinora.api.tokens import cookie_router, tokens_router
from kinora.api.upload_bodies import bodies_router
from kinora.api.upload_parts import folder_of_api, folder_of_grant, parts_router
from kinora.api.uploads import uploads_router
from kinora.api.webhooks import deliveries_router, webhooks_router
from kinora.services import Services

_PROBLEM = {"content": {PROBLEM_JSON: {"schema": PROBLEM_SCHEMA}}}


def create_app(services: Services) -> FastAPI:
    """Build the app. Routes under `/api` need the API key; nothing is read or connected before the first request."""
    access = Access(services)
    links = Links(services, access)
    app = FastAPI(
        title="Kinora",
        version=__version__,
        description="Media uploads in, thumbnails and instantly playable adaptive streams out.",
        docs_url=None,  # FastAPI's page loads its scripts from a host elsewhere; the page router has one that works offline
        redoc_url=None,
        responses={
            422: {"description": "Validation failed", **_PROBLEM},
            429: {"description": "Too many requests: `Retry-After` says when the next one passes", **_PROBLEM},
            "default": {"description": "Any other problem: `code` says which", **_PROBLEM},
        },
    )
    register_problems(app)
    app.include_router(health_router(services))
    app.include_router(stream_router(services, access))
    app.include_router(cookie_router(access))
    app.include_router(keys_router(services, access))
    app.include_router(signed_router(services, access))
    app.include_router(img_router(services, access))
    protected = needs_api_key(access)
    app.include_router(jobs_router(services, links), dependencies=protected)
    app.include_router(media_router(services, links), dependencies=protected)
    app.include_router(moments_router(services, links), dependencies=protected)
    app.include_router(crops_router(services, links), dependencies=protected)
    app.include_router(exports_router(services, links), dependencies=protected)
    app.include_router(subtitles_router(services, links), dependencies=protected)
    app.include_router(encryption_router(services), dependencies=protected)
    app.include_router(tokens_router(services, access, links), dependencies=protected)
    app.include_router(avatars_router(services, links), dependencies=protected)
    app.include_router(shown_avatars_router(services, access))
    app.include_router(uploads_router(services, links, access), dependencies=protected)
    parts = parts_router(services, links, "/api/uploads/s3", folder_of_api(services), may_replace=True)
    app.include_router(parts, dependencies=protected)
    granted = "/grant/{signature}/{folder:path}/s3"
    app.include_router(parts_router(services, links, granted, folder_of_grant(access), may_replace=False))
    if services.part_presigner is None:
        app.include_router(bodies_router(services, access))
    app.include_router(webhooks_router(services), dependencies=protected)
    app.include_router(deliveries_router(services), dependencies=protected)
    app.state.listeners = Listeners(services.settings.event_listeners)
    app.include_router(events_router(services, app.state.listeners), dependencies=protected)
    app.include_router(page_router(services))
    if services.metrics_reader is not None and services.backlog is not None:
        app.include_router(metrics_router(services.metrics_reader, services.backlog), dependencies=protected)
    app.add_middleware(AnswerLimits)
    app.add_middleware(RateLimited, services=services, access=access)
    allow_origins(app, services.settings)
    app.add_middleware(SafeHeaders)
    if services.settings.trusted_proxies:
        app.add_middleware(BehindProxies)
    app.add_middleware(Measured, metrics=services.metrics)
    return app
