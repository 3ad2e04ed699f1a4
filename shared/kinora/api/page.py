"""The console page at `/` and the description of the API at `/docs`: plain files beside this module, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from kinora.api.routes import get_and_head
from kinora.api.serving import REVALIDATE, send_text
from kinora.errors import NotFound
from kinora.services import Services

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def content_policy(services: Services) -> str:
    """The page's Content-Security-Policy: nothing but its own files and the API. Where the store hands out media itself, its
    host is known only from its answers, so that pictures, films and uploads may use any with TLS."""
    elsewhere = [f"{part.scheme}://{part.netloc}" for part in [urlsplit(services.settings.public_url)] if part.netloc]
    sources = " ".join(["'self'", *elsewhere, *(["https:"] if services.presigner is not None else [])])
    return (
        f"default-src 'self'; img-src {sources} blob:; media-src {sources} blob:; connect-src {sources}; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def page_router(services: Services) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    policy = content_policy(services)
    files = {str(path.relative_to(_FOLDER)): path for path in _FOLDER.rglob("*") if path.suffix in _TYPES}

    @get_and_head(router, "/")
    def index(request: Request) -> Response:
        return send(request, "index.html")

    @get_and_head(router, "/docs")
    def docs(request: Request) -> Response:
        return send(request, "docs.html")

    @get_and_head(router, "/page/{name:path}")
    def asset(request: Request, name: str) -> Response:
        return send(request, name)

    def send(request: Request, name: str) -> Response:
        path = files.get(name)
        if path is None:
            raise NotFound(f"no page file {name!r}")
        response = send_text(request, path.read_bytes(), f"{_TYPES[path.suffix]}; charset=utf-8", REVALIDATE)
        response.headers["Content-Security-Policy"] = policy
        return response

    return router
