"""Where the results of one content are found: addresses at the running server, or files below the data folder without one.

The names are `master`, `poster` and those of the image variants (`thumb`; `thumb.avif` beside the first format).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kinora.model import Derivative, Scope
from kinora.services import Services


def addresses(services: Services, content_hash: str, url: str | None) -> dict[str, str]:
    """Everything derived from the hash by name; with a server (`url`) also `media`, the API's page of all about it."""
    derivatives = services.catalog.derivatives(content_hash)
    names = {one.name: _short_name(services, one.name) for one in derivatives}
    if url is None:
        root = Path(services.settings.scopes[Scope.MEDIA].root).resolve()
        return {names[one.name]: (root / one.key).as_uri() for one in derivatives}
    return {names[one.name]: link for one, link in _links(services, derivatives, url)} | {
        "media": f"{url}/api/media/{content_hash}"
    }


def _short_name(services: Services, name: str) -> str:
    if name == "stream":
        return "master"
    return name.removeprefix("image/").removesuffix(f".{services.settings.image_formats[0]}")


def _links(services: Services, derivatives: tuple[Derivative, ...], url: str) -> list[tuple[Derivative, str]]:
    from kinora.api.access import Access
    from kinora.api.links import Links
    from kinora.api.schemas import view_derivative

    public = replace(services, settings=replace(services.settings, public_url=url))
    links = Links(public, Access(public))
    return [(one, view_derivative(one, links).url) for one in derivatives]
