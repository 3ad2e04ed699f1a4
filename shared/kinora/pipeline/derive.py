"""Thumbnails of a picture: one task, all variants and formats. What exists under the same recipe is not made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kinora.media.image import Picture, inspect, make_variants
from kinora.media.sniff import sniff
from kinora.model import Job, JobState, StageName, StageState
from kinora.object_keys import image_key
from kinora.pipeline.derivatives import store_derivative
from kinora.pipeline.fingerprint import read_head
from kinora.pipeline.originals import open_original
from kinora.pipeline.work import update, with_stages
from kinora.services import Services


def derive_images(services: Services, job: Job, task: Mapping[str, object], remaining: object) -> None:
    """Make every thumbnail of the job's picture and end the job as ready. Raises CorruptMedia, LimitExceeded, OriginalGone."""
    del task, remaining
    settings = services.settings
    update(services, job.id, _begin)
    with open_original(services, job) as original:
        sniffed = sniff(read_head(original))
        inspect(original, sniffed, max_pixels=settings.max_pixels)
        pictures = make_variants(
            original,
            sniffed,
            settings.image_variants,
            settings.image_formats,
            settings.image_quality,
            max_pixels=settings.max_pixels,
        )
        for picture in pictures:
            store_picture(services, job, picture)
    update(services, job.id, lambda current: _finish(services, current))


def store_picture(services: Services, job: Job, picture: Picture) -> None:
    """Store one thumbnail, of a picture or of a video's cover."""
    key = image_key(job.hash, picture.name, picture.format)
    name = f"image/{picture.name}.{picture.format}"
    store_derivative(services, job, name, key, picture.data, width=picture.width, height=picture.height)


def _begin(job: Job) -> Job | None:
    if job.state.is_final:
        return None
    return replace(with_stages(job, StageState.RUNNING, StageName.IMAGE), state=JobState.PREPARING)


def _finish(services: Services, job: Job) -> Job | None:
    if job.state.is_final:
        return None
    return replace(with_stages(job, StageState.READY, StageName.IMAGE), state=JobState.READY, ready_at=services.clock())
