"""One way to register a route for GET and HEAD alike: HEAD is answered exactly but does not crowd the schema. And which methods
a path has, since one path has several routes then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.routing import Match, Route


def get_and_head(router: APIRouter, path: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate an endpoint that looks at `request.method` where it matters."""

    def register(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        router.add_api_route(path, endpoint, methods=["GET"], **options)
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, **options)
        return endpoint

    return register


def allowed_methods(request: Request) -> list[str]:
    """What any route answers at the path of the request, for `Allow` (RFC 9110 §15.5.6)."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    here = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in here for method in route.methods or ()})
