"""The cover of a video and its thumbnails: a stage of its own that never blocks playback."""

from __future__ import annotations

import io
from collections.abc import Mapping

from kinora.media.image import inspect, make_variants
from kinora.media.poster import make_poster
from kinora.media.sniff import sniff
from kinora.model import Job, StageName
from kinora.object_keys import video_key
from kinora.pipeline.derivatives import store_derivative
from kinora.pipeline.derive import store_picture
from kinora.pipeline.originals import open_original
from kinora.pipeline.plans import load_plan
from kinora.pipeline.side_stages import side_stage
from kinora.services import Services


@side_stage(StageName.POSTER)
def make_cover(services: Services, job: Job, task: Mapping[str, object], remaining: object) -> bool:
    """Store `cover.jpg` and the named thumbnails made from it. Raises CorruptMedia, OriginalGone."""
    del task, remaining
    plan = load_plan(services, job.hash)
    with open_original(services, job) as original:
        cover = make_poster(original, plan.probe.container)
    key = video_key(job.hash, "cover.jpg")
    sniffed = sniff(cover)
    settings = services.settings
    size = inspect(io.BytesIO(cover), sniffed, max_pixels=settings.max_pixels)
    store_derivative(services, job, "poster", key, cover, width=size.width, height=size.height)
    for picture in make_variants(
        io.BytesIO(cover),
        sniffed,
        settings.image_variants,
        settings.image_formats,
        settings.image_quality,
        max_pixels=settings.max_pixels,
    ):
        store_picture(services, job, picture)
    return True
