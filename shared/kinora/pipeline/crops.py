"""Making crops of a picture. Called for `crop` tasks, which the API sends; those of videos have a module of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kinora.media.crop import Box, crop_image
from kinora.media.image import Picture
from kinora.media.sniff import sniff
from kinora.model import Job
from kinora.object_keys import image_key
from kinora.pipeline.crop_requests import crop_name, missing_crops
from kinora.pipeline.derivatives import store_derivative
from kinora.pipeline.export_states import complete_exports
from kinora.pipeline.fingerprint import read_head
from kinora.pipeline.originals import open_original
from kinora.services import Services


def make_crops(services: Services, job: Job, task: Mapping[str, Any], remaining: Callable[[], int]) -> None:
    """Store every box of the task that is not there yet. Raises CorruptMedia, LimitExceeded, OriginalGone."""
    del remaining
    boxes = wanted_boxes(services, job, task)
    if boxes:
        _cut(services, job, task, boxes)
    complete_exports(services, job.hash, task)


def _cut(services: Services, job: Job, task: Mapping[str, Any], boxes: Sequence[Box]) -> None:
    settings = services.settings
    with open_original(services, job) as original:
        sniffed = sniff(read_head(original))
        cuts = crop_image(
            original,
            sniffed,
            boxes,
            task["longest"],
            task["format"],
            settings.image_quality,
            max_pixels=settings.max_pixels,
        )
        store_crops(services, job, cuts)


def wanted_boxes(services: Services, job: Job, task: Mapping[str, Any]) -> list[Box]:
    return [Box.of(raw) for raw in missing_crops(services, job.hash, task["boxes"], task["format"])]


def store_crops(services: Services, job: Job, pictures: Iterable[Picture]) -> None:
    for one in pictures:
        key = image_key(job.hash, f"crop-{one.name}", one.format)
        store_derivative(services, job, crop_name(one.name, one.format), key, one.data, width=one.width, height=one.height)
