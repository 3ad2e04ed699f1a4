"""The cover of a video and its thumbnails: a stage of its own that never blocks playback."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress

from kinora.errors import NotFound
from kinora.media.image import inspect, make_variants
from kinora.media.poster import make_poster
from kinora.media.sniff import sniff
from kinora.model import Failure, Job, StageName, StageState
from kinora.object_keys import video_key
from kinora.pipeline.derivatives import store_derivative
from kinora.pipeline.derive import store_picture
from kinora.pipeline.originals import open_original
from kinora.pipeline.plans import load_plan
from kinora.pipeline.work import settle, update, with_stages
from kinora.services import Services


def make_cover(services: Services, job: Job, task: Mapping[str, object], remaining: object) -> None:
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
    update(services, job.id, lambda current: with_stages(current, StageState.READY, StageName.POSTER))
    settle(services, job.id)


def fail_cover(services: Services, identifier: str, failure: Failure) -> None:
    """Only the stage fails; the video stays playable. A cover that was made stays, and so does a job that is over or gone."""

    def change(job: Job) -> Job | None:
        if job.state.is_final or job.stages[StageName.POSTER].state is StageState.READY:
            return None
        return with_stages(job, StageState.FAILED, StageName.POSTER, error=failure)

    with suppress(NotFound):
        update(services, identifier, change)
        settle(services, identifier)
