"""The subtitles of a medium as the API shows them: handed in, in files beside an original, and inside it."""

from __future__ import annotations

from kinora.api.links import Links
from kinora.api.schemas import SubtitleView
from kinora.errors import NotFound
from kinora.object_keys import text_path
from kinora.pipeline.plans import load_plan
from kinora.pipeline.stream import sidecars_of
from kinora.services import Services


def view_subtitles(services: Services, content_hash: str, links: Links) -> list[SubtitleView]:
    """In the order in which players are told of them."""
    views = [
        SubtitleView(
            language=one.language,
            name=one.title,
            default=one.default,
            forced=one.forced,
            captions=bool(one.role),
            origin="file" if one.source else "api",
            file=one.source or None,
            url=links.stream(content_hash, text_path(one.track)),
        )
        for one in sidecars_of(services, content_hash)
    ]
    try:
        plan = load_plan(services, content_hash)
    except NotFound:
        return views
    return views + [
        SubtitleView(
            language=one.language,
            name=one.title,
            default=one.default,
            forced=one.forced,
            captions=bool(one.role),
            origin="original",
            file=None,
            url=links.stream(content_hash, text_path(one.track)),
        )
        for one in plan.subtitles
    ]
